"""A worker process."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from dataclasses import replace

from kronk.shared import exits, stacks
from kronk.shared.child import (
    WORKER_OOM_SCORE,
    Birth,
    die_with_parent,
    on_parent_gone,
    raise_oom_score,
    read_birth,
)
from kronk.shared.importing import only_imports
from kronk.shared.settings import resolve

from . import build
from .sandbox import policy
from .sandbox.confine import Sandbox, make_private

# Set before llama.cpp loads its libraries. Threads of a decode meet about 250 times a token.
# Sleeping at each meeting costs three times the token's own time; spinning without bound costs
# twenty times when something else needs the core. A short spin costs little in both cases.
_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "1000",
    # Otherwise an assert in ggml forks a debugger and takes seconds to die.
    "GGML_NO_BACKTRACE": "1",
    # As the driver counts GPUs, by whose numbers budgets are kept.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    # numpy's library of matrices would start a thread per core, which nothing here has work for.
    "OPENBLAS_NUM_THREADS": "1",
}
# How long Python code may hold the GIL against a decode that has finished. The default of 5 ms
# is half a token.
_SWITCH_INTERVAL = 0.0005


def main() -> None:
    birth = read_birth()
    die_with_parent(birth.parent, signal.SIGKILL)
    raise_oom_score(WORKER_OOM_SCORE)
    # Its pipes are opened while it may still open any.
    stacks.offer(birth.run, birth.parent)
    sandbox = enter_sandbox(birth)
    sandbox.apart(lambda: on_parent_gone(lambda: os._exit(exits.ORPHANED)))
    sandbox.apart(stacks.answer)
    # The supervisor ends a process that hangs by SIGABRT, and keeps what is written here of it.
    faulthandler.enable(all_threads=True)
    # Ctrl-C is the supervisor's to interpret.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare_environment()
    birth = replace(birth, library=build.use(birth.library))
    sys.setswitchinterval(_SWITCH_INTERVAL)
    asyncio.run(_live(birth, sandbox))


def prepare_environment() -> None:
    """What llama.cpp's libraries read when they are loaded; the operator's own values stand."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def enter_sandbox(birth: Birth) -> Sandbox:
    """Before the first thread, and before there is anything to be afraid of."""
    sandbox, settings = Sandbox(), resolve({}, os.environ)
    if settings.sandbox:
        cache = settings.base.cache
        make_private(cache)
        layer = policy.from_start(cache)
        sandbox.enter(layer, is_remote=birth.control.startswith("tcp:"))
    return sandbox


async def _live(birth: Birth, sandbox: Sandbox) -> None:
    with only_imports():
        # Here, after the environment is set: this loads llama.cpp.
        import structlog

        from kronk.shared import log

        from .service import Worker

    level = os.environ.get("KRONK_LOG_LEVEL", "info")
    log.configure("worker", level, generation=birth.generation)
    for measure, reason in sandbox.missing.items():
        structlog.get_logger().info("not confined", lacks=measure, reason=reason)
    worker = Worker(birth, sandbox)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    await worker.live()
