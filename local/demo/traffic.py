"""Sends the traffic, and waits until the lake accounts for every piece of it.

What was sent is accounted for when each dataset's ledger (kept and duplicates) and the quarantine's together reach
what was sent. The ledgers are in the tables' snapshots, so the numbers shown are those the platform committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from pyiceberg.catalog import Catalog

from local.demo.errors import StreamingStalledError
from local.demo.faults import BadDelivery, Record, Traffic
from vintner.bitemporal.model import ENTITY, EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, VERSION_KEY
from vintner.lake.ledger import Ledger
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.reader import load_table
from vintner.marketdata import REFERENCE
from vintner.messaging import Entry, Producer

CALL: Final = 4000
"""Records handed to the producer at once: so many that each of its lanes fills an envelope."""
POLL_S: Final = 1.0
"""Looking costs the ground some work of its own, so not too often."""
STALL_S: Final = 45.0
"""Without any progress for so long, something is wrong."""

OnProgress = Callable[[str, int], None]
"""Receives a dataset's name and how many of its records have been dealt with so far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What the ledgers say: kept and duplicates by dataset, and all refusals."""

    kept: Mapping[str, int]
    duplicates: Mapping[str, int]
    quarantined: int

    def of(self, dataset: str) -> int:
        """Records of a dataset that were kept, or recognised as repeats."""
        return self.kept[dataset] + self.duplicates[dataset]

    @property
    def total(self) -> int:
        """Pieces accounted for."""
        return sum(self.kept.values()) + sum(self.duplicates.values()) + self.quarantined


class Sender:
    """Sends traffic to the streams of a deployment.

    Parameters
    ----------
    producers
        A producer by logical stream name.
    """

    def __init__(self, producers: Mapping[str, Producer]) -> None:
        self._producers = producers
        self.sent = 0
        self.sent_by_dataset: dict[str, int] = {}

    def send(self, traffic: Traffic, *, late: bool = False) -> None:
        """Send the records of one feed, or those held back."""
        records = traffic.late if late else traffic.records
        for start in range(0, len(records), CALL):
            self._send(traffic, records[start : start + CALL])

    def send_bad(self, bad: Iterable[BadDelivery]) -> None:
        """Send bad pieces as they are."""
        for piece in bad:
            self._producers[piece.stream].send_raw([Entry("bad", piece.data)])
            self.sent += 1

    def _send(self, traffic: Traffic, records: Sequence[Record]) -> None:
        producer = self._producers[traffic.stream]
        sent = producer.send(traffic.dataset, traffic.source, records, sent_at=datetime.now(UTC))
        self.sent += sent
        self.sent_by_dataset[traffic.dataset] = self.sent_by_dataset.get(traffic.dataset, 0) + sent


class Watch:
    """Reads what has become of the traffic from the tables' ledgers."""

    def __init__(self, catalog: Catalog, database: str, log: Callable[[], str]) -> None:
        self._catalog = catalog
        self._database = database
        self._log = log
        self._names = (*REFERENCE, QUARANTINE)
        self._counts: dict[str, Mapping[str, int]] = {name: {} for name in self._names}

    def tally(self) -> Tally:
        """Return the ledgers' counts as committed now."""
        return self._refreshed(self._names)

    def wait(self, sender: Sender, on_progress: OnProgress, *, only: str | None = None) -> Tally:
        """Wait until everything sent is accounted for, or everything of ``only`` one dataset.

        Raises
        ------
        StreamingStalledError
            Nothing moved for 45 seconds; the error shows what the handlers said.
        """
        before, moved = -1, time.monotonic()
        while True:
            tally = self._refreshed([name for name in self._names if not self._is_complete(name, sender)])
            for name in REFERENCE:
                on_progress(name, tally.of(name))
            if tally.total >= sender.sent or (only is not None and self._is_settled(only, sender)):
                return tally
            if tally.total != before:
                before, moved = tally.total, time.monotonic()
            elif time.monotonic() - moved > STALL_S:
                missing = sender.sent - tally.total
                raise StreamingStalledError(missing=missing, sent=sender.sent, seconds=STALL_S, log=self._log())
            time.sleep(POLL_S)

    def quarantine(self) -> list[dict[str, Any]]:
        """Return what is in the quarantine."""
        table = load_table(self._catalog, self._database, QUARANTINE).scan().to_arrow()
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    def _is_complete(self, name: str, sender: Sender) -> bool:
        """Say whether a dataset's ledger has all its records already, so that it need not be read again."""
        return name in REFERENCE and self._tally().of(name) >= sender.sent_by_dataset.get(name, 0)

    def _is_settled(self, name: str, sender: Sender) -> bool:
        """Say whether a dataset's records are all kept, repeats or refused."""
        missing = sender.sent_by_dataset.get(name, 0) - self._tally().of(name)
        if missing > 0 and self._tally().quarantined:
            missing -= sum(row["dataset"] == name for row in self.quarantine())
        return missing <= 0

    def _refreshed(self, names: Iterable[str]) -> Tally:
        for name in names:
            self._counts[name] = Ledger.of(load_table(self._catalog, self._database, name)).counts
        return self._tally()

    def _tally(self) -> Tally:
        return Tally(
            kept={name: self._counts[name].get("kept", 0) for name in REFERENCE},
            duplicates={name: self._counts[name].get("duplicates", 0) for name in REFERENCE},
            quarantined=self._counts[QUARANTINE].get("quarantined", 0),
        )


def late_kept(traffic: Iterable[Traffic], facts: Callable[[str], pa.Table]) -> int:
    """Return how many late records are in the lake under the knowledge time they were sent with."""
    found = 0
    for one in (one for one in traffic if one.late):
        table = facts(one.dataset)
        held = set(zip(*(table[name].to_pylist() for name in VERSION_KEY), strict=True))
        found += sum(_version_key(record) in held for record in one.late)
    return found


def _version_key(record: Record) -> tuple[str, datetime, datetime, int]:
    event, known = (datetime.fromisoformat(record[clock]) for clock in (EVENT_TIME, KNOWLEDGE_TIME))
    return record[ENTITY], event, known, record[REVISION_SEQ]
