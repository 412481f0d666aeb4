"""Vocabularies of every make, masks over them, and endings in few tokens."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness import constrained
from harness.constrained import compiler, schema_grammar
from kronk.shared.wire.values import Constraint
from kronk.worker.constraint.compile import Compiler
from kronk.worker.constraint.matcher import Masks
from kronk.worker.constraint.vocabulary import Vocabulary
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

LOG = LlamaLog()
_UNUSED = 5
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 10}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def padded(counting: Path, path: Path) -> Path:
    """The counting model, with tokens that stand for nothing and a space put before each text."""
    data = bytearray(counting.read_bytes())
    key = b"tokenizer.ggml.add_space_prefix"
    data[data.index(key) + len(key) + 4] = 1
    key = b"tokenizer.ggml.token_type"
    # Value's type, items' type, count.
    at = data.index(key) + len(key) + 16
    (count,) = struct.unpack_from("<Q", data, at - 8)
    for token in range(count - 100, count):
        struct.pack_into("<I", data, at + 4 * token, _UNUSED)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module", params=["bytes", "sentencepiece", "padded"])
def model(
    request: pytest.FixtureRequest, counting: Path, tmp_path_factory: pytest.TempPathFactory
) -> Model:
    paths: dict[str, Callable[[], Path]] = {
        "bytes": lambda: constrained.TINY,
        "sentencepiece": lambda: counting,
        "padded": lambda: padded(counting, tmp_path_factory.mktemp("padded") / "padded.gguf"),
    }
    return Model(paths[request.param](), log=LOG, on_progress=lambda _: None)


def test_a_token_is_the_bytes_that_the_answer_gets_or_no_text(model: Model) -> None:
    vocabulary = Vocabulary(model)
    for token, piece in enumerate(vocabulary.table):
        if token in model.ends or not model.piece(token):
            assert vocabulary.tokenizer.is_special_token(token) or not piece
        elif model.piece(token) != b"\xff":
            assert piece == model.piece(token)


def test_an_ending_is_spelled_in_fewer_tokens_of_the_same_text(model: Model) -> None:
    vocabulary = Vocabulary(model)
    for text in (b" 8 9 10", b'","age":0}', "é 17".encode(), "é 17".encode()[1:]):
        tokens = [vocabulary.bytes[byte] for byte in text]
        spelled = vocabulary.respell(tokens)
        assert vocabulary.text(spelled) == text
        assert len(spelled) <= len(tokens)
    known = [text for text in (b" 8", b'":') if text in vocabulary.table]
    assert known
    for text in known:
        single = vocabulary.table.index(text)
        assert vocabulary.respell([vocabulary.bytes[byte] for byte in text]) == [single]


def test_answers_are_whole_in_every_vocabulary(model: Model) -> None:
    grammar = Compiler(model).compile(Constraint("json_schema", json.dumps(PERSON), "schema"))
    random = np.random.default_rng(7)
    for more in range(0, 30, 4):
        budget = grammar.shortest + more
        matcher, closer = grammar.begin(budget)
        tokens: list[int] = []
        while not matcher.is_complete:
            logits = random.standard_normal(model.n_vocab, np.float32)
            matcher.apply(logits)
            token = int(logits.argmax())
            instead = closer.after(token)
            for chosen in [token] if instead is None else instead:
                matcher.accept(chosen)
                tokens.append(chosen)
            if instead is not None:
                break
        said = json.loads(b"".join(map(model.piece, tokens)))
        assert set(said) == {"name", "age"}
        assert said["age"] >= 10
        assert len([token for token in tokens if token not in model.ends]) <= budget


@pytest.mark.parametrize("size", [1, 31, 32, 33, 100, 2048])
def test_a_mask_leaves_what_is_allowed_and_nothing_else(size: int) -> None:
    random = np.random.default_rng(size)
    masks = Masks(size)
    allowed = random.random(size) < 0.5
    packed = np.packbits(allowed, bitorder="little")
    masks.words.view(np.uint8)[: packed.size] = packed
    before = random.standard_normal(size).astype(np.float32)
    before[::5] = np.inf
    after = before.copy()
    masks.apply(after)
    assert np.array_equal(after, np.where(allowed, before, -np.inf))


def test_an_end_is_allowed_exactly_where_the_grammar_accepts() -> None:
    matcher = compiler().compile(Constraint("regex", "a{2,3}", "regex")).start()
    a = constrained.model().single("a")
    assert a is not None
    for may_end in (False, False, True, True):
        logits = np.zeros(constrained.model().n_vocab, np.float32)
        matcher.apply(logits)
        ends = list(constrained.model().ends)
        assert (matcher.may_end, all(logits[ends] == 0), any(logits[ends] == 0)) == (may_end,) * 3
        assert all(matcher.allows(end) == may_end for end in ends)
        assert matcher.is_complete == (logits[a] == -np.inf)
        if not matcher.is_complete:
            matcher.accept(a)


def test_a_fork_goes_its_own_way() -> None:
    matcher = schema_grammar({"enum": ["ab", "ac"]}).start()
    for text in ('"', "a"):
        matcher.accept(constrained.model().single(text) or 0)
    fork = matcher.fork()
    fork.accept(constrained.model().single("b") or 0)
    assert not fork.allows(constrained.model().single("c") or 0)
    assert matcher.allows(constrained.model().single("c") or 0)


@pytest.mark.parametrize(
    "begun",
    [b"", b"{", b'{"na', b'{"name": "', b'{"name": "a \xf0\x9f', b'{"name": "a\\',
     b'{"name": "a\\u00', b'{"name": "x", ', b'{"name": "x", "age": 1', b'{"name": "x", "age": 12',
     b'{"name":"x","age":12}'],
)  # fmt: skip
def test_an_answer_can_be_closed_from_anywhere(begun: bytes) -> None:
    matcher = schema_grammar(PERSON).start()
    vocabulary = Vocabulary(constrained.model())
    for byte in begun:
        matcher.accept(vocabulary.bytes[byte])
    closing = matcher.closing(100)
    assert closing is not None
    said = json.loads(begun + vocabulary.text(closing))
    assert set(said) == {"name", "age"}
    assert said["age"] >= 10
    assert matcher.closing(len(closing)) == closing
    assert not closing or matcher.closing(len(closing) - 1) is None


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (b'{"name":"x","age":12}', True),
        (b'{"name": "x", "age": 12}', True),
        (b'{\n  "name": "x",\n  "age": 12\n}', True),
        (b'{\n\t"name" : "x",\n\t"age" : 12\n}', True),
        (b'{  "name":"x","age":12}', False),
        (b'{\n\n"name":"x","age":12}', False),
        (b'{"name":"x", \n"age":12}', False),
        (b'{"name":"x","age":12' + b"\n" + b" " * 41 + b"}", False),
        (b' {"name":"x","age":12}', False),
        (b'{"name":"x","age":12} ', False),
    ],
)
def test_white_space_cannot_go_on_for_ever(text: bytes, accepted: bool) -> None:
    matcher = schema_grammar(PERSON).start()
    vocabulary = Vocabulary(constrained.model())
    assert matcher.ends_with([vocabulary.bytes[byte] for byte in text]) == accepted
