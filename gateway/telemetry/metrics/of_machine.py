"""What processes and GPUs take, as samples. Reads files of the kernel's, and asks the driver."""

from __future__ import annotations

import psutil

from kronk.shared.gpus import gpus
from kronk.shared.wire.status import Runtime
from kronk.shared.wire.to_gateway import Status

from .sheet import Sheet


def write_processes(sheet: Sheet, status: Status) -> None:
    """All of this server's. Those of other hosts are asked nothing here."""
    for process in status.processes:
        _write(sheet, process.role, "", process.pid, process.rss_bytes)
    for row in status.models:
        if row.pid is not None and row.host is None:
            _write(sheet, "worker", row.model, row.pid, row.rss_bytes)


def _write(sheet: Sheet, role: str, model: str, pid: int, resident: int | None) -> None:
    sheet.add("kronk_process_resident_bytes", resident, process=role, model=model)
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times, threads = process.cpu_times(), process.num_threads()
    except psutil.Error:
        # It has ended meanwhile.
        return
    used = times.user + times.system
    sheet.add("kronk_process_cpu_seconds_total", used, process=role, model=model)
    sheet.add("kronk_process_threads", threads, process=role, model=model)


def write_runtime(sheet: Sheet, role: str, model: str, runtime: Runtime) -> None:
    """How a process is doing inside."""
    sheet.add("kronk_loop_lag_seconds", runtime.loop_lag, process=role, model=model)
    sheet.add("kronk_loop_tasks", runtime.tasks, process=role, model=model)
    sheet.add("kronk_gc_seconds_total", runtime.gc_seconds, process=role, model=model)


def write_gpus(sheet: Sheet) -> None:
    """NVIDIA's, where there are any."""
    for gpu in gpus():
        sheet.add("kronk_gpu_memory_total_bytes", gpu.total_bytes, gpu=gpu.name)
        sheet.add("kronk_gpu_memory_used_bytes", gpu.used_bytes, gpu=gpu.name)
        sheet.add("kronk_gpu_utilisation_ratio", gpu.utilisation, gpu=gpu.name)
