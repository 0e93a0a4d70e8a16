"""UK GDP, consumer prices, unemployment and earnings in 90 vintages (data of the ``forecast_evaluation`` package).

Each quarter's vintage is the whole history as published by the end of that quarter. The day of publication is not
in the file, so a vintage counts as known from the day after its quarter: only then is it sure to be out.
"""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local.demo.errors import PackagedDataChangedError
from local.demo.model import Feed
from local.demo.sources.clocks import changed_only, upserts
from local.demo.sources.packaged import packaged_file
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME

PACKAGE, FILE = "forecast_evaluation", "data/files/fer_outturns.parquet"
SERIES = ("gdpkp", "cpisa", "unemp", "aweagg")


def read_uk_macro() -> Feed:
    """Read the four series as ``uk.<series>``; a version only where a vintage first states or changes a value."""
    table = pq.read_table(packaged_file(PACKAGE, FILE), columns=["variable", "date", "vintage_date", "value"])
    table = table.filter(pc.is_in(table["variable"], value_set=pa.array(SERIES, table["variable"].type)))
    if table.num_rows == 0:
        raise PackagedDataChangedError(file=f"{PACKAGE}/{FILE}", problem=f"it has none of {', '.join(SERIES)}")
    known = pc.add(_instants(table["vintage_date"]), pa.scalar(timedelta(days=1), pa.duration("us")))
    entity = pc.binary_join_element_wise("uk", table["variable"].cast(pa.string()), ".")
    vintages = pa.table(
        {
            ENTITY: entity,
            EVENT_TIME: _instants(table["date"]),
            KNOWLEDGE_TIME: known,
            "value": table["value"].cast(pa.float64()),
        }
    )
    return Feed(
        name="ons-vintages",
        dataset="macro_series",
        facts=upserts(changed_only(vintages)),
        origin=f"{PACKAGE}/{FILE}",
        known_by_rule="the day after the vintage's quarter (release days are not in the file)",
    )


def _instants(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates without a time of day, as midnight UTC."""
    return column.cast(pa.timestamp("us")).cast(INSTANT)
