"""UK GDP as a fact table: 90 vintages, data that ships in the ``forecast_evaluation`` package."""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vintner.bitemporal import INSTANT
from vintner.marketdata import MACRO_SERIES

FILE = "data/files/fer_outturns.parquet"


def uk_gdp() -> pa.Table:
    """Return every vintage of real GDP, quarterly, as facts: the level of a quarter's last day, known the day after.

    A vintage is the whole series as published by its date. A value that did not change is stated again, which is one
    more version of its fact and changes no answer.
    """
    found = find_spec("forecast_evaluation")  # located, not imported
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the package forecast-evaluation is not installed; `make env` installs it")
    path = Path(found.submodule_search_locations[0]) / FILE
    rows = pq.read_table(path, columns=["variable", "date", "vintage_date", "value"])
    rows = rows.filter(pc.equal(rows["variable"], "gdpkp"))
    known = pc.add(rows["vintage_date"].cast(pa.timestamp("us")), pa.scalar(timedelta(days=1), pa.duration("us")))
    count = rows.num_rows
    columns = {
        "entity": pa.repeat("uk.gdpkp", count),
        "event_time": rows["date"].cast(pa.timestamp("us")).cast(INSTANT),
        "knowledge_time": known.cast(INSTANT),
        "revision_seq": pa.repeat(0, count).cast(pa.int64()),
        "op": pa.repeat("upsert", count),
        "ingested_at": known.cast(INSTANT),
        "value": rows["value"],
        "source": pa.repeat("ons-vintages", count),
        "record_id": pa.repeat("example/0/0/0", count),
    }
    return pa.table([columns[name] for name in MACRO_SERIES.schema.names], schema=MACRO_SERIES.schema)
