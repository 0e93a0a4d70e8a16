"""Membership of the S&P 500 since the end of 2004 (data of the ``pitindex`` package).

A seed (the list of 2004-12-30) and the changes after it, by date of effect. Announcements come days earlier but
are not in the file, so a change counts as known only when it takes effect: late, never early.
"""

from __future__ import annotations

from datetime import date, datetime, time

import pyarrow as pa

from local.demo.errors import PackagedDataChangedError
from local.demo.model import Feed
from local.demo.sources.clocks import local_instant, upserts
from local.demo.sources.packaged import read_packaged_csv
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME, REVISION_SEQ

PACKAGE = "pitindex"
SEED, CHANGES = "data/sp500_seed.csv", "data/sp500_changes.csv"
INDEX, ZONE = "SP500", "America/New_York"
_MEANING = {"added": True, "removed": False}


def read_membership() -> Feed:
    """Read seed and changes; a symbol removed and added on one day is one fact with two versions, the last wins."""
    seed = read_packaged_csv(PACKAGE, SEED, columns={"effective_date": pa.date32(), "ticker": pa.string()})
    changes = read_packaged_csv(
        PACKAGE, CHANGES, columns={"date": pa.date32(), "action": pa.string(), "ticker": pa.string()}
    )
    stated = [(row["ticker"], row["effective_date"], True) for row in seed.to_pylist()]
    stated += [(row["ticker"], row["date"], _meaning(row["action"])) for row in changes.to_pylist()]
    return Feed(
        name="pitindex-sp500",
        dataset="index_membership",
        facts=_versions(stated),
        origin=f"{PACKAGE}/{CHANGES}",
        known_by_rule="midnight in New York of the date of effect (announcements are not in the file)",
    )


def _meaning(action: str) -> bool:
    if action not in _MEANING:
        raise PackagedDataChangedError(file=f"{PACKAGE}/{CHANGES}", problem=f"action {action!r}")
    return _MEANING[action]


def _versions(stated: list[tuple[str, date, bool]]) -> pa.Table:
    versions: dict[tuple[str, date], int] = {}
    rows: list[tuple[str, datetime, int, bool]] = []
    for symbol, day, member in stated:
        version = versions.get((symbol, day), -1) + 1
        versions[symbol, day] = version
        rows.append((f"{INDEX}/{symbol}", local_instant(day, time.min, ZONE), version, member))
    events = pa.array([row[1] for row in rows], INSTANT)
    return upserts(
        pa.table(
            {
                ENTITY: [row[0] for row in rows],
                EVENT_TIME: events,
                KNOWLEDGE_TIME: events,
                REVISION_SEQ: pa.array([row[2] for row in rows], pa.int64()),
                "member": [row[3] for row in rows],
            }
        )
    )
