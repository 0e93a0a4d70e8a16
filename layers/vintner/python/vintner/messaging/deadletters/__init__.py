"""Dead letters: what could not be processed, kept, judged, tried again, and never lost."""

from vintner.messaging.deadletters.attempts import Ports
from vintner.messaging.deadletters.batches import Answer
from vintner.messaging.deadletters.causes import cause_of_failure, cause_of_rule
from vintner.messaging.deadletters.desk import Desk, preview, shown, shown_step
from vintner.messaging.deadletters.errors import (
    LetterChangedError,
    LetterMissingError,
    LetterObjectError,
    LetterPageError,
    LetterPayloadError,
    LetterStateError,
)
from vintner.messaging.deadletters.intake import RefusedRow
from vintner.messaging.deadletters.model import Cause, Letter, LetterKind, LetterState, Transition
from vintner.messaging.deadletters.moves import Move
from vintner.messaging.deadletters.payload import Sendable
from vintner.messaging.deadletters.policy import LetterPolicy
from vintner.messaging.deadletters.processor import LetterProcessor, Report
from vintner.messaging.deadletters.store import LetterFilter, LetterPage, LetterStore, MemoryLetterStore, Tally

__all__ = [
    "Answer", "Cause", "Desk", "Letter", "LetterChangedError", "LetterFilter", "LetterKind", "LetterMissingError",
    "LetterObjectError", "LetterPage", "LetterPageError", "LetterPayloadError", "LetterPolicy", "LetterProcessor",
    "LetterState", "LetterStateError", "LetterStore", "MemoryLetterStore", "Move", "Ports", "RefusedRow", "Report",
    "Sendable", "Tally", "Transition", "cause_of_failure", "cause_of_rule", "preview", "shown", "shown_step",
]  # fmt: skip
