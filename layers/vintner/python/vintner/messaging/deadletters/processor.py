"""The processor: takes in what failed, tries again what is due, parks what does not get through.

1.  *Take in.* A quarantined record or an object becomes a letter, once; it is stored as new, then judged. A record that
    was sent again and was refused again is its old letter coming back, not a new one.
2.  *Work.* Every letter whose instant has come: a new one is judged; a redriven one that has not come back is resolved;
    a waiting one, or one whose holder is gone, is claimed and tried.
3.  *Try.* A record is put to its stream again. An invocation's event is given to its function, a batch's records too,
    cut where they keep failing (:mod:`vintner.messaging.deadletters.batches`).

Every step is stored before the next is taken, conditional on the version it follows. So of two actors one is refused
and leaves the letter alone; and wherever a process ends, the next finds the letter as far as it got. What it repeats
then, consumers recognise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vintner.messaging.deadletters import moves
from vintner.messaging.deadletters.attempts import Attempts, Ports
from vintner.messaging.deadletters.errors import LetterChangedError, LetterMissingError
from vintner.messaging.deadletters.intake import RefusedRow, cause_of, object_id, object_letter, refused_letter
from vintner.messaging.deadletters.model import Letter, LetterKind, LetterState
from vintner.messaging.deadletters.policy import STANDARD, LetterPolicy
from vintner.messaging.deadletters.store import LetterStore

TRIES: Final = 5
"""How often a finding is noted on a letter that others change at the same moment."""

PAGE: Final = 200
"""Letters of one state looked for at once."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass did: how many letters were found, found again, tried, and came to each state; and what went wrong.

    ``lost`` counts letters another actor was faster with; ``errors`` tells what nobody planned for, by letter. Such a
    letter is held until its lease ends, and then tried by the next.
    """

    counts: Counter[str]
    errors: Mapping[str, str]

    def count(self, name: str) -> int:
        """Return how often something happened."""
        return self.counts[name]


class LetterProcessor:
    """Takes in, works, tries; see the module's steps.

    Parameters
    ----------
    store
        Where letters are kept.
    ports
        Ways out: to streams, to functions, to objects.
    clock
        Tells the present, UTC.
    who
        Name of this actor, for histories.
    policy
        See :class:`LetterPolicy`.
    itself
        Name of the function this runs in. Its own failed calls are not tried again: the schedule calls it anyway.
    """

    def __init__(
        self,
        store: LetterStore,
        ports: Ports,
        *,
        clock: Callable[[], datetime],
        who: str,
        policy: LetterPolicy = STANDARD,
        itself: str = "",
    ) -> None:
        self._store = store
        self._ports = ports
        self._clock = clock
        self._who = who
        self._policy = policy
        self._itself = itself
        self._counts: Counter[str] = Counter()
        self._errors: dict[str, str] = {}

    @property
    def report(self) -> Report:
        """What was done so far."""
        return Report(self._counts.copy(), dict(self._errors))

    def take_refused(self, row: RefusedRow) -> None:
        """Take in a quarantined record, or note on its letter that it was found again."""
        letter = refused_letter(row, self._clock())
        if self._store.add(moves.opened(letter), row.payload):
            self._counts["found"] += 1
            self._safely(letter, self._judge)
            return
        for _ in range(TRIES):
            present = self._store.get(letter.id)
            if present.mark >= row.mark:
                return
            try:
                self._save(moves.found_again(present, row.finding, self._policy, self._clock()))
            except LetterChangedError:
                continue
            self._counts["found again"] += 1
            return
        raise LetterChangedError(letter=letter.id)

    def take_objects(self, keys: Iterable[str], *, has_time: Callable[[], bool]) -> str | None:
        """Take in the objects of failed calls, in order; return the last key taken, None where there was none.

        Keys that are letters already are passed over unread.
        """
        keys, last = list(keys), None
        known = self._store.known([object_id(key) for key in keys])
        for key in keys:
            if not has_time():
                break
            if object_id(key) not in known:
                self._take_object(key)
            last = key
        return last

    def work(self, *, has_time: Callable[[], bool]) -> None:
        """Do what is due, until nothing is or time is out."""
        seen: set[str] = set()
        while todo := [one for one in self._store.due(self._clock(), PAGE) if one.id not in seen]:
            for letter in todo:
                if not has_time():
                    return
                seen.add(letter.id)
                self._safely(letter, lambda one: self._step(one, has_time))

    def work_on(self, letters: Iterable[str], *, has_time: Callable[[], bool]) -> None:
        """Do what is due with these letters alone."""
        for name in letters:
            try:
                letter = self._store.get(name)
            except LetterMissingError:
                self._counts["missing"] += 1
                continue
            if has_time() and letter.due <= self._clock():
                self._safely(letter, lambda one: self._step(one, has_time))

    def _take_object(self, key: str) -> None:
        data = self._ports.read(key)
        if data is None:
            return  # it was removed since it was listed
        letter = object_letter(key, data, self._clock())
        if self._store.add(moves.opened(letter)):
            self._counts["found"] += 1
            self._safely(letter, self._judge)

    def _step(self, letter: Letter, has_time: Callable[[], bool]) -> None:
        if letter.state is LetterState.NEW:
            self._judge(letter)
        elif letter.state is LetterState.REDRIVEN:
            self._save(moves.succeeded(letter, self._clock(), why="it has not come back"))
        elif letter.state in (LetterState.WAITING, LetterState.RETRYING):
            held = self._save(moves.claimed(letter, self._who, self._policy, self._clock()))
            if held.state is LetterState.RETRYING:
                self._counts["tried"] += 1
                Attempts(self._store, self._ports, self._save, self._clock, self._policy).make(held, has_time)

    def _judge(self, letter: Letter) -> None:
        now = self._clock()
        if letter.kind is LetterKind.INVOCATION and letter.function == self._itself:
            self._save(moves.succeeded(letter, now, why="the next call of the schedule does the same"))
        else:
            self._save(moves.judged(letter, cause_of(letter), self._policy, now))

    def _save(self, move: moves.Move) -> Letter:
        self._store.save(move)
        if move.transition.before is not move.transition.after:
            self._counts[move.letter.state.value] += 1
        return move.letter

    def _safely(self, letter: Letter, do: Callable[[Letter], Any]) -> None:
        try:
            do(letter)
        except LetterChangedError:
            self._counts["lost"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the next letter may do; this one keeps its lease
            self._errors[letter.id] = f"{type(error).__name__}: {error}"
