"""Monthly Fama-French factors in two vintages (data of the ``linearmodels`` and ``arch`` packages).

The publisher recomputes the whole history with every release. Two packages captured the same file 20 months apart
(to 2017-03, as decimals; to 2018-11, as percent), which makes two real vintages. The day of capture is in neither,
so a file counts as known one month after the last day it covers. Decimals times 100, rounded to the two places of
the publisher, are compared with percents: equal means unchanged.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from local.demo.model import Feed
from local.demo.sources.clocks import Delay, changed_only, end_of, upserts
from local.demo.sources.packaged import read_packaged_csv
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME

DECIMALS = ("linearmodels", "datasets/french/french.csv.bz2")
PERCENTS = ("arch", "data/frenchdata/frenchdata.csv.gz")
_SHARED = {"SMB": "us.smb.monthly", "HML": "us.hml.monthly", "RF": "us.rf.monthly"}
_DECIMAL_NAMES = {"MktRF": "us.mkt_rf.monthly"} | _SHARED
_PERCENT_NAMES = {"Mkt-RF": "us.mkt_rf.monthly"} | _SHARED


def read_french() -> Feed:
    """Read both vintages; the second states only what it adds or changes."""
    return Feed(
        name="french-library",
        dataset="factor_returns",
        facts=upserts(changed_only(pa.concat_tables([_decimals(), _percents()]))),
        origin=f"{'/'.join(DECIMALS)}, {'/'.join(PERCENTS)}",
        known_by_rule="one month after the last day the captured file covers",
    )


def _decimals() -> pa.Table:
    columns = {"dates": pa.date32(), **dict.fromkeys(_DECIMAL_NAMES, pa.float64())}
    wide = read_packaged_csv(*DECIMALS, columns=columns)
    return pa.concat_tables(
        _vintage(wide["dates"].to_pylist(), name, pc.round(pc.multiply(wide[column], 100.0), 2))
        for column, name in _DECIMAL_NAMES.items()
    )


def _percents() -> pa.Table:
    columns = {"Date": pa.int64(), **dict.fromkeys(_PERCENT_NAMES, pa.float64())}
    wide = read_packaged_csv(*PERCENTS, columns=columns)
    months = [date(stamp // 100, stamp % 100, 1) for stamp in wide["Date"].to_pylist()]
    return pa.concat_tables(_vintage(months, name, wide[column]) for column, name in _PERCENT_NAMES.items())


def _vintage(months: list[date], entity: str, values: pa.ChunkedArray) -> pa.Table:
    ends = [_midnight(end_of(month, "month")) for month in months]
    known = _midnight(Delay(months=1).on_calendar(max(ends).date()))
    return pa.table(
        {
            ENTITY: pa.repeat(pa.scalar(entity), len(ends)),
            EVENT_TIME: pa.array(ends, INSTANT),
            KNOWLEDGE_TIME: pa.repeat(pa.scalar(known, INSTANT), len(ends)),
            "return_pct": values.combine_chunks(),
        }
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
