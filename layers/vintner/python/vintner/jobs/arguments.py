"""Reading the arguments of a job: words as ``--name value``, and the JSON in some of them.

A job runner passes arguments of its own beside the job's (Glue: ``--JOB_NAME``, ``--TempDir``, ...). They are in
capitals or camel case; the job's own are in lower case, and an unknown one among those is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from vintner.bitemporal.model import utc
from vintner.errors import VintnerError
from vintner.jobs.errors import JobArgumentError

_OWN: Final = re.compile(r"[a-z][a-z_]*")
_UNITS: Final = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds")


def read_words(words: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """Return the job's own arguments by name.

    Raises
    ------
    JobArgumentError
        One is unknown, given twice, or has no value.

    Examples
    --------
    >>> read_words(["--JOB_NAME", "join", "--spine", "research.spine"], ["spine"])
    {'spine': 'research.spine'}
    """
    names, found = set(known), dict[str, str]()
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        if not name.startswith("--"):
            raise JobArgumentError(argument=words[at], problem="is no name", remedy="write --name value")
        name = name.removeprefix("--")
        if not equals:
            follows = at + 1 < len(words) and not words[at + 1].startswith("--")
            value, at = (words[at + 1], at + 1) if follows else ("", at)
        at += 1
        if name in names:
            if name in found or not value:
                problem = "is given twice" if name in found else "has no value"
                raise JobArgumentError(argument=name, problem=problem, remedy="give it one value")
            found[name] = value
        elif _OWN.fullmatch(name):
            remedy = f"choose from {', '.join(sorted(names))}"
            raise JobArgumentError(argument=name, problem="is unknown", remedy=remedy)
    return found


def needed(arguments: Mapping[str, str], name: str) -> str:
    """Return an argument that has to be there."""
    if name not in arguments:
        raise JobArgumentError(argument=name, problem="is missing", remedy="give it a value")
    return arguments[name]


def read_json(argument: str, text: str) -> Any:
    """Return the JSON in an argument."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise JobArgumentError(argument=argument, problem=f"is no JSON ({error})", remedy="quote it whole") from error


def read_instant(argument: str, text: str) -> datetime:
    """Return a zoned instant from ISO 8601 text."""
    try:
        return utc(datetime.fromisoformat(text), field=argument)
    except (ValueError, VintnerError) as error:
        remedy = "write it as 2024-05-02T20:05:00Z"
        raise JobArgumentError(argument=argument, problem=f"is no instant ({error})", remedy=remedy) from error


def read_span(argument: str, value: Any) -> timedelta:
    """Return a span from an object such as ``{"days": 10, "hours": 2}``."""
    remedy = f'write it as {{"days": 10}}, with units among {", ".join(_UNITS)}'
    numbers = isinstance(value, dict) and all(
        unit in _UNITS and isinstance(count, int) and not isinstance(count, bool) for unit, count in value.items()
    )
    if not numbers or not value:
        raise JobArgumentError(argument=argument, problem=f"has the span {value!r}", remedy=remedy)
    return timedelta(**value)


def read_texts(argument: str, field: str, value: Any) -> tuple[str, ...]:
    """Return a list of texts, at least one."""
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        remedy = 'write it as ["a", "b"]'
        raise JobArgumentError(argument=argument, problem=f"has {field} {value!r}", remedy=remedy)
    return tuple(value)


def read_name(argument: str, text: Any) -> tuple[str, ...]:
    """Return the parts of a table's name: ``database.table``, with a catalog before it or not.

    Examples
    --------
    >>> read_name("output", "research.features")
    ('research', 'features')
    """
    split = tuple(text.split(".")) if isinstance(text, str) else ()
    if len(split) not in (2, 3) or not all(split):
        problem = f"names the table {text!r}"
        raise JobArgumentError(argument=argument, problem=problem, remedy="write database.table")
    return split
