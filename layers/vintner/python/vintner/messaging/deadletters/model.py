"""A dead letter: what could not be processed, what became of it, and every step on the way.

There are four kinds. A *record* was refused by a consumer and lies in the lake's quarantine. A *batch* of records of a
stream made a function fail until its mapping gave up. An *invocation* is an asynchronous call that failed until Lambda
gave up. An *object* lies where those lie and is none of them. Lambda keeps batches and invocations as objects in S3.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

BY_ITSELF: Final = "dead letters"
"""Who acts where no person asked for it."""

LONGEST_TEXT: Final = 1_000
"""Characters kept of what an error says."""

Parts = tuple[tuple[int, int], ...]
"""Ranges ``[from, to)`` of the records of a batch, in order."""


class LetterKind(StrEnum):
    """What a dead letter is."""

    RECORD = "record"
    BATCH = "batch"
    INVOCATION = "invocation"
    OBJECT = "object"


class LetterState(StrEnum):
    """Where a dead letter stands."""

    NEW = "new"  # found, not yet judged
    WAITING = "waiting"  # to be tried again at an instant
    RETRYING = "retrying"  # one actor holds it, until an instant
    PARKED = "parked"  # for a person, or a deployment
    REDRIVEN = "redriven"  # sent to its stream again; it may come back
    RESOLVED = "resolved"  # processed
    DISCARDED = "discarded"  # given up by a person, with a reason


class Cause(StrEnum):
    """Why something failed, by what has to happen before it can succeed."""

    TRANSIENT = "transient"  # nothing: a service was busy or away
    DATA = "waits for data"  # what it refers to becomes known
    DEPLOYMENT = "waits for deployment"  # a consumer is deployed that knows its form
    FIXABLE = "fixable"  # the record, or the rule it breaks, is mended
    POISON = "poison"  # never: its bytes cannot be read
    UNKNOWN = "unknown"  # not told; a batch may hold one bad record


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A dead letter as it stands; it changes only through :mod:`~vintner.messaging.deadletters.moves`.

    Parameters
    ----------
    id
        Follows from what failed, so it has the same whoever finds it, however often.
    kind, state, cause
        As above; ``cause`` is None while it is new.
    stream
        Name of the Kinesis stream; empty for an invocation of none.
    function
        Name of the function that failed; empty for a record.
    rule, detail
        What was broken or went wrong in a few words; then field and remedy, or the message.
    place
        Where what failed is kept: the key of an object, or the id of a quarantined record.
    first_seen, since
        When it was found; when it came to its present state. UTC.
    next_attempt
        When it is tried again (waiting), given to another (retrying), or taken for processed (redriven).
    attempts, granted
        Times it was tried; times it may be before it is parked.
    crashes
        Times whoever held it was gone without a word, in the present attempt.
    holder
        Who holds it.
    seen, mark
        How often the same was found, and the last finding.
    returned
        Whether it was found again while it was held.
    dataset, whole
        Of a record: its dataset where one is told; whether it is a whole delivery.
    parts
        Of a batch: the records still to be processed; None is all.
    parent
        Of one record of a batch: the batch's letter.
    reason
        Why it came to its present state.
    version
        Number of the change that made it, from 1.
    """

    id: str
    kind: LetterKind
    stream: str
    rule: str
    detail: str
    place: str
    first_seen: datetime
    since: datetime
    function: str = ""
    state: LetterState = LetterState.NEW
    cause: Cause | None = None
    next_attempt: datetime | None = None
    attempts: int = 0
    granted: int = 0
    crashes: int = 0
    holder: str = ""
    seen: int = 1
    mark: str = ""
    returned: bool = False
    dataset: str = ""
    whole: bool = False
    parts: Parts | None = None
    parent: str = ""
    reason: str = ""
    version: int = 1

    @property
    def due(self) -> datetime:
        """By what letters of one state are sorted: what is to happen next, or else since when it stands there."""
        return self.next_attempt or self.since


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """One step of a letter: when, from where to where, who, why, and the attempt it was."""

    at: datetime
    before: LetterState | None
    after: LetterState
    who: str
    why: str
    attempt: int = 0


def letter_id(*parts: str) -> str:
    """Return the id of what has these parts.

    Examples
    --------
    >>> letter_id("object", "aws/lambda/m/shardId-0/2026/01/05/x")[:8], len(letter_id("record", "orders", "{}"))
    ('e86f1a9f', 24)
    """
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]


def letter_text(letter: Letter | Transition) -> str:
    """Return a letter, or a transition, as JSON that loses nothing."""
    return json.dumps(document(letter), ensure_ascii=False, separators=(",", ":"))


def document(letter: Letter | Transition) -> dict[str, Any]:
    """Return a letter, or a transition, as values JSON has; instants are ISO 8601 in UTC with microseconds."""
    return {field.name: _plain(getattr(letter, field.name)) for field in dataclasses.fields(letter)}


def letter_of(text: str) -> Letter:
    """Return the letter of such a text."""
    told = json.loads(text)
    told |= {name: _instant(told[name]) for name in ("first_seen", "since", "next_attempt")}
    told |= {"kind": LetterKind(told["kind"]), "state": LetterState(told["state"])}
    told["cause"] = Cause(told["cause"]) if told["cause"] else None
    told["parts"] = None if told["parts"] is None else tuple((first, end) for first, end in told["parts"])
    return Letter(**told)


def transition_of(text: str) -> Transition:
    """Return the transition of such a text."""
    told: Mapping[str, Any] = json.loads(text)
    before = LetterState(told["before"]) if told["before"] else None
    states = {"before": before, "after": LetterState(told["after"])}
    return Transition(**{**told, "at": _instant(told["at"]), **states})


def instant_text(at: datetime) -> str:
    """Return the text of an instant, whose order is the order of time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def short(text: str) -> str:
    """Return a text cut where a person stops reading: an error may quote megabytes of what caused it."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, tuple):
        return [list(part) for part in value]
    return value.value if isinstance(value, StrEnum) else value


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
