"""What a process that reads models gives up before it does, in the words that people see."""

from __future__ import annotations

NO_NEW_PRIVILEGES = "no new privileges"
NO_CAPABILITIES = "no capabilities"
NO_CORES = "no core dumps"
NO_PROGRAMS = "no programs"
NO_NETWORK = "no network"
OWN_FILES = "only its own files"

# All that a worker on this machine has where the kernel has everything.
MEASURES = (
    NO_NEW_PRIVILEGES,
    NO_CAPABILITIES,
    NO_CORES,
    NO_PROGRAMS,
    NO_NETWORK,
    OWN_FILES,
)
# Of what `worker.sandbox.probe` tries, what a worker has to be able to do, and no more.
NEEDED = ("read its model", "write to its cache", "open a local socket", "start a thread")
