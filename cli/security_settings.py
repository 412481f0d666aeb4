"""`kronk security sec`: the security settings in force."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .columns import aligned
from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .security_desk import desk


def sec(
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the security settings in force: with --local by this shell's environment, which a
    server's flags are not part of."""
    with desk(local, api_host, base_path) as found:
        told = found.security()
    if as_json:
        print(json.dumps(told))
        return
    _, *lines = aligned(("", ""), list(_rows(told)))
    print("\n".join(lines))


def _rows(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "mode", told["mode"]
    if told["auth_host"] is not None:
        yield "tokens are checked by", told["auth_host"]
    yield "issuer", told["issuer"]
    yield "policy", told["policy"]
    if told["policy_problem"] is not None:
        yield "newer policy", f"not in force: {told['policy_problem']}"
    yield "tls", told["tls_cert"] or "off"
    folder = told["keys_folder"]
    yield "keys folder", f"{folder} ({told['keys_folder_fault'] or 'only its owner may look'})"
    yield "operator's token", told["admin_token_fault"] or "good"
    yield "keys", str(told["keys"])
    yield "good tokens", str(told["tokens"])
    yield "revocations", str(told["revocations"])
