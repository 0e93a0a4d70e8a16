"""Every error an API can answer with, mapped once to a problem document (RFC 9457).

An error not listed here is a fault of ours: its text is logged and never sent, and the answer carries the request's id
so that the log can be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from vintner.aws.ingress.errors import MediaTypeError, StreamAwayError, StreamBusyError, UnreadableBodyError
from vintner.bitemporal import NaiveTimeError, SpineTableError
from vintner.errors import VintnerError
from vintner.features.errors import UnknownDatasetError, UnknownViewError
from vintner.lake.errors import ExpiredRevisionError, RevisionNotNamedError, UnknownRevisionError
from vintner.messaging.deadletters import LetterChangedError, LetterMissingError, LetterPageError, LetterStateError
from vintner.messaging.errors import UnknownStreamError

PROBLEM_JSON: Final = "application/problem+json"

_LONGEST_TEXT: Final = 600


class ParameterError(VintnerError, ValueError):
    """A parameter of a request breaks a rule."""

    template = "{parameter} {rule}; {remedy}"


class TooLargeError(VintnerError, ValueError):
    """A request asks for more than one answer can hold."""

    template = "{parameter} {rule}; {remedy}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one type of error is told. ``parameter`` and ``remedy`` are templates over the error's data."""

    status: HTTPStatus
    slug: str
    title: str
    parameter: str = "{parameter}"
    remedy: str = "{remedy}"


_KINDS: Final[dict[type[Exception], _Kind]] = {
    ParameterError: _Kind(HTTPStatus.BAD_REQUEST, "invalid-parameter", "A parameter is not valid"),
    NaiveTimeError: _Kind(
        HTTPStatus.BAD_REQUEST, "invalid-parameter", "A parameter is not valid", "{field}", "give {value}+00:00"
    ),
    SpineTableError: _Kind(HTTPStatus.BAD_REQUEST, "invalid-parameter", "A parameter is not valid", "rows"),
    UnknownViewError: _Kind(
        HTTPStatus.NOT_FOUND, "unknown-view", "No such feature view", "view", "use one of: {known}"
    ),
    UnknownDatasetError: _Kind(
        HTTPStatus.NOT_FOUND, "unknown-dataset", "No such dataset", "dataset", "use one of: {known}"
    ),
    UnknownRevisionError: _Kind(
        HTTPStatus.NOT_FOUND, "unknown-revision", "No such revision", "revision", "use one of: {known}"
    ),
    ExpiredRevisionError: _Kind(
        HTTPStatus.GONE, "expired-revision", "The revision is no longer kept", "revision", "use a tagged revision"
    ),
    RevisionNotNamedError: _Kind(
        HTTPStatus.BAD_REQUEST, "invalid-parameter", "A parameter is not valid", "revisions", "add {dataset}"
    ),
    LetterMissingError: _Kind(
        HTTPStatus.NOT_FOUND,
        "unknown-letter",
        "No such dead letter",
        "letter",
        "list dead letters to see which there are",
    ),
    LetterStateError: _Kind(HTTPStatus.CONFLICT, "letter-state", "The dead letter does not allow it", "letter"),
    LetterChangedError: _Kind(
        HTTPStatus.CONFLICT, "letter-changed", "Another changed it first", "letter", "look at it, then decide again"
    ),
    LetterPageError: _Kind(
        HTTPStatus.BAD_REQUEST,
        "invalid-parameter",
        "A parameter is not valid",
        "next",
        "give what the last page ended with",
    ),
    TooLargeError: _Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "More than one answer can hold"),
    UnknownStreamError: _Kind(
        HTTPStatus.NOT_FOUND, "unknown-stream", "No such stream", "stream", "use one of: {known}"
    ),
    MediaTypeError: _Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body's type is not read"),
    UnreadableBodyError: _Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "unreadable-body", "The body is no records"),
    StreamBusyError: _Kind(HTTPStatus.TOO_MANY_REQUESTS, "stream-busy", "The stream takes no more for now", "stream"),
    StreamAwayError: _Kind(HTTPStatus.SERVICE_UNAVAILABLE, "stream-away", "The stream cannot be reached", "stream"),
}

_ROUTE: Final = _Kind(
    HTTPStatus.NOT_FOUND, "unknown-route", "No such route", "path", "see the API's OpenAPI document for its routes"
)
_FAULT: Final = _Kind(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal-error",
    "The request failed",
    "",
    "try again; if it fails again, report the instance given here",
)


def is_fault(error: Exception) -> bool:
    """Return whether ``error`` is a fault of ours and not of the request."""
    return not isinstance(error, NotFoundError) and _kind_of(error) is _FAULT


def problem_document(error: Exception, *, instance: str) -> dict[str, Any]:
    """Return the problem document that tells ``error``.

    Parameters
    ----------
    error
        What was raised.
    instance
        Identity of this occurrence: the request's id.

    Returns
    -------
    dict
        ``type``, ``title``, ``status``, ``detail``, ``instance``, and where the request is at fault ``parameter`` and
        ``remedy``.

    Examples
    --------
    >>> problem_document(ParameterError(parameter="known_at", rule="is missing", remedy="add it"), instance="r-1")[
    ...     "detail"]
    'known_at is missing; add it'
    """
    kind = _ROUTE if isinstance(error, NotFoundError) else _kind_of(error)
    data = error.data if isinstance(error, VintnerError) else {}
    document: dict[str, Any] = {
        "type": f"urn:vintner:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status.value,
        "detail": _detail(error, kind),
        "instance": instance,
    }
    if kind.parameter:
        document["parameter"] = _short(kind.parameter.format(**data))
    return document | {"remedy": kind.remedy if kind is _FAULT else _short(kind.remedy.format(**data))}


def _kind_of(error: Exception) -> _Kind:
    return next((_KINDS[base] for base in type(error).__mro__ if base in _KINDS), _FAULT)


def _detail(error: Exception, kind: _Kind) -> str:
    if kind is _FAULT:
        return "Something failed on our side; the log has the cause under this instance."
    return "There is no route with this method and path." if kind is _ROUTE else _short(str(error))


def _short(text: str) -> str:
    """Return ``text`` cut where a person stops reading: what it quotes may be megabytes of a request."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
