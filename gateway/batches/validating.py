"""Looks at all of a batch's input before any of it runs."""

from __future__ import annotations

import threading
from typing import BinaryIO

from kronk.gateway.access.admission import allows_model
from kronk.gateway.access.discretion import discreet
from kronk.gateway.services import Services
from kronk.shared.errors import ModelFailed, NotFound
from kronk.shared.models import index
from kronk.shared.security.identity import Identity

from . import lines
from .files import Files, no_such_file
from .lines import Validation
from .makers import identity_of
from .records import Batch, Fault


def validate(services: Services, batch: Batch, over: threading.Event) -> Validation:
    """What is in the input, and what is wrong with it. For a thread; ends early once `over`."""
    validation = Validation(batch.endpoint)
    try:
        with open_input(services.files, batch) as file:
            _look_at_all(file, validation, over)
    except NotFound as error:
        validation.faults.append(input_gone(error))
    # Whether there is a model is not told to who may not use it; its lines will be refused.
    identity = identity_of(batch.made_by, is_open=services.access.mode == "open")
    is_told = not identity.is_limited or allows_model(
        identity, validation.model or "", services.configs
    )
    if validation.model is not None and not validation.faults and is_told:
        validation.faults += _model_faults(services, validation.model, identity)
    return validation


def open_input(files: Files, batch: Batch) -> BinaryIO:
    """The input; `NotFound` when it was deleted."""
    # Whether its maker may see it was asked when the batch was made.
    if files.known(batch.input_file, batch.created_at) is None:
        raise no_such_file(batch.input_file)
    return files.open(batch.input_file)


def input_gone(error: NotFound) -> Fault:
    """The fault of a batch whose input was deleted."""
    return Fault("input_file_not_found", error.message, param="input_file_id")


def _look_at_all(file: BinaryIO, validation: Validation, over: threading.Event) -> None:
    for number, raw in lines.paced(lines.read(file)):
        if over.is_set() or not validation.look(number, raw):
            return
    validation.end()


def _model_faults(services: Services, model: str, by: Identity) -> list[Fault]:
    try:
        index.pick(index.scan(services.base.models, services.configs), model, services.configs)
    except NotFound as error:
        told = discreet(error, by, model).message
        return [Fault("model_not_found", told, param="body.model")]
    except ModelFailed as error:
        return [Fault(error.code, error.message, param="body.model")]
    return []
