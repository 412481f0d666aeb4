"""Answers a question about a model's size: looks up the model, the machine and what was measured.

Takes a while where headers are read or fetched: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kronk.shared.errors import NotFound
from kronk.shared.model_config import ModelConfig
from kronk.shared.models import index, planning, spelling
from kronk.shared.settings import Settings

from . import answer, book, grounds, subject
from .estimate import estimate
from .promise import Bytes
from .question import Question
from .room import Ground, Room
from .subject import Subject
from .trial import Expect, as_predicted


def ask(
    settings: Settings,
    configs: Mapping[str, ModelConfig],
    question: Question,
    standing: Sequence[Room] = (),
) -> dict[str, Any]:
    """The answer as JSON. `standing` is the room of the running server, where there is one.

    `NotFound`, `ModelFailed` and `InvalidArgument` say what is wrong with model or question.
    """
    found = find(settings, configs, question)
    expect, measured = known(settings, question, found)
    here = ground(settings, question, standing)
    return answer.to_json(found, estimate(found.spec, found.files, here, expect), measured)


def known(settings: Settings, question: Question, found: Subject) -> tuple[Expect, Bytes | None]:
    """What is expected by what was measured here, and what exactly this load took."""
    if found.identity is None or question.is_imagined:
        return as_predicted, None
    learned = book.learned(settings.base.model_sizes)
    return (
        book.expectation(learned, found.identity),
        book.measured(learned, found.identity, found.spec),
    )


def configured_as(settings: Settings, configs: Mapping[str, ModelConfig], model: str) -> str:
    """The name that the model-config file has for a model, or should have."""
    for entry in index.scan(settings.base.models, configs):
        if entry.id == model:
            names = (entry.id, entry.relative, entry.relative.rpartition("/")[2])
            return next((name for name in names if name in configs), model)
    return model


def find(settings: Settings, configs: Mapping[str, ModelConfig], question: Question) -> Subject:
    """The model that the question is about."""
    if question.path is not None:
        return subject.of_file(settings.base, question.path, question.config)
    if question.is_source or spelling.is_explicit(question.wanted):
        return _elsewhere(settings, configs, question)
    try:
        return subject.on_disk(settings.base, configs, question.wanted, question.config)
    except NotFound:
        if spelling.looks_like_source(question.wanted):
            # Nobody asks the hub because of a variant that is not there.
            raise
        try:
            return _elsewhere(settings, configs, question)
        except NotFound:
            pass
        raise


def _elsewhere(
    settings: Settings, configs: Mapping[str, ModelConfig], question: Question
) -> Subject:
    plan = planning.plan(settings, question.wanted)
    return subject.elsewhere(settings, configs, plan, question.config)


def ground(settings: Settings, question: Question, standing: Sequence[Room] = ()) -> Ground:
    """The machine that the question is about."""
    if question.is_imagined:
        return grounds.imagined(settings, question.memory, question.gpus)
    here = grounds.this_machine(settings)
    return Ground(here.machine, tuple(standing) or here.rooms)


def estimate_for(
    settings: Settings, configs: Mapping[str, ModelConfig], model: str
) -> dict[str, Any]:
    """For the page of one model: what it is expected to take with its own settings, and what it
    took the last time (null where it never ran here). Errors as `ask` has them."""
    found = ask(settings, configs, Question(model))
    return {"estimated": found["predicted"], "measured": found["measured"]}
