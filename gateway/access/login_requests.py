"""What the browser's login is asked, and the schema of what it answers."""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from kronk.gateway.dialects.fields import first_error, load_object
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, closed, nullable
from kronk.shared.errors import InvalidArgument
from kronk.shared.security.password import LONGEST, check_choice
from kronk.shared.settings import Mode

SESSION = closed(
    {
        "object": {"const": "kronk.session"},
        "mode": {"enum": list(get_args(Mode))},
        "login": TRUTH,
        "user": nullable(
            closed({"subject": nullable(TEXT), "name": nullable(TEXT), "admin": TRUTH, "via": TEXT})
        ),
        "expires": nullable(COUNT),
    }
)
PASSWORD = closed({"object": {"const": "kronk.password"}, "password": nullable(TEXT)})


class LoginBody(BaseModel):
    """The fields of a login."""

    model_config = ConfigDict(strict=True, extra="forbid", title="LoginRequest")

    password: str


class PasswordBody(BaseModel):
    """The fields of a request for another password."""

    model_config = ConfigDict(strict=True, extra="forbid", title="PasswordRequest")

    # Without it a random one is made.
    password: str | None = None


def parse_login(body: bytes) -> str:
    """The password; no error repeats it."""
    try:
        text = LoginBody.model_validate(load_object(body)).password
    except ValidationError as error:
        raise first_error(error) from None
    if len(text) > LONGEST:
        raise InvalidArgument(
            f"Invalid value for 'password': expected at most {LONGEST} characters", param="password"
        )
    return text


def parse_password(body: bytes) -> str | None:
    """The password that is chosen; None for one that is to be made."""
    try:
        text = PasswordBody.model_validate(load_object(body)).password
    except ValidationError as error:
        raise first_error(error) from None
    if text is not None:
        check_choice(text)
    return text
