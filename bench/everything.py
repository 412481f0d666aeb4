"""All measurements, one after the other, and their ratios in one table.

    python bench/everything.py [--rounds N] [--only prefix_cache,speculation] [MODEL.gguf]

Each can be run alone, too, and knows more options then: `python bench/speculation.py --help`. The
embeddings have a model of their own.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from types import ModuleType

import constrained
import dialects
import dropped
import embeddings
import idle_slots
import lifecycle
import peers_embeddings
import peers_serving
import prefill_beside
import prefix_cache
import serving
import speculation
from report import Ratio, table
from server import starter_model

MEASUREMENTS: dict[str, ModuleType] = {
    module.__name__: module
    for module in (
        serving,
        dialects,
        idle_slots,
        prefix_cache,
        prefill_beside,
        speculation,
        constrained,
        embeddings,
        lifecycle,
        dropped,
        peers_serving,
        peers_embeddings,
    )
}

# A text model does not embed.
_OWN_MODEL = (embeddings, peers_embeddings)


def run(module: ModuleType, model: Path, options: argparse.Namespace) -> list[Ratio]:
    """One measurement, with its own number of rounds unless told otherwise."""
    words = [f"--threads={options.threads}"]
    words += [f"--rounds={options.rounds}"] if options.rounds else []
    words += [str(model)] if module not in _OWN_MODEL else []
    found: list[Ratio] = module.ratios(module.arguments().parse_args(words))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path, help="default: the starter model")
    parser.add_argument("--rounds", type=int, help="default: each has its own")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default=",".join(MEASUREMENTS), help="default: %(default)s")
    options = parser.parse_args()
    model = options.model or starter_model()
    names = options.only.split(",")
    if unknown := set(names) - set(MEASUREMENTS):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}")
    ratios = [ratio for name in names for ratio in run(MEASUREMENTS[name], model, options)]
    print(f"\nAll, load average now {os.getloadavg()[0]:.2f}")
    table(ratios)


if __name__ == "__main__":
    main()
