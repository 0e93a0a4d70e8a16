"""Landing bars: late trades are merged into the bar the lake holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table

from vintner.bitemporal.model import REVISION_SEQ
from vintner.lake.judging import Judgement
from vintner.lake.lookup import fact_versions
from vintner.lake.quarantine import Refusal
from vintner.marketdata.landing.lander import Lander, Marks, Settled
from vintner.marketdata.landing.merging import PARTIAL, merge_late
from vintner.marketdata.landing.model import LandReport
from vintner.marketdata.landing.reading import Incoming


class BarsLander(Lander):
    """A :class:`Lander` of bars; see :mod:`vintner.marketdata.landing.merging` for what becomes of partial ones.

    The merge follows from the very state of the table it is committed to. It counts on one writer at a time for each
    lane, which the mapping of a stream keeps.
    """

    def _keep(self, facts: pa.Table, accepted: pa.Table, marks: Marks) -> Judgement:
        partial = accepted[PARTIAL]
        if not pc.any(partial).as_py():
            return super()._keep(facts, accepted, marks)

        def merged(table: Table) -> pa.Table:
            return merge_late(facts, partial, self._dataset, lambda late: fact_versions(table, self._dataset, late))

        return self._store.land(self._dataset, merged, checkpoints=marks)

    def _report(self, incoming: Incoming, settled: Settled, refusals: Sequence[Refusal]) -> LandReport:
        """Count records: the revisions a late one adds to what is known later are rows, not records."""
        judgement = settled.judgement
        told = {
            name: (rows := getattr(judgement, name)).filter(pc.equal(rows[REVISION_SEQ], 0))
            for name in ("kept", "redelivered", "duplicates")
        }
        further = judgement.kept.num_rows - told["kept"].num_rows
        records = replace(settled, judgement=replace(judgement, **told), notes={"FurtherRevisions": further})
        return super()._report(incoming, records, refusals)
