"""The dataset in which every gap is kept, with its whole life."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from vintner.bitemporal.model import INSTANT
from vintner.lake.model import Column, Dataset, Layout

GAPS: Final = Dataset(
    name="gaps",
    doc="What should have come and did not: by gap id, one revision a state. The event is when the gap opened.",
    stream="market_data",
    columns=(
        Column(name="kind", type=pa.string(), doc="sequence or calendar.", required=True),
        Column(name="instrument", type=pa.string(), doc="Instrument.", required=True),
        Column(name="first_missing", type=pa.int64(), doc="First missing number."),
        Column(name="last_missing", type=pa.int64(), doc="Last missing number, included."),
        Column(name="missing_from", type=INSTANT, doc="Start of the silence, of a calendar gap."),
        Column(name="missing_to", type=INSTANT, doc="End of the silence; null while it goes on."),
        Column(name="missing_rows", type=pa.int64(), doc="How many numbers are missing at this revision.", minimum=0),
        Column(
            name="state",
            type=pa.string(),
            doc="open, repairing, repaired, unrepairable or explained.",
            required=True,
        ),
        Column(
            name="cause",
            type=pa.string(),
            doc="feed_loss, producer_restart, refused_records, venue_halt, late or unknown.",
            required=True,
        ),
        Column(name="attempts", type=pa.int64(), doc="Repairs begun.", required=True, minimum=0),
        Column(name="repaired_by", type=pa.string(), doc="Source that had what was missing."),
        Column(name="repaired_rows", type=pa.int64(), doc="Rows of it in the lake.", required=True, minimum=0),
        Column(name="repaired_at", type=INSTANT, doc="Since when nothing is missing."),
        Column(name="reason", type=pa.string(), doc="Why it is explained, or cannot be repaired."),
    ),
    layout=Layout.MONTH_OF_EVENT,
)
