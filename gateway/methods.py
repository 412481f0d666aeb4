"""Which methods a path takes: of routes with one path, each knows but its own."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, Route


def allowed_methods(routes: Iterable[BaseRoute], path: str) -> list[str]:
    """All methods that some route takes at this path, in the alphabet's order."""
    found = {
        method
        for route in routes
        if isinstance(route, Route) and route.path_regex.match(path)
        for method in route.methods or ()
    }
    # Answered as GET.
    return sorted(found | {"HEAD"} if "GET" in found else found)
