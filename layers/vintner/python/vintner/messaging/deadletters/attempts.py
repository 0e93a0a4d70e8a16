"""One attempt at a letter that is held: what it consists of, by kind, and what its outcome makes of the letter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vintner.messaging.deadletters import moves
from vintner.messaging.deadletters.batches import Answer, Step, work_off
from vintner.messaging.deadletters.errors import LetterObjectError, LetterPayloadError
from vintner.messaging.deadletters.intake import bad_record
from vintner.messaging.deadletters.model import Cause, Letter, LetterKind, LetterState
from vintner.messaging.deadletters.objects import FailedCall, read_failed_call
from vintner.messaging.deadletters.payload import Sendable, sendable
from vintner.messaging.deadletters.policy import LetterPolicy
from vintner.messaging.deadletters.store import LetterStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """The ways out of the processor; in an account they are Kinesis, Lambda and S3.

    Parameters
    ----------
    put
        Puts a delivery to its stream; returns an error's code and message, empty where it was accepted.
    call
        Calls a function by name with an event, and waits for its answer.
    read
        Returns the bytes of an object by its key; None where there is none.
    """

    put: Callable[[Sendable], str]
    call: Callable[[str, Mapping[str, Any]], Answer]
    read: Callable[[str], bytes | None]


class Attempts:
    """Makes attempts; ``save`` stores a step and returns the letter after it."""

    def __init__(
        self,
        store: LetterStore,
        ports: Ports,
        save: Callable[[moves.Move], Letter],
        clock: Callable[[], datetime],
        policy: LetterPolicy,
    ) -> None:
        self._store = store
        self._ports = ports
        self._save = save
        self._clock = clock
        self._policy = policy

    def make(self, letter: Letter, has_time: Callable[[], bool]) -> None:
        """Try a letter that is held, and store what came of it.

        Raises
        ------
        LetterChangedError
            Another took it over meanwhile; what this one did will be recognised.
        """
        if letter.kind is LetterKind.RECORD:
            self._send(letter)
            return
        data = self._ports.read(letter.place)
        if data is None:
            self._save(moves.parked(letter, self._clock(), why=f"object {letter.place} is gone"))
            return
        try:
            call = read_failed_call(data)
        except LetterObjectError as error:
            self._save(moves.parked(letter, self._clock(), why=str(error)))
            return
        if call.kind is LetterKind.BATCH:
            self._work_off(letter, call, has_time)
        else:
            self._invoke(letter, call)

    def _send(self, letter: Letter) -> None:
        payload = self._store.payload(letter.id) or ""
        try:
            delivery = sendable(letter, payload, sent_at=self._clock())
        except LetterPayloadError as error:
            self._save(moves.parked(letter, self._clock(), why=str(error)))
            return
        refused = self._ports.put(delivery)
        present = self._store.get(letter.id)
        if present.holder == letter.holder and present.attempts == letter.attempts:
            letter = present  # it may have come back already, which was noted on it
        if refused:
            self._save(moves.failed(letter, Cause.TRANSIENT, self._policy, self._clock(), why=refused))
        else:
            self._save(moves.sent(letter, self._policy, self._clock(), why=f"sent to {delivery.stream}"))

    def _invoke(self, letter: Letter, call: FailedCall) -> None:
        answer = self._ports.call(call.function, call.event)
        if answer.cause is None:
            self._save(moves.succeeded(letter, self._clock(), why=f"{call.function} processed it"))
        else:
            self._save(moves.failed(letter, answer.cause, self._policy, self._clock(), why=answer.why))

    def _work_off(self, letter: Letter, call: FailedCall, has_time: Callable[[], bool]) -> None:
        whole = ((0, len(call.records)),)
        parts = whole if letter.parts is None else letter.parts
        split = letter.attempts > self._policy.whole_attempts or parts != whole
        bad = 0
        for step in work_off(call.records, parts, self._caller(call), split=split):
            bad += step.bad is not None
            held = self._after(letter, call, step, bad, has_time)
            if held is None:
                return
            letter = held
        told = f"{call.function} processed it" if not bad else f"{call.function} processed all but {bad} parked alone"
        self._save(moves.succeeded(letter, self._clock(), why=told))

    def _after(
        self, letter: Letter, call: FailedCall, step: Step, bad: int, has_time: Callable[[], bool]
    ) -> Letter | None:
        """Store a step of working off; return the letter where work goes on."""
        answer = step.failure or Answer()
        alone = letter.parent != "" or len(call.records) == 1
        if step.bad is not None and alone:
            why = f"fails alone: {answer.why or 'given back'}"
            self._save(
                moves.parked(letter, self._clock(), why=why, cause=Cause.POISON, rule=answer.error or letter.rule)
            )
            return None
        if step.bad is not None:
            self._park_alone(bad_record(letter, step.bad, answer, self._clock()))
        elif step.failure is not None:
            held = self._progress(letter, step, answer.why)
            cause = answer.cause or Cause.UNKNOWN
            self._save(
                moves.failed(held, cause, self._policy, self._clock(), why=answer.why or "records were given back")
            )
            return None
        held = self._progress(letter, step, f"{sum(end - first for first, end in step.left)} records are left")
        if bad > self._policy.most_poison and step.left:
            why = f"{bad} records failed alone, so it is not the records: {answer.why}"
            self._save(moves.parked(held, self._clock(), why=why))
            return None
        if step.left and not has_time():
            self._save(moves.paused(held, self._clock(), why="time ran out; it goes on"))
            return None
        return held

    def _progress(self, letter: Letter, step: Step, why: str) -> Letter:
        if step.left == letter.parts:
            return letter
        return self._save(moves.progressed(letter, step.left, self._policy, self._clock(), why=why))

    def _park_alone(self, move: moves.Move) -> None:
        if self._store.add(move):
            return
        present = self._store.get(move.letter.id)
        if present.state is LetterState.RESOLVED:
            self._save(moves.parked(present, self._clock(), why=move.transition.why))

    def _caller(self, call: FailedCall) -> Callable[[Any], Answer]:
        return lambda records: self._ports.call(call.function, {**call.event, "Records": list(records)})
