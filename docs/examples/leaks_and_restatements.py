"""A leak audit of two training sets, and the blast radius of a restatement, on real vintages of UK GDP."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from uk_gdp import uk_gdp

from vintner.bitemporal import INSTANT, FactSource, as_of_join, audit_cells, audit_leaks
from vintner.features.provenance import (
    DerivedColumn,
    Input,
    PinnedSource,
    RebuildDiffersError,
    Restatement,
    blast_radius,
    manifest_of,
    rebuild,
)
from vintner.lake import Dataset
from vintner.marketdata import MACRO_SERIES

FACTS = uk_gdp()
RESTATED = datetime(2010, 7, 1, tzinfo=UTC)
"""From here on a vintage was known that changed four quarters."""


class Store:
    """Facts in memory, as a reader of the lake hands them out."""

    def __init__(self, facts: pa.Table) -> None:
        self.facts = facts

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[Any] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
        revision: Any = None,
    ) -> pa.Table:
        """Return the facts up to these bounds; there is one dataset, one entity and one revision."""
        del dataset, entities, revision
        found = self.facts
        for name, bound in (("knowledge_time", known_to), ("ingested_at", ingested_to)):
            if bound is not None:
                found = found.filter(pc.less_equal(found[name], pa.scalar(bound, INSTANT)))
        return found


def mondays() -> pa.Table:
    """Return the rows of the training set: each Monday of a year in which the series kept its base year."""
    times = [datetime(2009, 10, 5, tzinfo=UTC) + timedelta(weeks=week) for week in range(51)]
    return pa.table({"entity": ["uk.gdpkp"] * len(times), "time": pa.array(times, INSTANT)})


def rose(rows: pa.Table, inputs: Mapping[str, pa.Table]) -> pa.Table:
    """Derive a signal: whether GDP as known at a row's time is above a level."""
    known = {row["time"]: row["gdp"] for row in inputs["uk_gdp"].to_pylist()}
    return pa.table({"high": [known[time] is not None and known[time] > 316_000 for time in rows["time"].to_pylist()]})


def audit() -> None:
    """Audit the training set as known at each time, and one that was made with today's numbers."""
    source = FactSource(facts=FACTS, columns={"gdp": "value"})
    honest = as_of_join(mondays(), [source])
    hindsight = as_of_join(mondays(), [source], known_at=datetime(2025, 1, 1, tzinfo=UTC))
    print(audit_leaks(honest, [source]))
    report = audit_leaks(hindsight, [source])
    print("\n".join(str(report).splitlines()[:3]))
    print(f"  ... {report.leaks.num_rows} of them hold what was not known yet")
    cells = pa.table({"entity": hindsight["entity"], "time": hindsight["time"], "value": hindsight["gdp"],
                      "source": ["ons"] * hindsight.num_rows})  # fmt: skip
    long = audit_cells(cells, {"ons": source})
    print(f"as a long table: {long.leaks.num_rows} of {long.cells} cells leak")


def restate() -> None:
    """Pin the training set, and ask what a restatement would change in it."""
    new = pc.equal(FACTS["knowledge_time"], pa.scalar(RESTATED, INSTANT))
    old = pc.less(FACTS["knowledge_time"], pa.scalar(RESTATED, INSTANT))
    before, restatement = Store(FACTS.filter(old)), Restatement(dataset="macro_series", stated=FACTS.filter(new))

    columns = {"gdp": "value"}
    table = as_of_join(mondays(), [FactSource(facts=before.facts, columns=columns)])
    source = PinnedSource(dataset=MACRO_SERIES.name, columns=columns)
    features = manifest_of(table, name="uk_gdp", kind="features", code_version="example", sources=[source])
    derived = [DerivedColumn(name="high", inputs=(Input(manifest="uk_gdp", column="gdp"),))]
    signals = mondays().append_column("high", rose(mondays(), {"uk_gdp": table})["high"])
    manifest = manifest_of(signals, name="gdp_high", kind="signals", code_version="example", derived=derived)

    tables = [features, manifest]
    print("as if the restated quarters had been right the first time:")
    print(blast_radius(restatement, tables, before))
    print("the same, with the signals made again:")
    print(blast_radius(restatement, tables, before, derive={"gdp_high": rose}))
    print("with the knowledge cut moved, so that quarters are seen before they were published:")
    print(blast_radius(restatement, tables, before, move="knowledge"))
    print("with every row's knowledge cut kept, as when the table is made again today:")
    print(blast_radius(restatement, tables, before, move="system"))

    print(f"made again: {rebuild(features, before).equals(table)}")
    try:
        rebuild(features, Store(FACTS))
    except RebuildDiffersError as error:
        print(f"made again from a store that has moved on: {error}")


if __name__ == "__main__":
    audit()
    restate()
