"""What can be wrong with what an engine is given; each message says what to do."""

from __future__ import annotations

from vintner.errors import VintnerError


class EngineConfigError(VintnerError, ValueError):
    """An engine is asked to work in a way it cannot."""

    template = "engine setting {field} = {value} {rule}; {remedy}"


class EngineRowsError(VintnerError, ValueError):
    """Rows given to an engine are not what normalisation makes. Nothing of them was taken."""

    template = "row {row} of a batch of trades: {field} {rule}; {remedy}"


class EngineStateError(VintnerError, ValueError):
    """Bytes given as the state of a lane are none that this engine can take over; the lane has no state then."""

    template = "state of lane {lane}: {rule}; {remedy}"
