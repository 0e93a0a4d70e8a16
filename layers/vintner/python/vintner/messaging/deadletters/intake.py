"""From what was found to letters: a row of the quarantine, an object of a failed call, a bad record of a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from vintner.messaging.deadletters.batches import Answer
from vintner.messaging.deadletters.causes import cause_of_failure, cause_of_rule
from vintner.messaging.deadletters.errors import LetterObjectError
from vintner.messaging.deadletters.model import Cause, Letter, LetterKind, LetterState, instant_text, letter_id, short
from vintner.messaging.deadletters.moves import Finding, Move, opened
from vintner.messaging.deadletters.objects import read_failed_call
from vintner.messaging.deadletters.payload import same_payload

WHOLE_DELIVERY = -1
"""Position of a refusal that is of a whole delivery."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedRow:
    """A row of the quarantine, as far as letters need it; :class:`vintner.lake.quarantine.Refusal` tells the fields."""

    quarantine_id: str
    stream: str
    position: int
    field: str
    rule: str
    remedy: str
    payload: str
    ingested_at: datetime
    dataset: str | None = None

    @property
    def mark(self) -> str:
        """The row's place among all: by when it was committed, then by its id."""
        return f"{instant_text(self.ingested_at)}#{self.quarantine_id}"

    @property
    def finding(self) -> Finding:
        """The row as a finding."""
        detail = short(f"{self.field}: {self.remedy}")
        return Finding(mark=self.mark, rule=self.rule, detail=detail, cause=cause_of_rule(self.rule))


def refused_letter(row: RefusedRow, now: datetime) -> Letter:
    """Return the new letter of a refused record.

    Its id follows from stream and payload: what a source sends twice, or what was sent again and came back, is one
    letter and not two.
    """
    return Letter(
        id=letter_id(LetterKind.RECORD, row.stream, same_payload(row.stream, row.payload)),
        kind=LetterKind.RECORD,
        stream=row.stream,
        rule=row.rule,
        detail=short(f"{row.field}: {row.remedy}"),
        place=row.quarantine_id,
        first_seen=now,
        since=now,
        mark=row.mark,
        dataset=row.dataset or "",
        whole=row.position == WHOLE_DELIVERY,
    )


def object_id(key: str) -> str:
    """Return the id of the letter of an object."""
    return letter_id("object", key)


def object_letter(key: str, data: bytes, now: datetime) -> Letter:
    """Return the new letter of an object; one that is no record of a failed call is kept too, as such."""
    letter = Letter(
        id=object_id(key),
        kind=LetterKind.OBJECT,
        stream="",
        rule="unknown object",
        detail="",
        place=key,
        first_seen=now,
        since=now,
    )
    try:
        call = read_failed_call(data)
    except LetterObjectError as error:
        return replace(letter, detail=short(str(error)))
    told = ": ".join(part for part in (call.error, call.message) if part)
    return replace(
        letter, kind=call.kind, stream=call.stream, function=call.function, rule=call.condition, detail=short(told)
    )


def cause_of(letter: Letter) -> Cause:
    """Return the cause of a new letter."""
    if letter.kind is LetterKind.RECORD:
        return cause_of_rule(letter.rule)
    return Cause.POISON if letter.kind is LetterKind.OBJECT else cause_of_failure(letter.detail)


def bad_record(batch: Letter, place: int, answer: Answer, now: datetime) -> Move:
    """Return the letter of the one record of a batch that fails alone: parked from the first."""
    why = answer.why or "given back when alone"
    child = Letter(
        id=letter_id("object", batch.place, str(place)),
        kind=LetterKind.BATCH,
        stream=batch.stream,
        function=batch.function,
        rule=answer.error or "given back",
        detail=short(answer.message),
        place=batch.place,
        first_seen=now,
        since=now,
        state=LetterState.PARKED,
        cause=Cause.POISON,
        parts=((place, place + 1),),
        parent=batch.id,
    )
    return opened(child, why=f"fails alone: {why}")
