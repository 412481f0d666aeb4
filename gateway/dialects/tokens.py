"""Texts to tokens, tokens to texts, and chats as their template writes them.

The fields are llama-server's and vLLM's: `content` is the one's name of a text and `prompt` the
other's, and each gets the special tokens around it that its own server would put there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema

from kronk.gateway.job import Job, inspect
from kronk.gateway.run import Event
from kronk.shared.errors import Internal, InvalidArgument
from kronk.shared.wire.to_gateway import Done, Inspected
from kronk.shared.wire.to_worker import Detail, Submit
from kronk.shared.wire.values import Prompt

from . import token_ids
from .fields import first_error, load_object
from .generation import ModelName
from .logprobs import readable
from .openai import chat
from .openai.continuing import CONTINUE, GENERATION_PROMPT
from .residency import Span, ttl
from .schemas import Schema

# What a chat request has not, and these routes take beside one.
_ABOUT_PIECES = ("with_pieces", "return_token_strs")


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    model: ModelName
    keep_alive: Span = None
    ttl: Span = None


class Shown(BaseModel):
    """How tokens are shown."""

    model_config = ConfigDict(strict=True, extra="forbid")

    # Each token as an object with its text; llama-server's.
    with_pieces: bool | None = None
    # The texts as a list of their own; vLLM's.
    return_token_strs: bool | None = None


class TokenizeBody(_Body, Shown):
    """The fields of a request about a text."""

    model_config = ConfigDict(title="TokenizeTextRequest")

    content: str | None = None
    prompt: str | None = None
    # Special tokens around the text, BOS above all. Unless said, a `prompt` has them and a
    # `content` has not.
    add_special: bool | None = None
    add_special_tokens: bool | None = None
    # The names of special tokens in the text are those tokens.
    parse_special: bool | None = None


class DetokenizeBody(_Body):
    """The fields of a request about tokens."""

    model_config = ConfigDict(title="DetokenizeRequest")

    tokens: Annotated[Any, WithJsonSchema(token_ids.SCHEMA)]


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """What to look up, and in which form the caller wants the tokens."""

    job: Job
    with_pieces: bool
    with_texts: bool


def parse_tokenize(body: bytes) -> TokenizeRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    given = load_object(body)
    if "messages" in given:
        own = {key: given.pop(key) for key in _ABOUT_PIECES if key in given}
        shown = _read(Shown, own)
        job = _chat(given, _details(shown))
    else:
        fields = _read(TokenizeBody, given)
        shown, job = fields, _text(fields)
    return TokenizeRequest(job, bool(shown.with_pieces), bool(shown.return_token_strs))


def parse_detokenize(body: bytes) -> Job:
    """The same for tokens that are to become a text."""
    fields = _read(DetokenizeBody, load_object(body))
    prompt = Prompt(tokens=token_ids.token_ids(fields.tokens, "tokens"))
    return replace(inspect(fields.model, prompt, wants=("text",)), ttl=ttl(fields))


def parse_template(body: bytes) -> Job:
    """The same for a chat that is to be written out."""
    return _chat(load_object(body), ("text",))


def tokenize_schema() -> Schema:
    """The JSON schema of a request for tokens."""
    about_chat = template_schema()
    about_chat["title"] = "TokenizeChatRequest"
    about_chat["properties"] |= Shown.model_json_schema()["properties"]
    about_text = TokenizeBody.model_json_schema()
    for name in ("content", "prompt"):
        about_text["properties"][name] = {"type": "string"}
    about_text["oneOf"] = [{"required": ["content"]}, {"required": ["prompt"]}]
    return {"anyOf": [about_text, about_chat]}


def template_schema() -> Schema:
    """The JSON schema of a request for a chat's text."""
    about_chat = chat.schema()
    about_chat["title"] = "ApplyTemplateRequest"
    about_chat["properties"][GENERATION_PROMPT] = {
        "anyOf": [{"type": "boolean"}, {"type": "null"}],
        "default": True,
        "description": "Whether what makes the model begin its answer stands at the end.",
    }
    return about_chat


Fields = TypeVar("Fields", bound=BaseModel)


def _read(body: type[Fields], given: dict[str, Any]) -> Fields:
    try:
        return body.model_validate(given)
    except ValidationError as error:
        raise first_error(error) from None


def _details(shown: Shown) -> tuple[Detail, ...]:
    has_pieces = shown.with_pieces or shown.return_token_strs
    return ("tokens", "pieces") if has_pieces else ("tokens",)


