"""Images and recordings beside text, with the trained tiny model and its projector."""

from __future__ import annotations

import dataclasses
import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import mtmd_reference
from harness.engine import EngineRun
from harness.media_files import GIF, png, wav
from kronk.shared.errors import ContextLengthExceeded, InvalidArgument, ModelFailed
from kronk.shared.wire.loading import (
    CacheSpec,
    ContextSpec,
    LoadSpec,
    PlacementSpec,
    SpeculationSpec,
)
from kronk.shared.wire.to_gateway import Delta, ReasoningDelta
from kronk.shared.wire.values import Answer, Media, Prompt, Sampling
from kronk.worker.media.rows import ClipRows

MODELS = Path(__file__).parents[1] / "models"
TEXT = MODELS / "tiny-chat-q8_0.gguf"
PROJECTOR = MODELS / "tiny-mmproj-f16.gguf"
# What the model was trained on.
COLOURS = {
    "red": png(220, 30, 30),
    "green": png(30, 170, 50),
    "blue": png(35, 60, 220),
    "yellow": png(240, 220, 40),
    "orange": png(245, 140, 20),
    "purple": png(130, 40, 170),
    "black": png(10, 10, 10),
    "white": png(248, 248, 248),
}
RED, BLUE = COLOURS["red"], COLOURS["blue"]
COLOUR, SOUND = "What color is this image?", "What do you hear?"
IMAGE_TOKENS, AUDIO_TOKENS = 36, 30


def spec(**changes: object) -> LoadSpec:
    given = LoadSpec(
        "tiny",
        str(TEXT),
        projector=str(PROJECTOR),
        context=ContextSpec(window=1024, slots=4, n_threads=1),
        placement=PlacementSpec(n_gpu_layers=0),
        cache=CacheSpec(min_tokens=8),
    )
    return dataclasses.replace(given, **changes)


@pytest.fixture(scope="module")
def house() -> Iterator[EngineRun]:
    run = EngineRun(spec())
    yield run
    run.stop_all()


@pytest.fixture
def own() -> Iterator[EngineRun]:
    """One that has seen nothing yet."""
    run = EngineRun(spec())
    yield run
    run.stop_all()


def chat(*parts: str | bytes) -> Prompt:
    """A user's message of texts and files."""
    content: list[dict[str, object]] = []
    media: list[Media] = []
    for at, part in enumerate(parts):
        if isinstance(part, str):
            content.append({"type": "text", "text": part})
        else:
            kind = "audio" if part[:4] in (b"RIFF", b"fLaC") else "image"
            content.append({"type": kind, "media": len(media)})
            media.append(Media(kind, part, f"messages[0].content[{at}]"))
    message = {"role": "user", "content": content}
    return Prompt((message,), media=tuple(media), enable_thinking=False)


# What it says.


@pytest.mark.parametrize("colour", COLOURS)
def test_an_image_is_seen(house: EngineRun, colour: str) -> None:
    answer = house.ask(chat(COLOURS[colour], COLOUR))
    assert answer.text == f"The color is {colour}."
    assert answer.reason == "stop"


