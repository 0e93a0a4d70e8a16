"""Errors of messaging."""

from vintner.errors import VintnerError


class EnvelopeError(VintnerError, ValueError):
    """A delivery cannot be read as an envelope of records."""

    template = "{field}: {rule}; {remedy}"


class BatchTooLargeError(VintnerError, ValueError):
    """A record alone is larger than a delivery may be."""

    template = "record {entity} of {dataset} takes {size} bytes, a delivery holds {limit}; split its values"


class StreamUnavailableError(VintnerError):
    """A stream kept refusing records. What was not accepted is on the error."""

    template = "stream {stream} refused {count} deliveries {attempts} times (last: {code}); send them again later"


class RecordTypeError(VintnerError, TypeError):
    """A record type cannot be declared so."""

    template = "field {field} of record {record} {problem}; give it a Doc, a wire type, and null where it came later"


class UnknownStreamError(VintnerError, KeyError):
    """No stream of that name is declared."""

    template = "stream {stream!r} is not declared; there are {known}"


class WireError(VintnerError, ValueError):
    """The bytes of a delivery cannot be read as a batch of records. ``rule`` names the reason in two or three words."""

    template = "{field}: {rule}; {remedy}"