def _text(fields: TokenizeBody) -> Job:
    said = [name for name in ("content", "prompt") if getattr(fields, name) is not None]
    if len(said) != 1:
        fault = "only one of them" if said else "one of them"
        raise InvalidArgument(
            f"'content', 'prompt' and 'messages' say what to tokenise: send {fault}",
            param=said[-1] if said else "prompt",
        )
    text = fields.content if fields.prompt is None else fields.prompt
    parse_special = True if fields.parse_special is None else fields.parse_special
    job = inspect(
        fields.model,
        Prompt(text=text, param=said[0]),
        wants=_details(fields),
        add_special=_adds_special(fields),
        parse_special=parse_special,
    )
    return replace(job, ttl=ttl(fields))


def _adds_special(fields: TokenizeBody) -> bool:
    said = {fields.add_special, fields.add_special_tokens} - {None}
    if len(said) > 1:
        raise InvalidArgument(
            "'add_special' and 'add_special_tokens' are two names of the same thing and differ",
            param="add_special_tokens",
        )
    return next(iter(said)) is True if said else fields.prompt is not None


def _chat(given: dict[str, Any], wants: tuple[Detail, ...]) -> Job:
    """For a whole chat request; what it says of how to answer is checked and means nothing."""
    # A chat without a place for its answer cannot be answered, and can be looked at.
    is_closed = given.get(GENERATION_PROMPT) is False and not given.get(CONTINUE)
    if is_closed:
        del given[GENERATION_PROMPT]
    job = chat.parse_object(given).job
    assert isinstance(job.ask, Submit)
    looked_at = inspect(
        job.model,
        job.ask.prompt,
        wants=wants,
        add_generation_prompt=not is_closed,
        answer=job.ask.answer,
    )
    return replace(looked_at, ttl=job.ttl)


class TokensWhole:
    """The answer with the tokens, written part by part as they come: many of them take a second to
    turn into JSON, in which nobody else's stream would move."""

    def __init__(self, request: TokenizeRequest) -> None:
        self._request = request
        self._n_ctx: int | None = None
        self._tokens: list[bytes] = []
        self._texts: list[bytes] = []

    def add(self, event: Event) -> None:
        """Write the tokens of a message."""
        found = _found(event)
        self._n_ctx = found.n_ctx
        tokens: Sequence[Any] = found.tokens
        if self._request.with_pieces:
            pairs = zip(found.tokens, found.pieces, strict=True)
            tokens = [{"id": token, "piece": _piece(piece)} for token, piece in pairs]
        if tokens:
            self._tokens.append(_items(tokens))
            if self._request.with_texts:
                self._texts.append(_items([readable(piece) for piece in found.pieces]))

    def body(self, done: Done) -> bytes:
        """The whole object."""
        if self._n_ctx is None:
            raise _nothing_found()
        texts = b',"token_strs":[%b]' % b",".join(self._texts) if self._request.with_texts else b""
        return b'{"tokens":[%b],"count":%d,"max_model_len":%d%b}' % (
            b",".join(self._tokens),
            done.usage.prompt_tokens,
            self._n_ctx,
            texts,
        )


class _TextFinding:
    """Keeps the text, which comes in one part."""

    def __init__(self) -> None:
        self._text: str | None = None

    def add(self, event: Event) -> None:
        """Take what was found."""
        self._text = _found(event).text

    @property
    def text(self) -> str:
        """What was found, once the request has ended well."""
        if self._text is None:
            raise _nothing_found()
        return self._text


class TextWhole(_TextFinding):
    """The answer with the text of tokens, under the name that each server has for it."""

    def body(self, done: Done) -> dict[str, Any]:
        """The whole object."""
        return {"content": self.text, "prompt": self.text}


class PromptWhole(_TextFinding):
    """The answer with the text of a chat."""

    def body(self, done: Done) -> dict[str, Any]:
        """The whole object."""
        return {"prompt": self.text}


def _found(event: Event) -> Inspected:
    assert isinstance(event, Inspected), event
    return event


def _nothing_found() -> Internal:
    return Internal("the model's process ended an inspection without a finding")


def _items(values: Sequence[Any]) -> bytes:
    """The JSON of an array, without its brackets."""
    return pydantic_core.to_json(values)[1:-1]


def _piece(piece: bytes) -> str | list[int]:
    """A part of a character is no text; llama-server gives its bytes."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)
