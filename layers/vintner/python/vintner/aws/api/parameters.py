"""Reading the parameters of a request: everything that is wrong is said about one named parameter.

A query or a body is checked by a pydantic model that derives from :class:`Parameters`. What the models share is
stricter than their framework by default: no unknown names, no repeats, no instant without a zone, no number
that passes for a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar, get_origin
from urllib.parse import parse_qs

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from vintner.aws.api.problems import ParameterError, TooLargeError
from vintner.bitemporal.model import utc

_RULE: Final = "rule"
_TOO_LARGE: Final = "too_large"
_EXAMPLE: Final = "2024-05-02T20:05:00Z"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Parameters(BaseModel):
    """The parameters of a request, frozen; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=False)


Model = TypeVar("Model", bound=Parameters)


def broken_rule(rule: str, remedy: str, *, parameter: str = "", too_large: bool = False) -> PydanticCustomError:
    """Return the error a validator raises: what is wrong, what to do, and of which parameter if not its own.

    Examples
    --------
    >>> broken_rule("is before from", "swap them", parameter="to").context
    {'rule': 'is before from', 'remedy': 'swap them', 'parameter': 'to'}
    """
    context = {"rule": rule, "remedy": remedy} | ({"parameter": parameter} if parameter else {})
    return PydanticCustomError(_TOO_LARGE if too_large else _RULE, "{rule}", context)


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise broken_rule("is not text", f"give an ISO 8601 instant such as {_EXAMPLE}")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        hint = "; in a query write + as %2B" if " " in value else ""
        raise broken_rule(f"is {value!r}, not an instant", f"give ISO 8601, such as {_EXAMPLE}{hint}") from None
    if instant.tzinfo is None:
        raise broken_rule(f"is {value!r}, which has no time zone", f"give an offset, such as {_EXAMPLE}")
    try:
        return utc(instant)
    except OverflowError:
        raise broken_rule(f"is {value!r}, outside the years 1 to 9999 in UTC", "give a time inside them") from None


Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An instant as ISO 8601 text with an offset, in UTC after parsing."""

Entity = Annotated[str, Field(min_length=1, max_length=256, strict=True)]
"""The name of an entity."""


def _revision(value: object) -> str | int | datetime:
    if not isinstance(value, str) or not value:
        raise broken_rule("is not text", "give a tag, the number of a snapshot, or an ISO 8601 instant")
    if value.isdecimal():
        return int(value)
    return _instant(value) if _DAY.match(value) else value


def _revisions(value: object) -> str | int | datetime | dict[str, str | int | datetime]:
    if isinstance(value, dict):
        return {name: _revision(one) for name, one in value.items()}
    return _revision(value)


_TOLD: Final = {"type": "string", "description": "A tag, the number of a snapshot, or an instant."}

Revision = Annotated[str | int | datetime, PlainValidator(_revision), WithJsonSchema(_TOLD)]
"""A revision of the lake: a tag, a snapshot (digits alone), or an instant (which begins like a date)."""

Revisions = Annotated[
    str | int | datetime | dict[str, str | int | datetime],
    PlainValidator(_revisions),
    WithJsonSchema({"anyOf": [_TOLD, {"type": "object", "additionalProperties": _TOLD}]}),
]
"""One revision for all datasets, or one by name of dataset."""


def from_query(model: type[Model], event: Mapping[str, Any]) -> Model:
    """Return the query of an HTTP API event (payload format 2.0) as ``model``.

    The raw query string is read, because the parsed one joins repeated parameters with commas.

    Raises
    ------
    ParameterError
        If a parameter is missing, unknown, repeated (unless it is a list) or breaks its rule.
    """
    given = parse_qs(event.get("rawQueryString") or "", keep_blank_values=True)
    several = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    for name in (name for name, values in given.items() if len(values) > 1 and name not in several):
        raise ParameterError(parameter=name, rule=f"is given {len(given[name])} times", remedy="give it once")
    return _validated(model, {name: values if name in several else values[0] for name, values in given.items()})


def from_body(model: type[Model], body: str | None) -> Model:
    """Return a JSON body as ``model``.

    Raises
    ------
    ParameterError
        If the body is not a JSON object, or a member is missing, unknown or breaks its rule.
    TooLargeError
        If a validator of the model says so.
    """
    try:
        given = json.loads(body or "")
    except (ValueError, RecursionError):
        raise ParameterError(parameter="body", rule="is not JSON", remedy="send a JSON object") from None
    if not isinstance(given, dict):
        raise ParameterError(parameter="body", rule="is not a JSON object", remedy="send a JSON object")
    return _validated(model, given)


def _validated(model: type[Model], given: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(given)
    except ValidationError as cause:
        raise _translated(model, cause.errors(include_url=False)[0]) from None


def _translated(model: type[Parameters], error: ErrorDetails) -> ParameterError | TooLargeError:
    context = error.get("ctx", {})
    parameter = context.get("parameter") or _path(error["loc"])
    if error["type"] in (_RULE, _TOO_LARGE):
        kind = TooLargeError if error["type"] == _TOO_LARGE else ParameterError
        return kind(parameter=parameter, rule=context["rule"], remedy=context["remedy"])
    if error["type"] == "missing":
        return ParameterError(parameter=parameter, rule="is missing", remedy="add it")
    if error["type"] == "extra_forbidden":
        allowed = ", ".join(field.alias or name for name, field in model.model_fields.items())
        remedy = f"leave it out; the parameters are: {allowed}" if len(error["loc"]) == 1 else "leave it out"
        return ParameterError(parameter=parameter, rule="is not known", remedy=remedy)
    return ParameterError(parameter=parameter, rule="is not valid", remedy=error["msg"])


def _path(location: Sequence[int | str]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path or "body"
