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


class StreamRefusedError(VintnerError):
    """A stream refuses a call for a reason that trying again does not mend. Nothing of the call was accepted."""

    template = "stream {stream} refuses records ({code}: {reason}); mend that, then send them again"


class RecordRefusedError(VintnerError, ValueError):
    """A record cannot be published: ``index`` is its place among those given. None of them was taken."""

    template = "record {index} of {record}: {field}: {rule}; {remedy}"


class BackpressureError(VintnerError):
    """More waits to be sent than may. Nothing was taken."""

    template = (
        "{records} records ({size} bytes) wait for stream {stream}, at most {most_records} ({most_size} bytes) may; "
        "flush, wait, and publish again, or publish fewer at once"
    )


class SpoolFullError(VintnerError):
    """A spool holds as much as it may. Nothing was written."""

    template = "spool {folder} holds {size} bytes of at most {limit}; bring the stream back, or allow more"


class SpoolWriteError(VintnerError):
    """The disk under a spool refuses. What was to be written is not safe."""

    template = "spool {folder} cannot be written ({reason}); make room or mend the disk, then publish again"


class SpoolInUseError(VintnerError):
    """Another process has the spool open."""

    template = "spool {folder} is in use by another process; give each process a folder of its own"


class SequenceStateError(VintnerError, ValueError):
    """The dumped state of a sequence tracker cannot be read."""

    template = "the sequence state of lane {lane} {problem}; restore it from the stream"


class CircuitLimitsError(VintnerError, ValueError):
    """A circuit breaker cannot be set so."""

    template = "{limit} of a circuit breaker is {value}; give {range}"


class CircuitOpenError(VintnerError):
    """A dependency kept failing, so it is not called for a while."""

    template = "{dependency} kept failing and is left alone; try again in {wait:g} s"


class BatchNotFinishedError(VintnerError):
    """Memory or time ran short, so a part of a batch was not worked on. What was is committed."""

    template = "{left} of {count} deliveries were left for want of memory or time; the batch has to come again"


class MessageRefusedError(VintnerError, ValueError):
    """A foreign message cannot be read. ``rule`` names the reason in two or three words."""

    template = "{field}: {rule}; {remedy}"
