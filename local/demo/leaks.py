"""The leak audit of the feature table, and of a copy into which leaks were planted.

Two leaks that happen in real research are planted: the close of the *next* month end (a shift the wrong way), and
the macro figure as restated *today* in rows of the past. A cell counts as planted only where this really changes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from local.demo.compare import same
from local.demo.report import Audit
from vintner.bitemporal import as_of, audit_leaks, vintage
from vintner.bitemporal.model import ENTITY, EVENT_TIME
from vintner.features import EQUITY_DAILY, sources_for, with_entity_keys
from vintner.features.model import Feature
from vintner.lake import FactReader
from vintner.marketdata import MACRO_SERIES, PRICES_DAILY

TIME: Final = "time"
EXAMPLES: Final = 2

Cell = tuple[str, datetime, str]
"""A cell by the entity that its source is asked for, its time and its column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaky:
    """A copy of a feature table with leaks, and where they are."""

    table: pa.Table
    planted: Counter[Cell]


def audit(table: pa.Table, reader: FactReader, *, now: datetime) -> Audit:
    """Audit a feature table as made, and a leaky copy of it.

    Parameters
    ----------
    table
        What :func:`vintner.features.feature_table` returned for the view ``equity_daily``.
    reader
        Where the facts are.
    now
        Facts known up to here are searched for what a leaking cell holds.
    """
    sources = sources_for(EQUITY_DAILY, table.select([ENTITY, TIME]), reader, known_at=now)
    honest = audit_leaks(with_entity_keys(EQUITY_DAILY, table), sources)
    leaky = plant(table, reader.read(MACRO_SERIES, entities=[_feature(MACRO_SERIES.name).entity], known_to=now), now)
    report = audit_leaks(with_entity_keys(EQUITY_DAILY, leaky.table), sources)
    found = Counter((row[ENTITY], row[TIME], row["column"]) for row in report.findings.to_pylist())
    return Audit(
        cells=honest.cells,
        findings=honest.findings.num_rows,
        planted=leaky.planted.total(),
        found=found.total(),
        missed=(leaky.planted - found).total(),
        false_alarms=(found - leaky.planted).total(),
        examples=_examples(report.findings),
    )


def plant(table: pa.Table, macro_facts: pa.Table, now: datetime) -> Leaky:
    """Return a leaky copy of a feature table.

    Examples
    --------
    >>> plant(table, facts, now).planted.total()  # doctest: +SKIP
    1180
    """
    price, macro = _feature(PRICES_DAILY.name), _feature(MACRO_SERIES.name)
    planted: Counter[Cell] = Counter()
    for feature, values in (
        (price, _next_closes(table, price.name)),
        (macro, _restated(table, macro.name, macro_facts, now)),
    ):
        for entity, at, before, after in zip(
            table[ENTITY].to_pylist(), table[TIME].to_pylist(), table[feature.name].to_pylist(), values, strict=True
        ):
            planted[feature.entity_for(entity), at, feature.name] += not same(before, after)
        place = table.schema.get_field_index(feature.name)
        table = table.set_column(place, feature.name, pa.array(values, table.schema.field(place).type))
    return Leaky(table=table, planted=+planted)


def _next_closes(table: pa.Table, column: str) -> list[Any]:
    """Return for each row the value of the same entity's next row; where there is none, its own."""
    values: list[Any] = table[column].to_pylist()
    following: dict[str, Any] = {}
    keys = list(zip(table[TIME].to_pylist(), table[ENTITY].to_pylist(), strict=True))
    for row in sorted(range(table.num_rows), key=lambda row: keys[row], reverse=True):
        symbol, own = keys[row][1], values[row]
        values[row] = own if following.get(symbol) is None else following[symbol]
        following[symbol] = own
    return values


def _restated(table: pa.Table, column: str, facts: pa.Table, now: datetime) -> list[Any]:
    """Return for each row of the first half of the times the same period's value as it stands now."""
    times = sorted(set(table[TIME].to_pylist()))
    early = times[: len(times) // 2]
    final = vintage(facts, known_at=now)
    today = dict(zip(final[EVENT_TIME].to_pylist(), final["value"].to_pylist(), strict=True))
    restated: Mapping[datetime, Any] = {at: today.get(_event(facts, at)) for at in early}
    pairs = zip(table[TIME].to_pylist(), table[column].to_pylist(), strict=True)
    return [value if restated.get(at) is None else restated[at] for at, value in pairs]


def _event(facts: pa.Table, at: datetime) -> datetime | None:
    """Return the period that was the latest at a decision time."""
    latest = as_of(facts, at=at)
    return None if latest.num_rows == 0 else pc.max(latest[EVENT_TIME]).as_py()


def _feature(dataset: str) -> Feature:
    return next(feature for feature in EQUITY_DAILY.features if feature.dataset.name == dataset)


def _examples(findings: pa.Table) -> tuple[str, ...]:
    """Put the first findings of each column into words."""
    shown: list[str] = []
    seen: Counter[str] = Counter()
    for row in findings.to_pylist():
        seen[row["column"]] += 1
        if seen[row["column"]] <= EXAMPLES and row["known_at"] is not None:
            shown.append(_sentence(row))
    return tuple(dict.fromkeys(shown))


def _sentence(row: Mapping[str, Any]) -> str:
    return (
        f"{row[ENTITY]} at {row[TIME]:%Y-%m-%d}: {row['column']} holds {row['value']} instead of {row['expected']}, "
        f"which nobody knew until {row['known_at']:%Y-%m-%d}, {row['lead'].days} days later"
    )
