"""Which models somebody who may read of all of them is shown: where a token or the policy names
models, those, as in the live state."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import HTTPConnection

from .record import admission_of
from .services import services_of


def sight_of(request: HTTPConnection) -> Callable[[str], bool]:
    """Whether who asks is shown the model of that name."""
    admission, configs = admission_of(request), services_of(request).configs
    return lambda model: admission.allows_model(model, configs)


def check_sight(request: HTTPConnection, model: str) -> None:
    """`PermissionDenied` where it is not shown, whether there is such a model or not."""
    admission_of(request).check_model(model, services_of(request).configs)
