"""The SQL files that become Athena's named queries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vintner.errors import VintnerError

_HEAD: Final = re.compile(
    r"\A-- name: (?P<name>[^\n]+)\n-- description: (?P<description>[^\n]+)\n(?P<sql>.+)\Z", re.DOTALL
)


class NamedQueryFormError(VintnerError):
    """A file of named SQL does not begin as it must."""

    template = "{path} must begin with the lines `-- name: ...` and `-- description: ...`, and then have SQL"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedQuery:
    """One named query."""

    name: str
    description: str
    sql: str


def read_named_queries(folder: Path) -> Sequence[NamedQuery]:
    """Read every ``*.sql`` file of a folder, by file name; none if there is no such folder.

    Raises
    ------
    NamedQueryFormError
        If a file lacks its name or description.
    """
    return [_read(path) for path in sorted(folder.glob("*.sql"))]


def _read(path: Path) -> NamedQuery:
    match = _HEAD.match(path.read_text(encoding="utf-8"))
    if match is None or not match["sql"].strip():
        raise NamedQueryFormError(path=path.name)
    return NamedQuery(
        name=match["name"].strip(), description=match["description"].strip(), sql=match["sql"].strip() + "\n"
    )
