"""The real supervisor and the real gateway over the scripted engine of this folder.

`HARNESS_ENGINE=real` leaves the real workers in their place. Limits that are a minute long may be
shorter here: `HARNESS_LIMITS` is JSON, a number for each name such as `restart.FIRST_DELAY`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys

from kronk.shared import settings
from kronk.shared.child import die_with_parent
from kronk.supervisor import main
from kronk.supervisor.commands import Commands

ENGINE = (sys.executable, "-P", "-m", "fakes.engine")


def set_limits(limits: dict[str, float]) -> None:
    """Put these in place of the constants of the supervisor's modules."""
    for name, value in limits.items():
        module_name, _, constant = name.partition(".")
        module = importlib.import_module(f"kronk.supervisor.{module_name}")
        assert isinstance(getattr(module, constant), float), name
        setattr(module, constant, value)


if __name__ == "__main__":
    # Tests that are killed leave no server behind.
    die_with_parent(os.getppid(), signal.SIGTERM)
    set_limits(json.loads(os.environ.get("HARNESS_LIMITS", "{}")))
    is_real = os.environ.get("HARNESS_ENGINE") == "real"
    try:
        main.serve(settings.from_environment(), Commands() if is_real else Commands(worker=ENGINE))
    except main.CannotStart as error:
        print(f"error: {error.message}", file=sys.stderr)
        sys.exit(error.code)
