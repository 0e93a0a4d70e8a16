"""The routes of the HTTP API: those that the functions describe in their OpenAPI documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from infra import paths
from vintner.errors import VintnerError


class NoRoutesError(VintnerError):
    """A function behind the HTTP API does not describe its routes."""

    template = (
        "functions/{folder} is behind the HTTP API and has no openapi.json with paths; let its operations make one"
    )


@dataclass(frozen=True, slots=True)
class Route:
    """One route: its method in capitals, and its path with parameters in braces."""

    method: str
    path: str


def routes_of(folder: str) -> Sequence[Route]:
    """Return the routes of a function, in the order of its document.

    Raises
    ------
    NoRoutesError
        If it has no document, or one without paths.

    Examples
    --------
    >>> routes_of("features_api")[0]
    Route(method='GET', path='/v1/features/{view}/online')
    """
    document = paths.FUNCTIONS / folder / "openapi.json"
    found = json.loads(document.read_text(encoding="utf-8")).get("paths", {}) if document.is_file() else {}
    if not found:
        raise NoRoutesError(folder=folder)
    return [Route(method.upper(), path) for path, operations in found.items() for method in operations]