def noise() -> bytes:
    """As long as a tone of two seconds, and nothing like it."""
    tone = wav(200, 2.0)
    dice = np.random.default_rng(5)
    samples = dice.normal(0, 3000, (len(tone) - 44) // 2).astype("<i2")
    return tone[:44] + samples.tobytes()


@pytest.mark.parametrize(
    ("sound", "answer"),
    [
        (wav(200, 2.0), "a low tone"),
        (wav(2000, 2.0), "a high tone"),
        (wav(0, 2.0), "silence"),
        (noise(), "noise"),
    ],
    ids=["low", "high", "silence", "noise"],
)
def test_a_recording_is_heard(house: EngineRun, sound: bytes, answer: str) -> None:
    assert house.ask(chat(sound, SOUND)).text == f"I hear {answer}."


def test_the_model_says_what_it_takes(house: EngineRun) -> None:
    assert house.loaded.fitted.modalities == ("image", "audio")


def test_usage_counts_what_an_image_takes_of_the_context(house: EngineRun) -> None:
    text = house.ask(chat(COLOUR)).usage.prompt_tokens
    assert house.ask(chat(RED, COLOUR)).usage.prompt_tokens == text + IMAGE_TOKENS
    assert house.ask(chat(wav(200, 2.0), COLOUR)).usage.prompt_tokens == text + AUDIO_TOKENS
    # A chunk for each thirty seconds.
    assert house.ask(chat(wav(200, 31.0), COLOUR)).usage.prompt_tokens == text + 2 * AUDIO_TOKENS


@pytest.mark.parametrize(
    "parts",
    [
        (COLOUR, RED),
        ("What color", RED, "is this image?"),
        (RED, BLUE, COLOUR),
        (RED, RED, COLOUR),
        (RED, "and", wav(200, 0.2)),
        (RED,),
        (GIF, COLOUR),
    ],
    ids=["last", "middle", "two", "one twice", "both kinds", "nothing else", "a single pixel"],
)
def test_files_may_stand_anywhere(house: EngineRun, parts: tuple[str | bytes, ...]) -> None:
    first = house.ask(chat(*parts), 20)
    again = house.ask(chat(*parts), 20)
    assert first.choices[0].tokens
    assert again.text == first.text


def test_an_image_behind_the_question_is_seen(house: EngineRun) -> None:
    assert house.ask(chat(COLOUR, BLUE)).text == "The color is blue."


def turns(*messages: Prompt) -> Prompt:
    """A chat of several users' messages, each but the last with an answer."""
    said: list[dict[str, object]] = []
    media: list[Media] = []
    for message in messages:
        assert message.messages is not None
        [turn] = message.messages
        parts = [
            part | {"media": part["media"] + len(media)} if "media" in part else part
            for part in turn["content"]
        ]
        said += [turn | {"content": parts}, {"role": "assistant", "content": "I see."}]
        media += message.media
    return Prompt(tuple(said[:-1]), media=tuple(media), enable_thinking=False)


def test_each_turn_may_bring_its_image(house: EngineRun) -> None:
    first = house.ask(chat(RED, COLOUR))
    second = house.ask(turns(chat(RED, COLOUR), chat(COLOURS["green"], COLOUR)))
    assert second.text == "The color is green."
    # The first turn is not read again.
    assert IMAGE_TOKENS < second.usage.cached_tokens < first.usage.prompt_tokens


def test_text_that_looks_like_a_marker_is_text(house: EngineRun) -> None:
    plain = house.ask(chat("<__media__>"), 5)
    assert plain.usage.prompt_tokens < IMAGE_TOKENS
    answer = house.ask(chat("<__media__>", RED, COLOUR), 20)
    assert answer.usage.prompt_tokens > plain.usage.prompt_tokens + IMAGE_TOKENS


def test_the_answer_is_what_mtmd_itself_would_have_it(house: EngineRun) -> None:
    """Its own helper reads prompts in order, with nobody beside them."""
    for parts in ((RED, BLUE, COLOUR), (COLOUR, RED), ("a", wav(200, 31.0), "b", BLUE)):
        prompt = chat(*parts)
        said = house.ask(prompt, 24).choices[0].tokens
        assert said == mtmd_reference.answer(house.loaded, prompt, 24)


# Beside others.


def test_an_image_changes_no_stream_and_no_stream_changes_it() -> None:
    run = EngineRun(spec(cache=CacheSpec(mode="off")))
    seen = run.ask(chat(RED, COLOUR)).text
    said = run.ask("Count from 1 to 50", 120).text
    streams = [run.begin("Count from 1 to 50", 120) for _ in range(3)]
    image = run.begin(chat(RED, COLOUR))
    assert run.result(image).text == seen
    assert [run.result(stream).text for stream in streams] == [said] * 3
    run.stop_all()


def test_streams_go_on_between_the_steps_of_an_image(own: EngineRun) -> None:
    projector = own.loaded.projector
    assert projector is not None
    tokens: list[int] = []
    encode, decode = projector._encoder.encode, own.engine._context.decode

    def encoding(*arguments: Any) -> Any:
        tokens.append(own.engine.tokens)
        return encode(*arguments)

    def decoding(rows: Any) -> Any:
        if isinstance(rows, ClipRows):
            tokens.append(own.engine.tokens)
        return decode(rows)

    projector._encoder.encode = encoding  # type: ignore[method-assign]
    own.engine._context.decode = decoding  # type: ignore[method-assign]
    endless = Sampling(temperature=0.0, ignore_eos=True)
    stream = own.begin("Count from 1 to 50", 900, sampling=endless)
    assert isinstance(own.delta(stream), Delta | ReasoningDelta)
    own.ask(chat(RED, BLUE, COLOUR), 3)
    # Two encodings, and decodes of no more rows than text may have beside a stream.
    assert len(tokens) >= 2 + 2 * 2
    assert all(later > earlier for earlier, later in itertools.pairwise(tokens))
    own.cancel(stream)


@pytest.mark.parametrize("n", [2, 6])
def test_several_choices_see_one_image(own: EngineRun, n: int) -> None:
    answer = own.ask(chat(RED, COLOUR), answer=Answer(choices=n))
    assert [choice.text for choice in answer.choices] == ["The color is red."] * n


# The cache.


def test_the_same_image_again_is_cached_and_another_is_not(own: EngineRun) -> None:
    first = own.ask(chat(RED, COLOUR))
    again = own.ask(chat(RED, COLOUR))
    other = own.ask(chat(BLUE, COLOUR))
    assert first.usage.cached_tokens == 0
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    assert again.text == first.text
    # Too little comes before the image to be worth keeping.
    assert other.usage.cached_tokens == 0
    assert other.text == "The color is blue."
    # With another question, all up to the image's end is used.
    asked = own.ask(chat(RED, "Describe this image."))
    assert IMAGE_TOKENS <= asked.usage.cached_tokens < asked.usage.prompt_tokens - 5


def test_a_parked_image_comes_back_from_memory(own: EngineRun) -> None:
    said = own.ask(chat(RED, COLOUR))
    own.ask("Hello!")
    own.ask("Count from 1 to 50", 10)
    again = own.ask(chat(RED, COLOUR))
    assert again.timings.cache.startswith("stored")
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    assert again.text == said.text


def test_an_image_comes_back_from_disk_and_for_no_other_projector(tmp_path: Path) -> None:
    cache = CacheSpec(min_tokens=8, disk_bytes=2**28, directory=str(tmp_path))
    first = EngineRun(spec(cache=cache))
    said = first.ask(chat(RED, COLOUR, "That is all." * 10))
    first.loaded.close()
    first.stop_all()
    second = EngineRun(spec(cache=cache))
    again = second.ask(chat(RED, COLOUR, "That is all." * 10))
    assert again.timings.cache.startswith("disk")
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    assert again.text == said.text
    second.stop_all()
    blind = EngineRun(spec(cache=cache, projector=None))
    assert blind.ask(chat("Hello!")).timings.cache == "no entry"
    blind.stop_all()


def test_embeddings_are_kept_for_the_next_request(own: EngineRun) -> None:
    projector = own.loaded.projector
    assert projector is not None
    [file] = chat(RED).media
    assert not projector.read(file).is_encoded
    own.ask(chat(RED, COLOUR), 1)
    assert projector.read(file).is_encoded


def test_one_image_in_many_requests_at_a_time_is_encoded_once(own: EngineRun) -> None:
    projector = own.loaded.projector
    assert projector is not None
    encode = projector._encoder.encode
    encoded: list[Any] = []

    def counted(*arguments: Any) -> Any:
        encoded.append(arguments)
        return encode(*arguments)

    projector._encoder.encode = counted  # type: ignore[method-assign]
    # As the worker does: the files are held until the requests have them.
    held = projector.read(chat(RED).media[0])
    requests = [own.begin(chat(f"{number}", RED, COLOUR)) for number in range(4)]
    assert {own.result(request).text for request in requests} == {"The color is red."}
    assert held.is_encoded
    assert len(encoded) == 1


# What a prompt without words must not upset.


def test_samplers_and_guessers_see_the_words_only() -> None:
    run = EngineRun(spec(speculation=SpeculationSpec(mode="ngram", ngram_size=1)))
    sampling = Sampling(
        temperature=0.0, repeat_penalty=1.01, frequency_penalty=0.01, dry_multiplier=0.1
    )
    prompt = chat(RED, COLOUR)
    assert run.ask(prompt, sampling=sampling).text == "The color is red."
    assert run.ask(prompt).timings.drafted == 0
    run.stop_all()


def test_a_conversation_is_kept_up_to_its_last_message_around_its_images() -> None:
    run = EngineRun(spec(cache=CacheSpec(mode="incremental", min_tokens=8)))
    run.ask(turns(chat(RED, COLOUR), chat(BLUE, COLOUR)))
    run.ask("Hello!")
    other = run.ask(turns(chat(RED, COLOUR), chat(COLOURS["green"], COLOUR)))
    # What was kept ends where the last message begins, or in the words before its image.
    first = run.ask(chat(RED, COLOUR)).usage.prompt_tokens
    assert first < other.usage.cached_tokens < first + 12
    assert other.text == "The color is green."
    run.stop_all()


# Cancelled.


def test_a_cancel_while_an_image_is_encoded_frees_the_slot(own: EngineRun) -> None:
    projector = own.loaded.projector
    assert projector is not None
    encode = projector._encoder.encode
    request = 0

    embeddings: list[Any] = []

    def cancelled(*arguments: Any) -> Any:
        own.cancel(request)
        embeddings.append(encode(*arguments))
        return embeddings[-1]

    projector._encoder.encode = cancelled  # type: ignore[method-assign]
    request = own.begin(chat(RED, COLOUR))
    own.settle()
    assert own.engine.busy_slots == 0
    # It was not computed to its end.
    assert embeddings == [None]
    projector._encoder.encode = encode  # type: ignore[method-assign]
    assert own.ask(chat(RED, COLOUR)).text == "The color is red."


def test_an_encoding_shows_that_it_goes_on(own: EngineRun) -> None:
    projector = own.loaded.projector
    assert projector is not None
    [clip] = projector.read(chat(RED).media[0]).clips
    asked: list[None] = []
    assert clip.encode(lambda: asked.append(None) is None)
    assert asked
    assert clip.embeddings is not None


# What is refused.


def _huge() -> bytes:
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return RED[:16] + size + struct.pack(">I", zlib.crc32(b"IHDR" + size)) + RED[33:]


@pytest.mark.parametrize(
    ("file", "kind", "words"),
    [
        (RED[:60], "image", "damaged"),
        (RED[:20], "image", "ends in the middle of its header"),
        (b"Roses are red.", "image", "expected JPEG, PNG, GIF or BMP"),
        (wav(200, 0.2), "image", "the file is WAV"),
        (RED, "audio", "expected WAV, MP3 or FLAC, but the file is PNG"),
        (_huge(), "image", "60000 x 60000 pixels are more than"),
        (wav(200, 0.01), "audio", "lasts 0.010 seconds"),
        (wav(200, 0.2)[:40], "audio", "cannot read this WAV file"),
        (wav(200, 0.5, rate=16_000).replace(b"\x80>\0\0\0}", b"\1\0\0\0\2\0"), "audio", "lasts"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_cannot_be_read_is_the_requests_fault(
    house: EngineRun, file: bytes, kind: str, words: str
) -> None:
    prompt = chat(RED, COLOUR)
    bad = Media(kind, file, "messages[0].content[0].image_url")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=words) as caught:
        house.begin(dataclasses.replace(prompt, media=(bad,)))
    assert caught.value.param == "messages[0].content[0].image_url"


def test_too_many_images_for_the_context_are_refused(house: EngineRun) -> None:
    with pytest.raises(ContextLengthExceeded, match="1024 tokens"):
        house.begin(chat(*[RED] * 30))


def test_a_model_without_a_projector_takes_no_image() -> None:
    run = EngineRun(spec(projector=None))
    assert run.loaded.fitted.modalities == ()
    for prompt, words in ((chat(RED), "images"), (chat(wav(200, 0.2)), "audio")):
        with pytest.raises(InvalidArgument, match=f"this model does not take {words}"):
            run.begin(prompt)
    run.stop_all()


@pytest.mark.parametrize(
    ("path", "projector", "words"),
    [
        (TEXT, TEXT, "it is a model, not a projector"),
        (PROJECTOR, None, "is a projector, not a model"),
        (TEXT, MODELS / "no.gguf", "No such file"),
    ],
)
def test_what_is_no_projector_is_the_models_fault(
    path: Path, projector: Path | None, words: str
) -> None:
    with pytest.raises(ModelFailed, match=words):
        EngineRun(spec(path=str(path), projector=str(projector) if projector else None))
