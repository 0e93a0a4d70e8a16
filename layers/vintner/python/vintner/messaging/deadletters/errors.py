"""Errors of dead letters."""

from vintner.errors import VintnerError


class LetterMissingError(VintnerError, LookupError):
    """No dead letter has this id."""

    template = "there is no dead letter {letter}; list them to see which there are"


class LetterChangedError(VintnerError):
    """Another actor changed a dead letter first. Nothing was written."""

    template = "dead letter {letter} was changed by another at the same moment; look at it, then decide again"


class LetterStateError(VintnerError):
    """A dead letter is in a state from which this cannot be done. Nothing was written."""

    template = "dead letter {letter} is {state} and cannot become {wanted}; {remedy}"


class LetterObjectError(VintnerError, ValueError):
    """An object is no record of a failed invocation."""

    template = "{field}: {rule}; {remedy}"


class LetterPayloadError(VintnerError, ValueError):
    """The payload of a dead letter cannot be sent again as it is."""

    template = "dead letter {letter}: {field}: {rule}; {remedy}"


class LetterPageError(VintnerError, ValueError):
    """A mark to go on listing from is none that a list gave."""

    template = "{mark!r} is no mark of a list of dead letters; give the one the last page ended with, or none"
