"""`kronk security`: who may do what, and who did."""

from __future__ import annotations

import typer

from .security_audit import audit
from .security_password import password_app
from .security_policy import policy_app
from .security_usage import usage

security_app = typer.Typer(
    help="Passwords, policies, usage, and who administered what.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
security_app.add_typer(password_app, name="password")
security_app.add_typer(policy_app, name="policy")
security_app.command()(audit)
security_app.command()(usage)
