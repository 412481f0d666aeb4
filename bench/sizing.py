"""What models are predicted to take, next to what they take: `kronk model vram` against the kernel.

    python bench/sizing.py [--markdown] [--only TEXT] [MODEL.gguf ...]

Each configuration is loaded as a worker does it, in a process of its own. All slots are filled to
the end of their contexts, where a step needs the most scratch memory; then the kernel is asked.
Without arguments: the models of the tests, random weights of other architectures, and the starter
model. Sizes are in MiB; of cache and scratch memory: predicted / as llama.cpp says.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.append(str(TESTS))

from server import starter_model  # noqa: E402

from harness import random_gguf, random_pooled  # noqa: E402
from harness.load_once import Took, load_once  # noqa: E402
from kronk.shared import settings  # noqa: E402
from kronk.shared.load_spec import Surroundings, load_spec  # noqa: E402
from kronk.shared.model_config import parse  # noqa: E402
from kronk.shared.sizing import grounds  # noqa: E402
from kronk.shared.sizing.look import look  # noqa: E402
from kronk.shared.sizing.predict import Prediction, predict  # noqa: E402
from kronk.worker import gguf_file  # noqa: E402

MIB = 2**20
SMALL = {"cache_type_k": "q8_0", "cache_type_v": "q8_0"}
SMALLER = {"cache_type_k": "q4_0", "cache_type_v": "q4_0"}
PLAIN = {"flash_attention": "disabled"}
# Filling a context takes the time of a prompt of one window.
CONFIGS: tuple[dict[str, Any], ...] = (
    {"context_window": 2048, "n_seq_max": 1},
    {"context_window": 2048, "n_seq_max": 4},
    {"context_window": 1024, "n_seq_max": 16},
    {"context_window": 2048, "n_seq_max": 4, **SMALL},
    {"context_window": 2048, "n_seq_max": 4, **SMALLER},
    {"context_window": 2048, "n_seq_max": 1, "n_ubatch": 128},
    {"context_window": 1024, "n_seq_max": 1, **PLAIN},
    {"context_window": 2048, "n_seq_max": 4, **PLAIN},
    {"context_window": 1024, "n_seq_max": 4, "speculative": "ngram"},
    {"context_window": 1024, "n_seq_max": 8, "speculative": "ngram", "draft_max": 64},
    {"context_window": 1024, "n_seq_max": 2, "use_mmap": False},
)
POOLED: tuple[dict[str, Any], ...] = (
    {},
    {"flash_attention": "enabled"},
    {"n_seq_max": 4, "context_window": 512},
)


@dataclass(frozen=True, slots=True)
class Row:
    """One load."""

    model: str
    config: Mapping[str, Any]
    predicted: Prediction
    took: Took

    @property
    def expected_bytes(self) -> int:
        """With pages that are read no more, which the kernel counts too."""
        return sum(self.predicted.by_device.values()) + self.predicted.stale_bytes

    @property
    def error(self) -> float:
        """Above 0: more was predicted."""
        return self.expected_bytes / self.took.all_bytes - 1

    @property
    def scratch_error(self) -> float:
        """The same of the scratch memory alone."""
        return self.predicted.part("scratch") / max(self.took.compute_bytes, 1) - 1


def measured(path: Path, name: str, config: Mapping[str, Any]) -> Row:
    """Load it once."""
    around = Surroundings(draft=path if config.get("draft_model") else None)
    spec = load_spec(name, path, parse(dict(config), name), around)
    here = grounds.this_machine(settings.resolve({}, {}))
    predicted = predict(spec, look(spec, gguf_file.read), here.machine)
    return Row(name, config, predicted, load_once(spec, "all cells"))


def models(given: list[Path], folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and files."""
    if given:
        yield from ((path.stem, path) for path in given)
        return
    yield "tiny-chat", TESTS / "models" / "tiny-chat-q8_0.gguf"
    for kind in random_gguf.KINDS:
        path = folder / f"{kind.name}.gguf"
        random_gguf.write(path, kind)
        yield f"random {kind.architecture}", path
    yield "tiny-rerank", TESTS / "models" / "tiny-rerank-q8_0.gguf"
    decoder = folder / "decoder.gguf"
    random_pooled.decoder(decoder, random_pooled.LAST)
    yield "random qwen3 embedding", decoder
    yield "SmolLM2-135M", starter_model()


def rows(name: str, path: Path) -> Iterator[Row]:
    """Of one model."""
    spec = load_spec(name, path, parse({}, name))
    model = look(spec, gguf_file.read).model
    is_recurrent = any(layer.states for layer in model.layers)
    for config in POOLED if model.pools else CONFIGS:
        # Guesses cannot be taken back from recurrent memory.
        if not (is_recurrent and "speculative" in config):
            yield measured(path, name, config)


def line(row: Row, *, markdown: bool) -> str:
    """As text, or as a row of a table."""
    keys = ", ".join(f"{key} {value}" for key, value in row.config.items()) or "defaults"
    cells = [
        row.model,
        keys,
        f"{row.expected_bytes / MIB:.0f}",
        f"{row.took.all_bytes / MIB:.0f}",
        f"{row.error:+.1%}",
        f"{row.predicted.part('kv') / MIB:.1f}/{row.took.kv_bytes / MIB:.1f}",
        f"{row.predicted.part('scratch') / MIB:.1f}/{row.took.compute_bytes / MIB:.1f}",
        f"{row.scratch_error:+.0%}",
    ]
    if markdown:
        return f"| {' | '.join(cells)} |"
    widths = (22, 64, 6, 6, 7, 15, 15, 5)
    return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--only", default="", help="models whose name has this in it")
    options = parser.parse_args()
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in models(options.models, Path(folder)):
            if options.only in name:
                for row in rows(name, path):
                    found.append(row)
                    print(line(row, markdown=options.markdown), flush=True)
    worst = max(found, key=lambda row: abs(row.error))
    least = min(found, key=lambda row: row.error)
    print(f"\n{len(found)} loads; worst {worst.error:+.1%}, least {least.error:+.1%} (MiB)")


if __name__ == "__main__":
    main()
