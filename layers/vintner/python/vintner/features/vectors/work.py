"""What becomes of feature values in the same breath: vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import KNOWLEDGE_TIME
from vintner.features.vectors.assembler import Outcome, VectorAssembler
from vintner.features.vectors.model import INPUT, VECTOR_VIEWS, VectorView
from vintner.messaging.stateful import DerivedRows, Worked
from vintner.messaging.stateful.lanes import HEARTBEAT, SENT_AT
from vintner.messaging.streams import FEATURES_PIT

INSTRUMENT: Final = "instrument"


class VectorsWork:
    """The :class:`~vintner.messaging.stateful.Work` of the stream of raw features.

    Parameters
    ----------
    views
        What to assemble.
    """

    def __init__(self, views: Sequence[VectorView] = VECTOR_VIEWS) -> None:
        self._assembler = VectorAssembler(views)

    def apply(self, rows: pa.Table) -> Worked:
        """Take rows; see :meth:`vintner.messaging.stateful.Work.apply`."""
        nameless = pc.and_(pc.invert(rows[HEARTBEAT]), pc.is_null(rows[INSTRUMENT]))
        rows = rows.filter(pc.invert(nameless))  # without an instrument it would pass for a heartbeat
        clock = pc.if_else(rows[HEARTBEAT], rows[SENT_AT], rows[KNOWLEDGE_TIME])
        given = {name: rows[name] for name in INPUT.names} | {KNOWLEDGE_TIME: clock}
        told = self._assembler.apply(pa.table(list(given.values()), names=list(given)))
        counts = Counter(
            {Outcome(one["values"]).name.lower(): one["counts"] for one in told.verdicts.value_counts().to_pylist()}
        )
        return Worked(rows=[DerivedRows(stream=FEATURES_PIT, rows=told.vectors, lanes=told.lanes)], counts=counts)

    def renew(self) -> bool:
        """Return False: it judges by nothing; see :meth:`vintner.messaging.stateful.Work.renew`."""
        return False

    def pin(self) -> str:
        """Return no name; see :meth:`vintner.messaging.stateful.Work.pin`."""
        return ""

    def repin(self, name: str) -> None:
        """Judge by nothing, as ever; see :meth:`vintner.messaging.stateful.Work.repin`."""

    def dump(self) -> dict[int, bytes]:
        """Return the state of each lane; see :meth:`vintner.messaging.stateful.Work.dump`."""
        return self._assembler.dump()

    def load(self, lanes: Mapping[int, bytes]) -> None:
        """Take over states; see :meth:`vintner.messaging.stateful.Work.load`."""
        self._assembler.load(lanes)
