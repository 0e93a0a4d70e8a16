"""Where letters are kept, and the store in memory that says what any store does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final, Protocol

from vintner.messaging.deadletters.errors import LetterChangedError, LetterMissingError, LetterPageError
from vintner.messaging.deadletters.model import Cause, Letter, LetterState, Transition, instant_text
from vintner.messaging.deadletters.moves import Move

ORDER: Final = (
    LetterState.PARKED,
    LetterState.WAITING,
    LetterState.RETRYING,
    LetterState.NEW,
    LetterState.REDRIVEN,
    LetterState.RESOLVED,
    LetterState.DISCARDED,
)
"""In this order letters of all states are listed: those that want a person first."""

DUE: Final = (LetterState.NEW, LetterState.RETRYING, LetterState.WAITING, LetterState.REDRIVEN)
"""States that something happens to by itself, once their instant has come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterFilter:
    """Which letters are meant; what is None does not matter.

    ``stream`` is the name of the Kinesis stream, or the part of it after the environment.
    """

    state: LetterState | None = None
    stream: str | None = None
    function: str | None = None
    cause: Cause | None = None
    rule: str | None = None

    def matches(self, letter: Letter) -> bool:
        """Return whether a letter is meant."""
        wanted = ((self.state, letter.state), (self.cause, letter.cause), (self.rule, letter.rule))
        return (
            all(one is None or one == found for one, found in wanted)
            and _named(self.stream, letter.stream)
            and _named(self.function, letter.function)
        )


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Letters in order, and the mark to go on from; None at the end."""

    letters: tuple[Letter, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many letters are in a state, and since when the first of them (in the order of :attr:`Letter.due`)."""

    count: int
    oldest: datetime | None


class LetterStore(Protocol):
    """Keeps letters, their payloads and their histories.

    Every change is conditional: a letter is added once, and saved only as the successor of the version that is there.
    So of two who decide at once, one is refused. A change is whole or not at all, and seen by whoever reads after it.
    """

    def add(self, move: Move, payload: str | None = None) -> bool:
        """Keep a new letter with its payload; return False, and change nothing, where its id is there already."""
        ...

    def known(self, letters: Collection[str]) -> set[str]:
        """Return which of these ids are there."""
        ...

    def get(self, letter: str) -> Letter:
        """Return a letter.

        Raises
        ------
        LetterMissingError
            There is none of this id.
        """
        ...

    def payload(self, letter: str) -> str | None:
        """Return the payload kept with a letter."""
        ...

    def history(self, letter: str) -> list[Transition]:
        """Return every step of a letter, the first one first."""
        ...

    def save(self, move: Move) -> None:
        """Keep the next version of a letter.

        Raises
        ------
        LetterChangedError
            The version it follows is not the one that is there. Nothing was written.
        """
        ...

    def due(self, now: datetime, limit: int) -> list[Letter]:
        """Return letters that something is to happen to by now, at most so many of each state, longest due first."""
        ...

    def page(self, wanted: LetterFilter, *, limit: int, after: str | None = None) -> LetterPage:
        """Return letters in the order of states, within a state by :attr:`Letter.due`.

        Raises
        ------
        LetterPageError
            ``after`` is no mark of a page.
        """
        ...

    def tally(self, state: LetterState) -> Tally:
        """Count the letters of a state."""
        ...

    def cursor(self, name: str) -> str | None:
        """Return how far something has been read."""
        ...

    def move_cursor(self, name: str, to: str) -> None:
        """Keep how far something has been read."""
        ...


