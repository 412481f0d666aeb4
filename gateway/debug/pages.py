"""Pages of the debug server; nothing in them comes from elsewhere."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterable
from importlib import resources
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from kronk.gateway.edge.headers import policy_of

from .targets import Target

_ROW = """<tr><td>{name}</td><td>{role}</td><td>{pid}</td><td>
<a href="/debug/stacks?process={of}">stacks</a>
<a href="/debug/pprof/profile?seconds=10&amp;process={of}">profile, 10 s</a>
<a href="/debug/pprof/heap?seconds=5&amp;process={of}">heap, 5 s</a>
<a href="/debug/pprof/trace?seconds=2&amp;process={of}">trace, 2 s</a></td></tr>"""


def page(name: str) -> Response:
    """One that stands in a file."""
    text, policy = _file(name)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}
    return HTMLResponse(text, headers=headers)


def index(targets: Iterable[Target]) -> Response:
    """What there is to see of these processes."""
    text, policy = _file("debug.html")
    rows = "\n".join(
        _ROW.format(
            name=html.escape(one.name),
            role=html.escape(one.role + (f" on {one.host}" if one.host else "")),
            pid=one.pid or "-",
            of=html.escape(quote(one.name if one.generation is not None else str(one.pid))),
        )
        for one in targets
    )
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}
    return HTMLResponse(text.replace("<!--processes-->", rows), headers=headers)


@functools.cache
def _file(name: str) -> tuple[str, str]:
    text = resources.files("kronk.web").joinpath(name).read_text("utf-8")
    return text, policy_of(text)
