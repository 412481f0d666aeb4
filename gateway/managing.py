"""What an operator asks of a model over HTTP, and the words it is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_gateway import Managed
from kronk.shared.wire.to_supervisor import ManageAction

from .dialects.fields import first_error, load_object
from .dialects.residency import Span, ttl
from .standing import Standing


class LoadBody(BaseModel):
    """The fields of a request to load a model; there need be none."""

    model_config = ConfigDict(strict=True, extra="forbid", title="LoadModelRequest")

    ttl: Span = None
    keep_alive: Span = None
    pin: bool | None = None
    # Answer when it is loaded, not when the load has begun.
    wait: bool | None = None
    # Events of its progress.
    stream: bool | None = None


class UnloadBody(BaseModel):
    """The fields of a request to unload a model; there need be none."""

    model_config = ConfigDict(strict=True, extra="forbid", title="UnloadModelRequest")

    # Do not wait for its requests: they end with an error.
    force: bool | None = None


class NoBody(BaseModel):
    """No fields."""

    model_config = ConfigDict(strict=True, extra="forbid", title="ManageModelRequest")


@dataclass(frozen=True, slots=True)
class Load:
    """A load as it is wanted."""

    # Seconds it may be unused afterwards, infinity for ever; None as it is configured.
    ttl: float | None
    pin: bool
    wait: bool
    stream: bool


def parse_load(body: bytes) -> Load:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    fields = _read(LoadBody, body)
    span = ttl(fields)
    if span == 0:
        param = "ttl" if fields.ttl is not None else "keep_alive"
        raise InvalidArgument(
            f"'{param}' of 0 would unload the model at once: that is what .../unload is for",
            param=param,
        )
    if fields.stream and fields.wait is False:
        raise InvalidArgument("'wait' of false leaves nothing to stream", param="wait")
    return Load(span, bool(fields.pin), fields.wait is not False, bool(fields.stream))


def parse_unload(body: bytes) -> bool:
    """Whether to force it."""
    return bool(_read(UnloadBody, body).force)


def parse_nothing(body: bytes) -> None:
    """A body without fields, or none."""
    _read(NoBody, body)


def _read(kind: Any, body: bytes) -> Any:
    try:
        return kind.model_validate(load_object(body) if body.strip() else {})
    except ValidationError as error:
        raise first_error(error) from error


def managed_object(model: str, action: ManageAction, managed: Managed) -> dict[str, Any]:
    """The answer to what was done at once."""
    return {
        "object": "model.managed",
        "model": model,
        "action": action,
        "before": managed.before,
        "state": managed.state,
        "message": words(model, action, managed),
    }


def progress_object(model: str, standing: Standing) -> dict[str, Any]:
    """An event of a load that is waited for."""
    seen = standing.seen
    return {
        "object": "model.load.progress",
        "model": model,
        "state": seen.state,
        "phase": seen.phase,
        "fraction": seen.fraction,
        "eta": seen.eta,
        "retry_in": seen.retry_in,
    }


def loaded_object(model: str, seconds: float, pinned: bool) -> dict[str, Any]:
    """The answer when it is loaded."""
    return {
        "object": "model.loaded",
        "model": model,
        "state": "ready",
        "pinned": pinned,
        "seconds": round(seconds, 3),
        "message": f"{model} is loaded{' and pinned' if pinned else ''}",
    }


def words(model: str, action: ManageAction, managed: Managed) -> str:
    """What was done, for people."""
    is_loaded = managed.state in ("ready", "loading")
    match action:
        case "load" if managed.state == "ready":
            return f"{model} is loaded"
        case "load":
            return f"{model} will be loaded: it is {managed.state} now"
        case "unload":
            return _unloaded(model, managed.before)
        case "pin":
            stays = "it stays loaded" if is_loaded else "once loaded it stays,"
            return f"{model} is pinned: {stays} until it is unpinned or the server stops"
        case "unpin":
            return f"{model} is not pinned: it leaves when it is unused, or makes room"
        case "reset":
            return f"the failures of {model} are forgotten: it is tried when it is next wanted"


def _unloaded(model: str, before: str) -> str:
    match before:
        case "absent":
            return f"{model} was not loaded"
        case "backoff" | "failed":
            return f"{model} was not loaded; it is tried again when it is next wanted"
        case "loading":
            return f"the load of {model} was stopped"
        case _:
            return f"{model} is unloaded"
