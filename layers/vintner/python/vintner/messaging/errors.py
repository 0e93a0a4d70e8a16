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
