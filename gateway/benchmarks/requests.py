"""What clients ask of benchmarks."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from kronk.gateway.dialects.fields import first_error, load_object
from kronk.gateway.dialects.paging import parameter, whole_number
from kronk.gateway.dialects.schemas import TEXT
from kronk.shared.benchmark.plan import PRESETS, Plan, preset
from kronk.shared.benchmark.wires import endpoint
from kronk.shared.errors import InvalidArgument

STANDARD = "standard"
MOST_LISTED, USUAL_LISTED = 200, 50
MOST_COMPARED = 8
# Narrower than a plan's own: who has clicked has not waited for it at a terminal.
MOST_VALUES = 8
MOST_STREAMS = 256
MOST_TOKENS = 8192
MOST_ROUNDS = 100
MOST_REQUESTS = 20_000
_LONGEST_NAME, _LONGEST_URL, _LONGEST_KEY = 512, 2048, 4096
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_PLANNED = ("prompt_sizes", "concurrency", "max_tokens", "shared_prefix", "repetitions", "warm_up")

LIST_QUERY = [
    parameter("model", TEXT, "Only runs of this model."),
    parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUAL_LISTED},
        "How many at most.",
    ),
    parameter("after", TEXT, "The id of the last one of the page before."),
]
RUNS_QUERY = parameter(
    "runs", TEXT, f"2 to {MOST_COMPARED} ids with commas between; the first is compared with."
)


class RunBody(BaseModel):
    """The fields of a request for a run."""

    model_config = ConfigDict(strict=True, extra="forbid", title="BenchmarkRequest")

    model: str
    # What the other fields begin with.
    preset: str | None = None
    prompt_sizes: list[int] | None = None
    concurrency: list[int] | None = None
    max_tokens: int | None = None
    shared_prefix: int | None = None
    repetitions: int | None = None
    warm_up: int | None = None
    seed: str | None = None
    cold: bool | None = None
    # Another server that speaks OpenAI's API, and its key, which is kept nowhere.
    base_url: str | None = None
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run as it is asked for."""

    model: str
    plan: Plan
    preset: str | None
    seed: str | None
    cold: bool
    # Prompts that the model's context has no room for are left out.
    may_leave_out: bool
    # Another server's address without secrets in it, and what to call it.
    url: str | None = None
    host: str | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which runs a list is to have."""

    model: str | None
    limit: int
    after: str | None


def parse_run(body: bytes) -> Wanted:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    try:
        fields = RunBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from error
    _check_text("model", fields.model, _LONGEST_NAME)
    if fields.seed is not None:
        _check_text("seed", fields.seed, _LONGEST_NAME)
    name = STANDARD if fields.preset is None else fields.preset
    plan = _plan(name, fields)
    url, host = _other_server(fields)
    return Wanted(
        fields.model,
        plan,
        name if plan == PRESETS[name] else None,
        fields.seed,
        bool(fields.cold),
        may_leave_out=fields.prompt_sizes is None,
        url=url,
        host=host,
        api_key=fields.api_key,
    )


def parse_listing(query: Mapping[str, str]) -> Listing:
    """`model`, `limit` and `after` of a query."""
    limit = whole_number(query.get("limit", str(USUAL_LISTED)), "limit", 1, MOST_LISTED)
    return Listing(query.get("model") or None, limit, query.get("after"))


def parse_compared(query: Mapping[str, str]) -> list[str]:
    """The ids in `runs`."""
    ids = [word.strip() for word in query.get("runs", "").split(",")]
    if not 2 <= len(ids) <= MOST_COMPARED or not all(ids):
        raise InvalidArgument(
            f"runs: expected 2 to {MOST_COMPARED} ids of runs with commas between, as in "
            "?runs=before,after",
            param="runs",
        )
    if len({*ids}) < len(ids):
        raise InvalidArgument("runs: one of the ids is there twice", param="runs")
    return ids


def presets_object() -> dict[str, Any]:
    """The plans with a name, and the bounds of others."""
    presets = [
        {"name": name, "plan": dataclasses.asdict(plan), "requests": requests_of(plan)}
        for name, plan in PRESETS.items()
    ]
    limits = {
        "values": MOST_VALUES,
        "concurrency": MOST_STREAMS,
        "max_tokens": MOST_TOKENS,
        "rounds": MOST_ROUNDS,
        "requests": MOST_REQUESTS,
        "compared": MOST_COMPARED,
    }
    return {"object": "list", "data": presets, "limits": limits}


def requests_of(plan: Plan) -> int:
    """How many chats a run of it asks for, those that do not count included."""
    rounds = plan.warm_up + plan.repetitions
    return len(plan.prompt_sizes) * sum(plan.concurrency) * rounds


def _plan(name: str, fields: RunBody) -> Plan:
    given = {where: getattr(fields, where) for where in _PLANNED}
    changed: dict[str, Any] = {
        where: tuple(dict.fromkeys(value)) if isinstance(value, list) else value
        for where, value in given.items()
        if value is not None
    }
    plan = dataclasses.replace(preset(name), **changed)
    for where in ("prompt_sizes", "concurrency"):
        _at_most(where, len(getattr(plan, where)), MOST_VALUES, " numbers")
    _at_most("concurrency", max(plan.concurrency), MOST_STREAMS, " at once")
    _at_most("max_tokens", plan.max_tokens, MOST_TOKENS)
    _at_most("repetitions", plan.repetitions, MOST_ROUNDS)
    _at_most("warm_up", plan.warm_up, MOST_ROUNDS)
    _at_most("repetitions", requests_of(plan), MOST_REQUESTS, " requests in all")
    return plan


def _at_most(where: str, value: int, most: int, unit: str = "") -> None:
    if value > most:
        raise InvalidArgument(f"{where}: expected at most {most}{unit}, got {value}", param=where)


def _check_text(where: str, text: str, most: int) -> None:
    if not 0 < len(text) <= most or not text.isprintable():
        raise InvalidArgument(
            f"{where}: expected 1 to {most} characters that can be printed", param=where
        )


def _other_server(fields: RunBody) -> tuple[str | None, str | None]:
    """Where it is, and what it is called."""
    key, url = fields.api_key, fields.base_url
    # A line's end in it would be a header of its own.
    if key is not None and (len(key) > _LONGEST_KEY or _PRINTABLE.fullmatch(key) is None):
        raise InvalidArgument(
            f"api_key: expected 1 to {_LONGEST_KEY} letters, digits and signs without blanks",
            param="api_key",
        )
    if url is None:
        if key is not None:
            raise InvalidArgument(
                "api_key: it is for another server, whose address is to be in base_url",
                param="api_key",
            )
        return None, None
    if len(url) > _LONGEST_URL or _PRINTABLE.fullmatch(url) is None:
        raise InvalidArgument(
            f"base_url: expected a URL of 1 to {_LONGEST_URL} characters", param="base_url"
        )
    where = endpoint(url)
    scheme = "https" if where.tls is not None else "http"
    netloc = urlsplit(url if "://" in url else f"http://{url}").netloc
    return f"{scheme}://{netloc}{where.root}", netloc
