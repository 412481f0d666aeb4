"""What clients ask of jobs, and the schema of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kronk.gateway.dialects.fields import first_error, load_object
from kronk.gateway.dialects.paging import parameter
from kronk.gateway.dialects.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TRUTH,
    Schema,
    closed,
    nullable,
)
from kronk.shared.errors import InvalidArgument
from kronk.shared.jobs.kinds import KINDS, Kind, kind_of

from .records import State

_STATES = [state.value for state in State]
_FIELDS: dict[str, Schema] = {
    "object": {"const": "kronk.job"},
    "id": TEXT,
    "kind": TEXT,
    "title": TEXT,
    "params": {"type": "object"},
    "state": {"enum": _STATES},
    "phase": nullable(TEXT),
    "done_bytes": COUNT,
    "total_bytes": nullable(COUNT),
    "rate": nullable(NUMBER),
    "eta": nullable(NUMBER),
    "created": NUMBER,
    "started": nullable(NUMBER),
    "ended": nullable(NUMBER),
    "attempts": COUNT,
    "retry_at": nullable(NUMBER),
    "error": nullable(closed({"code": TEXT, "message": TEXT})),
    "result": nullable({"type": "object"}),
}
JOB = closed(_FIELDS)
CREATED = closed({**_FIELDS, "joined": TRUTH})
DELETED = closed({"id": TEXT, "object": {"const": "kronk.job"}, "deleted": {"const": True}})
STATE_QUERY = parameter("state", TEXT, f"Only those: of {', '.join(_STATES)}, with commas between.")


class JobBody(BaseModel):
    """The fields of a request for a job."""

    model_config = ConfigDict(strict=True, extra="forbid", title="JobRequest")

    kind: str
    params: dict[str, Any] = Field(default_factory=dict)


def body_schema() -> Schema:
    """Of a request, one form for each kind."""
    forms = []
    for kind in KINDS.values():
        form = closed({"kind": {"const": kind.name}, "params": kind.schema()})
        if not kind.schema()["required"]:
            form["required"] = ["kind"]
        forms.append(form)
    return {"title": "JobRequest", "anyOf": forms}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job as it is asked for."""

    kind: Kind
    params: dict[str, Any]


def parse_job(body: bytes) -> Wanted:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    try:
        fields = JobBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from error
    kind = kind_of(fields.kind)
    kind.validate(fields.params)
    return Wanted(kind, fields.params)


def parse_states(query: Mapping[str, str]) -> frozenset[State]:
    """The states that a list is to have; all of them where nothing is said."""
    if "state" not in query:
        return frozenset(State)
    words = query["state"].split(",")
    for word in words:
        if word not in _STATES:
            raise InvalidArgument(
                f"Invalid value for 'state': expected some of {', '.join(_STATES)}, got "
                f"{word[:40]!r}",
                param="state",
            )
    return frozenset(map(State, words))
