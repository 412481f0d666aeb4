"""`kronk security`: who may do what, and who did."""

from __future__ import annotations

import typer

from .security_audit import audit
from .security_keys import key_app
from .security_password import password_app
from .security_policy import policy_app
from .security_settings import sec
from .security_tokens import token_app
from .security_usage import usage

security_app = typer.Typer(
    help="Keys, tokens, passwords, policies, usage, and who administered what.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
security_app.add_typer(key_app, name="key")
security_app.add_typer(token_app, name="token")
security_app.command()(sec)
security_app.add_typer(password_app, name="password")
security_app.add_typer(policy_app, name="policy")
security_app.command()(audit)
security_app.command()(usage)
