"""How other models read images: in two dimensions, or all of one at once. Random weights, and what
mtmd's own helper makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import mtmd_reference, random_gguf, random_projector
from harness.engine import EngineRun
from harness.media_files import png
from harness.random_projector import GEMMA, QWEN, Eyes
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.loading import CacheSpec, ContextSpec, LoadSpec, PlacementSpec
from kronk.shared.wire.values import Media, Prompt

# To the one, nine rows (the least) and sixteen, in three and four lines; to the other, all images
# have sixteen.
SMALL, LARGE = png(9, 200, 30, size=56), png(200, 30, 9, size=112)


@dataclass(frozen=True)
class Seeing:
    run: EngineRun
    eyes: Eyes
    spec: LoadSpec


@pytest.fixture(scope="module", params=[QWEN, GEMMA], ids=lambda eyes: eyes.projector)
def seeing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Seeing]:
    folder = tmp_path_factory.mktemp("random")
    eyes: Eyes = request.param
    random_gguf.write(folder / "model.gguf", eyes.model)
    random_projector.write(folder / "mmproj.gguf", eyes)
    spec = LoadSpec(
        "random",
        str(folder / "model.gguf"),
        projector=str(folder / "mmproj.gguf"),
        context=ContextSpec(window=512, slots=3, n_threads=1, n_ubatch=64, n_batch=64),
        placement=PlacementSpec(n_gpu_layers=0),
        cache=CacheSpec(min_tokens=8),
    )
    run = EngineRun(spec)
    yield Seeing(run, eyes, spec)
    run.stop_all()


def chat(*parts: str | bytes) -> Prompt:
    media = tuple(Media("image", part, "it") for part in parts if isinstance(part, bytes))
    numbers = iter(range(len(media)))
    content = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image", "media": next(numbers)}
        for part in parts
    ]
    return Prompt(({"role": "user", "content": content},), media=media)


@pytest.mark.parametrize(
    "parts", [(LARGE, "What?"), ("What?", SMALL), (SMALL, LARGE, "and", SMALL)], ids=["1", "2", "3"]
)
def test_images_are_placed_as_mtmd_places_them(seeing: Seeing, parts: tuple[str | bytes]) -> None:
    prompt = chat(*parts)
    # Tokens that end in the middle of a character are not sent: the first ones will do.
    expected = mtmd_reference.answer(seeing.run.loaded, prompt, 8)
    first = seeing.run.ask(prompt, 16)
    assert first.choices[0].tokens[:8] == expected
    seeing.run.ask("Something else, to make room.", 4)
    again = seeing.run.ask(prompt, 16)
    assert again.choices[0].tokens[:8] == expected
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1


def test_usage_counts_rows_and_not_positions(seeing: Seeing) -> None:
    asked = [seeing.run.ask(chat(*parts, "What?"), 1).usage for parts in ((SMALL,), (LARGE,))]
    difference = asked[1].prompt_tokens - asked[0].prompt_tokens
    assert difference == (7 if seeing.eyes is QWEN else 0)


def test_an_image_that_is_read_at_once_has_to_fit_into_a_decode(
    seeing: Seeing, tmp_path: Path
) -> None:
    assert seeing.run.loaded.projector is not None
    projector = seeing.run.loaded.projector
    [clip] = projector.read(chat(LARGE).media[0]).clips
    assert clip.sees_ahead == (seeing.eyes is GEMMA)
    if clip.sees_ahead:
        projector._n_ubatch = clip.rows - 1
        other = chat(png(1, 2, 3, size=20)).media[0]
        with pytest.raises(InvalidArgument, match="n_ubatch is 15"):
            projector.read(other)
        projector._n_ubatch = 64
