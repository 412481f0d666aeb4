"""What the exit codes of Kronk's processes mean."""

from __future__ import annotations

OK = 0
UNCAUGHT = 1
USAGE = 2
BAD_MODEL = 3
NO_MEMORY = 4
ORPHANED = 5
NO_SUPERVISOR = 6
ADDRESS_IN_USE = 7
ALREADY_RUNNING = 8
NO_GATEWAY = 9
ENGINE_FAILED = 10
JOB_CANCELLED = 11
# Ctrl-C, as shells have it: 128 and the number of the signal.
INTERRUPTED = 130

MEANING = {
    OK: "ended normally",
    UNCAUGHT: "uncaught exception",
    USAGE: "bad arguments or settings",
    BAD_MODEL: "the model cannot be loaded",
    NO_MEMORY: "not enough memory",
    ORPHANED: "its supervisor was gone",
    NO_SUPERVISOR: "its supervisor did not answer",
    ADDRESS_IN_USE: "the address is in use",
    ALREADY_RUNNING: "a server already runs on this base path",
    NO_GATEWAY: "the gateway cannot start",
    ENGINE_FAILED: "its engine failed",
    JOB_CANCELLED: "the job was cancelled",
    INTERRUPTED: "interrupted",
}
