"""Which settings are proposed for a model on a machine, and how they get into a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st
from typer.testing import CliRunner

from harness.tiny_variants import TINY
from kronk.cli.main import app
from kronk.shared import exits
from kronk.shared.config.edit import CannotEdit, snippet, with_settings
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import load_file, parse, parse_file
from kronk.shared.sizing.autotune import Proposal, Wanted, autotune
from kronk.shared.sizing.facts import Layer, ModelFacts, ModelFiles
from kronk.shared.sizing.placing import Gpu
from kronk.shared.sizing.predict import Machine
from kronk.shared.sizing.room import Ground, Room
from kronk.shared.sizing.shape import Host
from kronk.shared.sizing.trial import Trial
from kronk.shared.sizing.tuning import values_of

MIB, GIB = 2**20, 2**30

# A gigabyte of weights, and 128 KiB of keys and values for each token: 4 GiB for 32,768 tokens.
MODEL = ModelFacts(
    architecture="llama",
    layers=(Layer(keys=1024, values=1024, dense_bytes=32 * MIB),) * 32,
    file_bytes=GIB,
    input_bytes=0,
    output_bytes=0,
    matrix_bytes=(),
    vocabulary=32_000,
    width=2048,
    heads=16,
    hidden=4096,
    trained=131_072,
)
SMALL = dataclasses.replace(MODEL, trained=4096)
EXPERTS = dataclasses.replace(
    MODEL,
    layers=(Layer(keys=1024, values=1024, dense_bytes=8 * MIB, expert_bytes=24 * MIB),) * 32,
    experts=8,
    experts_used=2,
)
RECURRENT = dataclasses.replace(MODEL, layers=(Layer(states=2**20, dense_bytes=32 * MIB),) * 32)


ANYTHING = Wanted()


def ground(host: float, *gpus: float) -> Ground:
    cards = tuple(Gpu(f"gpu{at}", int(size * GIB)) for at, size in enumerate(gpus))
    machine = Machine(Host(4, 64 * GIB, has_gpu=bool(cards)), cards)
    rooms = [Room("host", int(host * GIB), int(host * GIB))]
    rooms += [Room(card.name, card.total_bytes, card.total_bytes) for card in cards]
    return Ground(machine, tuple(rooms))


def tuned(model: ModelFacts, here: Ground, wanted: Wanted = ANYTHING, **keys: Any) -> Proposal:
    spec = load_spec("m", Path("/m.gguf"), parse({"prefix_cache": False, **keys}, "test"))
    return autotune(spec, Trial(ModelFiles(model), here), wanted)


def told(model: ModelFacts, here: Ground, wanted: Wanted = ANYTHING, **keys: Any) -> dict[str, Any]:
    return values_of(tuned(model, here, wanted, **keys))


# Context, slots, cache type, rows at a time.
POLICY = [
    pytest.param(MODEL, 32, {}, (32768, 4, "f16", 512), id="room for all"),
    pytest.param(MODEL, 10, {}, (32768, 2, "f16", 512), id="fewer slots before a smaller cache"),
    pytest.param(MODEL, 5.4, {}, (32768, 1, "f16", 512), id="one slot of full quality"),
    pytest.param(MODEL, 5.14, {}, (32768, 1, "f16", 256), id="slower prompts before that"),
    pytest.param(MODEL, 4, {}, (32768, 1, "q8_0", 512), id="a smaller cache before less context"),
    pytest.param(MODEL, 2, {}, (13824, 1, "q8_0", 128), id="less context in the end"),
    pytest.param(SMALL, 32, {}, (4096, 4, "f16", 512), id="no more than it was trained for"),
    pytest.param(MODEL, 32, {"slots": 8}, (32768, 8, "q8_0", 512), id="slots that are wanted"),
    pytest.param(MODEL, 32, {"context": 65536}, (65536, 3, "f16", 512), id="a wanted context"),
]


@pytest.mark.parametrize(("model", "host", "wanted", "expected"), POLICY)
def test_what_matters_most_is_kept_longest(
    model: ModelFacts, host: float, wanted: dict[str, int], expected: tuple[Any, ...]
) -> None:
    got = told(model, ground(host), Wanted(**wanted))
    keys = ("context_window", "n_seq_max", "cache_type_k", "n_ubatch")
    assert tuple(got[key] for key in keys) == expected


@pytest.mark.parametrize(
    ("model", "gpu", "expected"),
    [
        pytest.param(MODEL, 24, {"n_gpu_layers": "all"}, id="all of it"),
        pytest.param(MODEL, 3, {"n_gpu_layers": "all"}, id="all with less context"),
        pytest.param(MODEL, 1, {"n_gpu_layers": 21}, id="some layers"),
        pytest.param(EXPERTS, 1.2, {"n_gpu_layers": "all", "n_cpu_moe": 15}, id="experts first"),
        pytest.param(MODEL, 0.01, {"n_gpu_layers": "none"}, id="nothing"),
    ],
)
def test_layers_leave_the_gpu_only_where_nothing_useful_fits_there(
    model: ModelFacts, gpu: float, expected: dict[str, Any]
) -> None:
    got = told(model, ground(64, gpu))
    assert {key: got.get(key) for key in expected} == expected


def test_a_cache_type_is_proposed_where_it_makes_a_difference() -> None:
    assert "cache_type_k" not in told(RECURRENT, ground(32))
    assert "cache_type_k" not in told(MODEL, ground(2.6), flash_attention="disabled")


def test_a_cache_type_that_must_not_change_stays() -> None:
    got = tuned(MODEL, ground(2.6), flash_attention="disabled", cache_type_k="q8_0")
    assert got.spec.context.cache_type_k == "q8_0"


def test_a_model_that_embeds_takes_many_texts_at_a_time() -> None:
    layers = (Layer(dense_bytes=32 * MIB),) * 12
    encoder = dataclasses.replace(MODEL, layers=layers, pools=True, causal=False, trained=512)
    assert told(encoder, ground(32)) == {"context_window": 512, "n_seq_max": 32, "n_ubatch": 512}


def test_cached_prefixes_keep_their_room_where_that_is_possible() -> None:
    small = told(MODEL, ground(8), cache_ram="1GiB", prefix_cache=True)
    large = told(MODEL, ground(8))
    assert (small["n_seq_max"], large["n_seq_max"]) == (1, 1)
    assert tuned(MODEL, ground(5.4), cache_ram="4GiB", prefix_cache=True).fits


def test_where_nothing_fits_that_is_said() -> None:
    assert not tuned(MODEL, ground(1)).fits


@configured(max_examples=40)
@given(
    host=st.floats(0.1, 40),
    gpu=st.none() | st.floats(0.1, 40),
    model=st.sampled_from([MODEL, SMALL, EXPERTS, RECURRENT]),
    slots=st.none() | st.integers(1, 64),
    context=st.none() | st.integers(256, 131_072),
)
def test_whatever_is_proposed_fits(
    host: float, gpu: float | None, model: ModelFacts, slots: int | None, context: int | None
) -> None:
    here = ground(host, *([] if gpu is None else [gpu]))
    got = tuned(model, here, Wanted(context, slots))
    assert Trial(ModelFiles(model), here).fits(got.spec) == got.fits
    if got.fits:
        # What is written into a file is what was tried.
        spec = load_spec(
            "m", Path("/m.gguf"), parse({"prefix_cache": False, **values_of(got)}, "test")
        )
        assert spec == got.spec


# Into a file.

FILE = Path("/etc/models.yaml")
NEW = {"context_window": 4096, "n_seq_max": 2, "cache_type_k": "q8_0"}
EDITS = [
    pytest.param("", "models:\n  M:\n    context_window: 4096\n", id="an empty file"),
    pytest.param("# mine\n", "# mine\nmodels:\n  M:\n", id="a comment alone"),
    pytest.param(
        "models:\n  A: {n_seq_max: 1}  # one\n\n# end\n",
        "models:\n  A: {n_seq_max: 1}  # one\n  M:\n    context_window: 4096\n",
        id="behind the last model",
    ),
    pytest.param(
        "models:\n    A:\n        pin: true\n",
        "        pin: true\n    M:\n      context_window: 4096\n",
        id="as far to the right as the others",
    ),
    pytest.param(
        "models:\n  M:\n    n-seq-max: 8  # many\n    pin: true\n",
        "  M:\n    context_window: 4096\n    cache_type_k: q8_0\n    n-seq-max: 2  # many\n",
        id="in its place, as it was spelt",
    ),
    pytest.param("models:\n  M:\n  A:\n    pin: true\n", "  M:\n    context", id="said nothing"),
    pytest.param(
        "x-all: &all\n  n_seq_max: 9\nmodels:\n  M:\n    <<: *all\n  B: *all\n",
        "    cache_type_k: q8_0\n    <<: *all\n  B: *all\n",
        id="beside what it merges",
    ),
    pytest.param("models:\n  M:\n    pin: true", "    pin: true\n", id="without a last line's end"),
]


@pytest.mark.parametrize(("text", "part"), EDITS)
def test_settings_are_put_into_a_file_that_keeps_all_else(text: str, part: str) -> None:
    new = with_settings(text, FILE, "M", NEW)
    assert part in new
    config = parse_file(new, FILE)["M"]
    assert (config.context_window, config.n_seq_max, config.cache_type_k) == (4096, 2, "q8_0")
    for line in text.splitlines():
        assert line in new or "n-seq-max" in line


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("models: {M: {n_seq_max: 1}}\n", "not written as a map of lines"),
        ("models:\n  M: {n_seq_max: 1}\n", "M is not written as a map of lines"),
        ("models:\n", "there and empty"),
        ("models:\n  A: &a\n    pin: true\n  M: *a\n", "alias"),
        ("models:\n  M: &m\n    n_seq_max: 1\n  B:\n    <<: *m\n", "other models would change"),
        ("models:\n  M:\n    n_seq_max: >\n      1\n", "n_seq_max"),
        ("models: [\n", "not YAML"),
        ("models:\n  M:\n    nonsense: 1\n", "no such key"),
        ("- a\n- b\n", "the file is not written as a map"),
    ],
)
def test_a_file_that_cannot_be_edited_safely_is_left(text: str, why: str) -> None:
    with pytest.raises(CannotEdit, match=why):
        with_settings(text, FILE, "M", NEW)


names = st.text("abcXYZ019-_./ :#'\"ä", min_size=1, max_size=12)


@configured(max_examples=40)
@given(models=st.dictionaries(names, st.integers(1, 9), max_size=4), model=names)
def test_whatever_a_model_is_called_it_is_found_again(models: dict[str, int], model: str) -> None:
    document = {"models": {name: {"n_seq_max": count} for name, count in models.items()}}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True) if models else ""
    found = parse_file(with_settings(text, FILE, model, NEW), FILE)
    assert found[model].context_window == 4096
    assert {name: found[name].n_seq_max for name in models if name != model} == {
        name: count for name, count in models.items() if name != model
    }
    assert parse_file(snippet(model, NEW), FILE)[model].n_seq_max == 2


# The command.


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models" / "o"
    folder.mkdir(parents=True)
    (folder / "Tiny.gguf").symlink_to(TINY)
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["model", "autotune", *words])


def test_the_proposal_is_told_with_reasons_and_as_yaml(base: Path) -> None:
    got = run("Tiny", "--local", "--base-path", str(base), "--slots-wanted", "2")
    assert got.exit_code == 0, got.output
    assert "all that the model was trained for" in got.output
    assert "models:\n  Tiny:\n    context_window: 8192\n    n_seq_max: 2\n" in got.output
    answer = json.loads(run("Tiny", "--local", "--base-path", str(base), "--json").output)
    assert answer["settings"]["n_seq_max"] == 4
    assert answer["estimate"]["verdict"] == "fits"


def test_it_is_written_into_the_file_where_one_is_wanted(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("Tiny", "--local", "--base-path", str(base), "--apply")
    refused = run(*words)
    assert "no model-config file" in str(refused.exception)
    file = base / "models.yaml"
    file.write_text("models:\n  # mine\n  Tiny:\n    n_seq_max: 9  # too many\n")
    file.chmod(0o600)
    monkeypatch.setenv("KRONK_CATALOG_MODEL_CONFIG_FILE", str(file))
    got = run(*words)
    assert got.exit_code == 0, got.output
    assert "kronk server reload" in got.stderr
    assert "# mine" in file.read_text()
    assert "n_seq_max: 4  # too many" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_file(file)["Tiny"].context_window == 8192


def test_the_ends_of_lines_stay_those_of_windows(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = base / "models.yaml"
    file.write_bytes(b"models:\r\n  Tiny: # mine\r\n    n_seq_max: 9\r\n")
    monkeypatch.setenv("KRONK_CATALOG_MODEL_CONFIG_FILE", str(file))
    assert run("Tiny", "--local", "--base-path", str(base), "--apply").exit_code == 0
    text = file.read_bytes()
    assert b"Tiny: # mine\r\n" in text
    assert text.count(b"\n") == text.count(b"\r\n") > 3


def test_a_machine_that_is_too_small_has_a_code_of_its_own(base: Path) -> None:
    got = run("Tiny", "--local", "--base-path", str(base), "--memory", "260MiB")
    assert got.exit_code == exits.NO_MEMORY
    assert "does not fit" in got.output
