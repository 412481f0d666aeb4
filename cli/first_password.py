"""What the operator needs to get in, told where the server is started: the password of the
browser's login, the first time, and where his token is."""

from __future__ import annotations

import sys

from kronk.shared.paths import BasePath
from kronk.shared.security import password
from kronk.shared.settings import Settings


def make_and_tell(base: BasePath) -> None:
    """Make the password if there is none yet. A terminal shows it, this once; otherwise it is in a
    file, whose name is said until somebody has logged in."""
    is_shown = sys.stdout.isatty()
    made = password.ensure(base.keys, is_shown=is_shown)
    path = password.first_file(base.keys)
    if made is not None and is_shown:
        print(
            f"\nPassword of the browser's login: {made}\n"
            "It is shown this once; `kronk security password reset` makes another one.\n",
            flush=True,
        )
    elif path.exists():
        print(f"The password of the browser's login is in {path} until the first login", flush=True)


def tell_of_token(settings: Settings) -> None:
    """Say where the operator's token is; one who asks another server about tokens has none."""
    if settings.auth_host is None:
        print(f"The operator's token is in {settings.base.admin_token}", flush=True)
