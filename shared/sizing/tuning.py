"""Answers which settings are good for a model on a machine, as JSON and as YAML to paste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kronk.shared.config.edit import snippet
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import ModelConfig
from kronk.shared.settings import Settings

from . import answer, ask, question
from .autotune import MOST_WANTED, Proposal, Wanted, autotune
from .estimate import estimate
from .question import Question
from .room import Room
from .trial import MOST_SLOTS, Trial


def read(body: Mapping[str, Any]) -> tuple[Question, Wanted]:
    """The question of a JSON body; `InvalidArgument` names the field."""
    left = {key: value for key, value in body.items() if key not in ("context", "slots")}
    wanted = Wanted(
        _number(body, "context", 256, MOST_WANTED), _number(body, "slots", 1, MOST_SLOTS)
    )
    return question.read(left), wanted


def tune(
    settings: Settings,
    configs: Mapping[str, ModelConfig],
    asked: Question,
    wanted: Wanted,
    standing: Sequence[Room] = (),
) -> dict[str, Any]:
    """The proposal as JSON: settings with reasons, YAML, and the estimate of a load with them.
    `ask.ask` has the errors. Nothing is changed."""
    found = ask.find(settings, configs, asked)
    ground = ask.ground(settings, asked, standing)
    expect, _ = ask.known(settings, asked, found)
    proposal = autotune(found.spec, Trial(found.files, ground, expect), wanted)
    values = values_of(proposal)
    key = ask.configured_as(settings, configs, found.id)
    file = settings.config_file
    return {
        "object": "autotune",
        "model": found.id,
        "fits": proposal.fits,
        "settings": values,
        "choices": [asdict(choice) for choice in proposal.choices],
        "configured_as": key,
        "model_config_file": str(file) if file is not None else None,
        "yaml": snippet(key, values) if proposal.fits else "",
        "estimate": answer.to_json(
            found, estimate(proposal.spec, found.files, ground, expect), None
        ),
    }


def values_of(proposal: Proposal) -> dict[str, Any]:
    """By key of the model configuration."""
    return {choice.key: choice.value for choice in proposal.choices}


def _number(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        raise InvalidArgument(
            f"{name}: expected a whole number from {least} to {most}, got {value!r}", param=name
        )
    return value
