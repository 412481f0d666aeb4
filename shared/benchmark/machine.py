"""The machine that figures are of."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

import psutil

from kronk.shared import gpus
from kronk.shared.units import format_bytes

from .report import Host


def this_host() -> Host:
    """As of now."""
    return Host(
        socket.gethostname(),
        f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu_name(),
        len(os.sched_getaffinity(0)),
        int(psutil.virtual_memory().total),
        tuple(f"{gpu.name} ({format_bytes(gpu.total_bytes)})" for gpu in gpus.gpus()),
    )


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """As its maker calls it."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
