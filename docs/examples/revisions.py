"""A vendor's file, drafted, audited, published, taken back and reproduced, in a lake in a folder of its own."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog

from vintner.lake import LakeReader, ensure_database, land_facts, migrate
from vintner.lake.handle import Lake
from vintner.lake.maintenance import compact, expire
from vintner.lake.revisions import (
    audit_draft,
    draft_rows,
    publish_draft,
    reproduce,
    revision_records,
    roll_back,
    verify_chain,
)
from vintner.marketdata import MACRO_SERIES as SERIES

QUARTER = datetime(2008, 9, 30, tzinfo=UTC)
AS_OF = datetime(2009, 12, 31, tzinfo=UTC)


class Clock:
    """A clock that moves on by a minute each time it is read."""

    now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time."""
        self.now += timedelta(minutes=1)
        return self.now


def fact(series: str, known: str, value: float) -> dict[str, Any]:
    """State a value of the quarter."""
    clocks = {"event_time": QUARTER, "knowledge_time": datetime.fromisoformat(known), "revision_seq": 0}
    return {"entity": series, **clocks, "op": "upsert", "value": value, "source": "doc", "record_id": "doc/0/1/0"}


class Story:
    """A lake in a folder, and what is told of it."""

    def __init__(self, folder: Path) -> None:
        catalog = SqlCatalog("doc", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder.as_uri())
        ensure_database(catalog, "doc")
        migrate(catalog, "doc", str(folder), [SERIES])
        self.clock = Clock()
        self.lake, self.reader = Lake(catalog, "doc", self.clock), LakeReader(catalog, "doc")

    def show(self, what: str, **pin: Any) -> None:
        """Print what a read gives."""
        rows = self.reader.read(SERIES, **pin).sort_by([("entity", "ascending"), ("knowledge_time", "ascending")])
        told = zip(rows["entity"].to_pylist(), rows["value"].to_pylist(), strict=True)
        print(f"  {what:<34}", ", ".join(f"{entity} {value}" for entity, value in told))

    def publish(self, draft: str, *rows: dict[str, Any]) -> None:
        """Draft, audit, publish."""
        draft_rows(self.lake, SERIES, draft, rows)
        audit = audit_draft(self.lake, SERIES, draft)
        print(f"  {draft}: {audit.added} added, {audit.revised} revised, {audit.retracted} retracted")
        for move in audit.columns[0].largest:
            print(f"    {move.fact['entity']} moves from {move.before} to {move.after}")
        publish_draft(self.lake, SERIES, audit, as_of=AS_OF, author="ann", reason="the vendor's file")

    def tell(self) -> None:
        """Tell it."""
        print("what arrives by the stream, and what is published beside it")
        row = fact("uk.cpi", "2008-10-14T08:30:00+00:00", 5.2)
        land_facts(self.lake.loader(SERIES.name), SERIES, [row], checkpoints={"s/0": 1}, clock=self.clock)
        self.publish("first", fact("uk.gdp", "2008-10-24T08:30:00+00:00", -0.5))
        wrong = fact("uk.gdp", "2009-06-30T08:30:00+00:00", -5.0)
        self.publish("second", wrong, fact("uk.jobs", "2008-11-12T09:30:00+00:00", 5.8))
        settled = self.reader.settled_to(SERIES)
        self.show("main")
        print("the second file was wrong: back to what the first one left")
        reason = "percent of a year, not of a quarter"
        roll_back(self.lake, SERIES, as_of=AS_OF, revision_seq=0, author="bob", reason=reason)
        self.show("main")
        self.show("the revision that was wrong", revision="rev-20091231T000000000000Z-1")
        self.show("main, as the system had it before", ingested_to=settled)
        self.maintain()
        print("and every revision still says what it said")
        for one in revision_records(self.lake):
            rows = reproduce(self.lake, SERIES, as_of=one.as_of, revision_seq=one.revision_seq)
            told = f"{rows.num_rows} rows, {one.content_hash[:8]}, {one.reason}"
            print(f"  {one.revision_seq} {one.kind:<8} by {one.author}: {told}")
        print(f"  the chain of {verify_chain(self.lake)} records is whole")

    def maintain(self) -> None:
        """Compact and expire."""
        print("maintenance")
        for done in compact(self.lake, SERIES.name, sort=SERIES.sort_names, few=2):
            print(f"  {done.files} files became one, {done.rows} rows")
        kept = {one.snapshot_id for one in revision_records(self.lake) if one.snapshot_id}
        # Snapshots carry the date of the machine, whatever clock the lake is given.
        self.clock.now = datetime.now(UTC) + timedelta(days=30)
        print(f"  {expire(self.lake, SERIES.name, pinned=kept, keep_last=1).expired} snapshots expired")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        Story(Path(folder)).tell()
