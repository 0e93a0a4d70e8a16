"""Every step a letter can take, as functions of letter, instant, actor and reason; nothing here stores anything.

::

    new ──> waiting <──> retrying ──> redriven ──> resolved
     │        │ ^           │             │           │
     └──> parked ───────────┘   <─────────┴───────────┘  (it came back)

A person may ask for any letter that nobody holds to be tried again, and may discard any that is not processed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from vintner.messaging.deadletters.errors import LetterStateError
from vintner.messaging.deadletters.model import BY_ITSELF, Cause, Letter, LetterState, Parts, Transition
from vintner.messaging.deadletters.policy import LetterPolicy

_NEW, _WAITING, _RETRYING, _PARKED, _REDRIVEN, _RESOLVED, _DISCARDED = LetterState

ALLOWED: Final[Mapping[LetterState, frozenset[LetterState]]] = MappingProxyType(
    {
        _NEW: frozenset({_WAITING, _PARKED, _RESOLVED, _DISCARDED}),
        _WAITING: frozenset({_WAITING, _RETRYING, _DISCARDED}),
        _RETRYING: frozenset({_RETRYING, _WAITING, _PARKED, _REDRIVEN, _RESOLVED}),
        _PARKED: frozenset({_WAITING, _DISCARDED}),
        _REDRIVEN: frozenset({_WAITING, _PARKED, _RESOLVED, _DISCARDED}),
        _RESOLVED: frozenset({_WAITING, _PARKED}),
        _DISCARDED: frozenset({_WAITING}),
    }
)
"""The states each state may be followed by.

A waiting letter may be asked for sooner; a held one may make progress or be taken over.
"""

_REMEDY: Final = {
    _RETRYING: "wait until whoever holds it is done",
    _RESOLVED: "it was processed: there is nothing to do",
    _DISCARDED: "ask for it to be tried again first, if it was discarded by mistake",
}


@dataclass(frozen=True, slots=True)
class Move:
    """A step: the letter after it, and what the history tells of it."""

    letter: Letter
    transition: Transition


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One refusal of a record: where it stands among all (marks rise), the rule it breaks, and why."""

    mark: str
    rule: str
    detail: str
    cause: Cause


def opened(letter: Letter, *, why: str = "found") -> Move:
    """Return the first step of a letter: it is there."""
    told = Transition(at=letter.since, before=None, after=letter.state, who=BY_ITSELF, why=why)
    return Move(replace(letter, reason=why), told)


def judged(letter: Letter, cause: Cause, policy: LetterPolicy, now: datetime) -> Move:
    """Give a new letter its cause: it waits to be tried again, or is parked."""
    backoff = policy.backoff(cause, letter.kind)
    if backoff is None:
        return _move(letter, _PARKED, now, BY_ITSELF, f"{cause.value}: {letter.rule}", cause=cause)
    return _move(
        letter,
        _WAITING,
        now,
        BY_ITSELF,
        f"{cause.value}: {letter.rule}",
        cause=cause,
        granted=backoff.attempts,
        next_attempt=now + backoff.wait(letter.id, 0),
    )


def claimed(letter: Letter, who: str, policy: LetterPolicy, now: datetime) -> Move:
    """Take a letter that is due, for the length of a lease; or over from a holder whose lease ran out.

    An attempt taken over is the same attempt: it is repeated or completed, and what was sent is recognised.
    """
    if letter.state is _RETRYING:
        if letter.next_attempt is None or letter.next_attempt > now:
            raise _refused(letter, _RETRYING)
        crashes = letter.crashes + 1
        if crashes > policy.crashes:
            return _move(letter, _PARKED, now, who, f"its holder was gone {crashes} times", crashes=crashes)
        return _move(
            letter,
            _RETRYING,
            now,
            who,
            f"{letter.holder} was gone",
            crashes=crashes,
            holder=who,
            next_attempt=now + policy.lease,
        )
    if letter.due > now:
        raise _refused(letter, _RETRYING)
    return _move(
        letter,
        _RETRYING,
        now,
        who,
        "tried again",
        attempts=letter.attempts + 1,
        crashes=0,
        holder=who,
        returned=False,
        next_attempt=now + policy.lease,
    )


def progressed(letter: Letter, parts: Parts, policy: LetterPolicy, now: datetime, *, why: str) -> Move:
    """Keep what of a batch is still to be processed, and hold it for another lease."""
    return _move(letter, _RETRYING, now, letter.holder, why, parts=parts, next_attempt=now + policy.lease)