class MemoryLetterStore:
    """A :class:`LetterStore` in memory, for tests and for one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._letters: dict[str, Letter] = {}
        self._payloads: dict[str, str | None] = {}
        self._histories: dict[str, list[Transition]] = {}
        self._cursors: dict[str, str] = {}

    def add(self, move: Move, payload: str | None = None) -> bool:
        """See :meth:`LetterStore.add`."""
        with self._lock:
            if move.letter.id in self._letters:
                return False
            self._letters[move.letter.id] = move.letter
            self._payloads[move.letter.id] = payload
            self._histories[move.letter.id] = [move.transition]
            return True

    def known(self, letters: Collection[str]) -> set[str]:
        """See :meth:`LetterStore.known`."""
        return {one for one in letters if one in self._letters}

    def get(self, letter: str) -> Letter:
        """See :meth:`LetterStore.get`."""
        if letter not in self._letters:
            raise LetterMissingError(letter=letter)
        return self._letters[letter]

    def payload(self, letter: str) -> str | None:
        """See :meth:`LetterStore.payload`."""
        return self._payloads.get(letter)

    def history(self, letter: str) -> list[Transition]:
        """See :meth:`LetterStore.history`."""
        return list(self._histories.get(letter, ()))

    def save(self, move: Move) -> None:
        """See :meth:`LetterStore.save`."""
        letter = move.letter
        with self._lock:
            present = self._letters.get(letter.id)
            if present is None or present.version != letter.version - 1:
                raise LetterChangedError(letter=letter.id)
            self._letters[letter.id] = letter
            self._histories[letter.id].append(move.transition)

    def due(self, now: datetime, limit: int) -> list[Letter]:
        """See :meth:`LetterStore.due`."""
        return [one for state in DUE for one in [*filter(lambda one: one.due <= now, self._sorted(state))][:limit]]

    def page(self, wanted: LetterFilter, *, limit: int, after: str | None = None) -> LetterPage:
        """See :meth:`LetterStore.page`."""
        states = ORDER if wanted.state is None else (wanted.state,)
        start = None if after is None else read_mark(after, states)
        found = [one for state in states for one in self._sorted(state) if wanted.matches(one)]
        rest = [one for one in found if start is None or _after(one, start, states)]
        more = len(rest) > limit
        return LetterPage(tuple(rest[:limit]), mark_of(rest[limit - 1]) if more else None)

    def tally(self, state: LetterState) -> Tally:
        """See :meth:`LetterStore.tally`."""
        found = self._sorted(state)
        return Tally(len(found), found[0].since if found else None)

    def cursor(self, name: str) -> str | None:
        """See :meth:`LetterStore.cursor`."""
        return self._cursors.get(name)

    def move_cursor(self, name: str, to: str) -> None:
        """See :meth:`LetterStore.move_cursor`."""
        self._cursors[name] = to

    def _sorted(self, state: LetterState) -> list[Letter]:
        with self._lock:
            found = [one for one in self._letters.values() if one.state is state]
        return sorted(found, key=place_in_state)


def place_in_state(letter: Letter) -> str:
    """Return the text that sorts the letters of one state.

    Its two parts, an instant and the id, have a fixed width each, so the order of texts is that of the parts.
    """
    return f"{instant_text(letter.due)}#{letter.id}"


def mark_of(letter: Letter) -> str:
    """Return the mark of a page that ends with a letter."""
    return base64.urlsafe_b64encode(f"{letter.state.value}#{place_in_state(letter)}".encode()).decode()


def read_mark(mark: str, states: Collection[LetterState]) -> tuple[LetterState, str]:
    """Return the state and the place in it that a page ended at.

    Raises
    ------
    LetterPageError
        It is no mark of a list of these states.
    """
    try:
        state, found, place = base64.urlsafe_b64decode(mark.encode()).decode().partition("#")
        if not found or LetterState(state) not in states:
            raise LetterPageError(mark=mark)
        return LetterState(state), place
    except (binascii.Error, UnicodeError, ValueError) as cause:
        if isinstance(cause, LetterPageError):
            raise
        raise LetterPageError(mark=mark) from cause


def _after(letter: Letter, start: tuple[LetterState, str], states: tuple[LetterState, ...]) -> bool:
    return (states.index(letter.state), place_in_state(letter)) > (states.index(start[0]), start[1])


def _named(wanted: str | None, name: str) -> bool:
    if wanted is None:
        return True
    part = wanted.replace(".", "-").replace("_", "-")
    return name in (wanted, part) or name.endswith(f"-{part}")
