"""What a route is to those who may or may not use it. Each route names one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from kronk.shared.security.grants import ENDPOINTS

# public: health, pages and the login, which everybody reaches in every mode. discovery: which
# models there are. inference: what models are for; it has an endpoint, which tokens grant by name.
# reading: the state of the server. administration: what changes it, or tells its secrets.
# delegation: what another Kronk asks about its clients.
AccessClass = Literal["public", "discovery", "inference", "reading", "administration", "delegation"]
CLASSES: tuple[AccessClass, ...] = get_args(AccessClass)


@dataclass(frozen=True, slots=True)
class Access:
    """The class of a route, and with inference the endpoint that has to be granted."""

    kind: AccessClass
    endpoint: str | None = None
    # Whether a request counts against the endpoint's limit.
    charged: bool = False
    # Whether a model works for it: then it is one of the requests at once.
    works: bool = False
    # Whether it changes anything: what only asks is no business of the audit log, unless refused.
    changes: bool = True

    def __post_init__(self) -> None:
        assert (self.endpoint is not None) == (self.kind == "inference")
        assert self.endpoint is None or self.endpoint in ENDPOINTS, self.endpoint


PUBLIC = Access("public")
DISCOVERY = Access("discovery")
READING = Access("reading")
ADMINISTRATION = Access("administration")
# What only an administrator may ask, in a body.
ASKING = Access("administration", changes=False)
DELEGATION = Access("delegation")


def inference(endpoint: str, *, charged: bool = True, works: bool | None = None) -> Access:
    """A route of that endpoint. What has no model write, embed or rank anything is not charged:
    counting tokens, stored responses, files. What is charged works, and counting tokens does."""
    return Access("inference", endpoint, charged, charged if works is None else works)


@dataclass(frozen=True, slots=True)
class Gate:
    """A route, as it is decided about."""

    access: Access
    method: str
    # With its parameters by name: `/v1/models/{model:path}`.
    path: str
    # The function behind it, which is what logs call the action.
    name: str = ""