def sent(letter: Letter, policy: LetterPolicy, now: datetime, *, why: str) -> Move:
    """A record went to its stream again: it may come back; if it has already, it failed."""
    if letter.returned:
        return failed(letter, letter.cause or Cause.UNKNOWN, policy, now, why=f"came back: {letter.rule}")
    return _move(letter, _REDRIVEN, now, letter.holder, why, holder="", next_attempt=now + policy.settle)


def succeeded(letter: Letter, now: datetime, *, why: str, who: str = BY_ITSELF) -> Move:
    """It was processed."""
    return _move(letter, _RESOLVED, now, letter.holder or who, why, holder="", next_attempt=None)


def failed(letter: Letter, cause: Cause, policy: LetterPolicy, now: datetime, *, why: str) -> Move:
    """An attempt failed: the letter waits for the next one, or is parked when none is left."""
    told: dict[str, Any] = {"cause": cause, "holder": "", "returned": False}
    backoff = policy.backoff(cause, letter.kind)
    who = letter.holder or BY_ITSELF
    if backoff is None:
        return _move(letter, _PARKED, now, who, why, **told)
    if letter.attempts >= letter.granted:
        return _move(letter, _PARKED, now, who, f"{why} (after {letter.attempts} attempts)", **told)
    return _move(letter, _WAITING, now, who, why, next_attempt=now + backoff.wait(letter.id, letter.attempts), **told)


def parked(letter: Letter, now: datetime, *, why: str, **changes: Any) -> Move:
    """Nothing more is tried by itself."""
    return _move(letter, _PARKED, now, letter.holder or BY_ITSELF, why, holder="", **changes)


def paused(letter: Letter, now: datetime, *, why: str) -> Move:
    """Time ran out in the middle of an attempt: it goes on at once, and costs no attempt."""
    return _move(letter, _WAITING, now, letter.holder, why, holder="", next_attempt=now, granted=letter.granted + 1)


def found_again(letter: Letter, found: Finding, policy: LetterPolicy, now: datetime) -> Move:
    """The same record was refused once more.

    If it had been sent again, it came back and the attempt failed, for the rule it breaks now. If one holds it, that is
    noted for when it is sent. Otherwise it is a repetition: counted, and nothing else.
    """
    told: dict[str, Any] = {"seen": letter.seen + 1, "mark": found.mark}
    broken: dict[str, Any] = {"rule": found.rule, "detail": found.detail}
    if letter.state in (_REDRIVEN, _RESOLVED):
        again = replace(letter, **broken, **told)
        return failed(again, found.cause, policy, now, why=f"came back: {found.rule}")
    if letter.state is _RETRYING:
        told |= {"returned": True, "cause": found.cause, **broken}
    return _kept(letter, now, f"found again ({letter.seen + 1} times)", **told)


def asked_for(letter: Letter, who: str, now: datetime, *, why: str) -> Move:
    """A person wants it tried again, now and once."""
    if letter.state in (_RETRYING, _RESOLVED):
        raise _refused(letter, _WAITING)
    return _move(letter, _WAITING, now, who, why, next_attempt=now, granted=letter.attempts + 1)


def discarded(letter: Letter, who: str, now: datetime, *, why: str) -> Move:
    """A person gives it up."""
    return _move(letter, _DISCARDED, now, who, why, next_attempt=None)


def _move(letter: Letter, to: LetterState, now: datetime, who: str, why: str, **changes: Any) -> Move:
    if to not in ALLOWED[letter.state]:
        raise _refused(letter, to)
    since = letter.since if to is letter.state else now
    changes.setdefault("next_attempt", None)
    told = Transition(
        at=now, before=letter.state, after=to, who=who, why=why, attempt=changes.get("attempts", letter.attempts)
    )
    return Move(replace(letter, state=to, since=since, reason=why, version=letter.version + 1, **changes), told)


def _kept(letter: Letter, now: datetime, why: str, **changes: Any) -> Move:
    told = Transition(at=now, before=letter.state, after=letter.state, who=BY_ITSELF, why=why, attempt=letter.attempts)
    return Move(replace(letter, version=letter.version + 1, **changes), told)


def _refused(letter: Letter, wanted: LetterState) -> LetterStateError:
    remedy = _REMEDY.get(letter.state, "look at its history first")
    return LetterStateError(letter=letter.id, state=letter.state.value, wanted=wanted.value, remedy=remedy)
