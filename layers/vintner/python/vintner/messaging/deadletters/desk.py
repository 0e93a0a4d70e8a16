"""What a person does with letters: looks, asks for another try, gives up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from vintner.messaging.deadletters import moves
from vintner.messaging.deadletters.errors import LetterChangedError, LetterObjectError, LetterStateError
from vintner.messaging.deadletters.model import Letter, LetterKind, Transition, document
from vintner.messaging.deadletters.objects import read_failed_call
from vintner.messaging.deadletters.payload import BYTES, declared_stream
from vintner.messaging.deadletters.store import LetterFilter, LetterStore
from vintner.messaging.errors import WireError
from vintner.messaging.kinesis import deliveries
from vintner.messaging.wire import unpack

PREVIEW_CHARACTERS: Final = 4_000
PREVIEW_RECORDS: Final = 5

_SHOWN: Final = (
    "id", "kind", "state", "cause", "stream", "function", "rule", "detail", "reason", "first_seen", "since",
    "next_attempt", "attempts", "seen", "dataset", "place", "parent", "parts",
)  # fmt: skip


class Desk:
    """What a person may do; ``clock`` tells the present, UTC."""

    def __init__(self, store: LetterStore, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def ask(self, letter: str, *, who: str, why: str) -> Letter:
        """Have a letter tried again, at once and once; the processor does it.

        Raises
        ------
        LetterMissingError, LetterStateError, LetterChangedError
            There is none; somebody holds it, or it was processed; another changed it first.
        """
        return self._saved(moves.asked_for(self._store.get(letter), who, self._clock(), why=why))

    def discard(self, letter: str, *, who: str, why: str) -> Letter:
        """Give a letter up, for a reason.

        Raises
        ------
        LetterMissingError, LetterStateError, LetterChangedError
            There is none; somebody holds it, or it was processed or given up; another changed it first.
        """
        return self._saved(moves.discarded(self._store.get(letter), who, self._clock(), why=why))

    def ask_all(self, wanted: LetterFilter, *, limit: int, who: str, why: str, dry_run: bool) -> list[Letter]:
        """Have letters tried again, at most so many; return them, as they are after it.

        Letters that somebody holds, or was faster with, are passed over. A dry run changes nothing.
        """
        found: list[Letter] = []
        after: str | None = None
        meant: list[Letter] = []
        while len(meant) < limit:
            page = self._store.page(wanted, limit=limit - len(meant), after=after)
            meant += page.letters
            after = page.next
            if after is None:
                break
        for letter in meant:
            try:
                move = moves.asked_for(letter, who, self._clock(), why=why)
                found.append(letter if dry_run else self._saved(move))
            except (LetterStateError, LetterChangedError):
                continue
        return found

    def _saved(self, move: moves.Move) -> Letter:
        self._store.save(move)
        return move.letter


def shown(letter: Letter) -> dict[str, Any]:
    """Return what is told of a letter, as values JSON has."""
    told = document(letter)
    return {name: told[name] for name in _SHOWN}


def shown_step(step: Transition) -> dict[str, Any]:
    """Return what is told of a step of a letter, as values JSON has."""
    return document(step)


def preview(letter: Letter, payload: str | None, read: Callable[[str], bytes | None]) -> dict[str, Any]:
    """Return what a person needs to see of what failed: the record, or the first records of a batch.

    Parameters
    ----------
    payload
        The payload kept with the letter.
    read
        Returns an object by its key; None where it is gone.
    """
    if letter.kind is LetterKind.RECORD:
        return _text_preview(payload or "")
    data = read(letter.place)
    if data is None:
        return {"missing": letter.place}
    try:
        call = read_failed_call(data)
    except LetterObjectError as error:
        return _text_preview(data.decode(errors="replace")) | {"unreadable": str(error)}
    if call.kind is LetterKind.INVOCATION:
        return {"function": call.function, "event": _short(json.dumps(call.event))}
    parts = letter.parts if letter.parts is not None else ((0, len(call.records)),)
    left = [place for first, end in parts for place in range(first, end)]
    return {
        "function": call.function,
        "records": len(call.records),
        "left": len(left),
        "first": [_record_preview(letter.stream, call.records[place]) for place in left[:PREVIEW_RECORDS]],
    }


def _text_preview(text: str) -> dict[str, Any]:
    if not text.startswith(BYTES) and len(text) <= PREVIEW_CHARACTERS:
        try:
            return {"record": json.loads(text)}
        except ValueError:
            pass
    return {"text": _short(text), "characters": len(text)}


def _record_preview(stream: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of a batch: read, where its stream's batches can be, else as it is."""
    told: dict[str, Any] = {"sequence": record.get("kinesis", {}).get("sequenceNumber", "")}
    declared = declared_stream(stream)
    try:
        (delivery,) = deliveries({"Records": [record]})
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return told | {"unreadable": f"{type(error).__name__}: {error}"}
    if declared is None:
        return told | _text_preview(delivery.data.decode(errors="replace"))
    try:
        batch = unpack(delivery.data, declared.record)
    except WireError as error:
        return told | {"unreadable": str(error), "bytes": len(delivery.data)}
    rows = batch.rows.slice(0, 1).to_pylist()
    first = {name: str(value) for name, value in rows[0].items()} if rows else None
    return told | {"producer": batch.producer, "rows": batch.rows.num_rows, "first": first}


def _short(text: str) -> str:
    return text if len(text) <= PREVIEW_CHARACTERS else f"{text[:PREVIEW_CHARACTERS]}…"
