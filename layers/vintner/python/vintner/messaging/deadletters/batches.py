"""Working off a failed batch: what can be processed is, and what cannot is left alone.

1.  What is left of the batch is a list of parts, ranges of its records in order; at first one part, all of it.
2.  The first part is given to the function. Where it succeeds, the part is done.
3.  Where the function gives records back, those before the first of them are done. If that first one is the part's
    first, nothing was done: it becomes a part of its own, the rest another.
4.  Where it fails as a whole because a service was busy, work ends here and is tried later. Where it fails for another
    reason, the part is cut in half; one record that fails alone is the bad one, and is left alone.
5.  After each step it is told what is left, so that whoever comes after a crash goes on from there. A part may then be
    given to the function twice: consumers recognise what they have.

A batch of n records with one bad one takes about 2 log2 n calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vintner.messaging.deadletters.causes import cause_of_failure
from vintner.messaging.deadletters.model import Cause, Parts, short


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a function answered: nothing wrong, an error by type and message, or records it gives back by number.

    ``reached`` tells whether the error is the function's; otherwise calling it failed.
    """

    error: str = ""
    message: str = ""
    given_back: tuple[str, ...] = ()
    reached: bool = True

    @property
    def cause(self) -> Cause | None:
        """Why it failed; None where it did not fail as a whole."""
        if not self.error:
            return None
        return cause_of_failure(self.error, self.message) if self.reached else Cause.TRANSIENT

    @property
    def why(self) -> str:
        """The error in one line."""
        return short(": ".join(part for part in (self.error, self.message) if part))


Call = Callable[[Sequence[Any]], Answer]
"""Gives records to the function."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One call: what is left of the batch after it, and what it showed.

    ``bad`` is the place of a record that fails alone. ``failure`` is why work cannot go on for now.
    """

    left: Parts
    bad: int | None = None
    failure: Answer | None = None


def work_off(records: Sequence[Any], parts: Parts, call: Call, *, split: bool) -> Iterator[Step]:
    """Yield the steps of working off the parts of a batch, until nothing is left or work cannot go on.

    Parameters
    ----------
    records
        All records of the batch, as Lambda hands them over.
    parts
        What of it is left.
    call
        See :data:`Call`.
    split
        Whether a part that fails is cut; otherwise work ends there.
    """
    left = tuple(part for part in parts if part[0] < part[1])
    while left:
        (first, end), rest = left[0], left[1:]
        answer = call(records[first:end])
        back = _first_given_back(answer, records, first, end)
        if answer.cause is None and back is None:
            left = rest
            yield Step(left=left)
        elif answer.cause is Cause.TRANSIENT:
            yield Step(left=left, failure=answer)
            return
        elif back is not None and back > first:
            left = ((back, end), *rest)
            yield Step(left=left)
        elif not split:
            yield Step(left=left, failure=answer)
            return
        elif end - first == 1:
            left = rest
            yield Step(left=left, bad=first, failure=answer)
        else:
            middle = (first + end) // 2 if back is None else first + 1
            left = ((first, middle), (middle, end), *rest)
            yield Step(left=left)


def _first_given_back(answer: Answer, records: Sequence[Any], first: int, end: int) -> int | None:
    """Return the place of the first record given back; a number the part does not have gives back all of it."""
    if answer.error or not answer.given_back:
        return None
    places = {records[place]["kinesis"]["sequenceNumber"]: place for place in range(first, end)}
    return min((places.get(number, first) for number in answer.given_back), default=None)
