"""`python -m tests.faults.matrix` prints what the fault tests of this checkout last measured."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.matrix import rows, table  # the tests' folder is no package

if __name__ == "__main__":
    print(table(rows()))
