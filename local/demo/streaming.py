"""The streaming act: everything in, with trouble on purpose, and what became of it.

1. Instruments go first and are waited for, since a price of an unknown symbol is refused.
2. Everything goes with its batches out of order and repeats among it; then the late records; all is waited for.
3. The bad pieces go last, one of each kind, so that a contradiction meets what it contradicts.
4. The ledgers and the quarantine tell what became of each piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from local.demo.faults import BadDelivery, Traffic, bad_deliveries, disturb
from local.demo.model import Material
from local.demo.report import BadLine, Counts, Trouble
from local.demo.screen import Screen
from local.demo.stage import Stage
from local.demo.traffic import Sender, Tally, Watch, late_kept
from vintner.aws.streams import KinesisPut
from vintner.lake import FactReader
from vintner.marketdata import INSTRUMENTS, MACRO_DATA, MARKET_DATA, REFERENCE
from vintner.messaging import Producer

PRODUCER: Final = "demo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Streamed:
    """What was sent and what became of it."""

    records: Counts
    by_dataset: Mapping[str, Counts]
    trouble: Trouble
    refused: Mapping[str, int]


def stream_all(material: Material, stage: Stage, screen: Screen, reader: FactReader) -> Streamed:
    """Send everything and wait until all of it is accounted for.

    Raises
    ------
    StreamingStalledError
        Something did not arrive.
    """
    put = KinesisPut(stage.client("kinesis"))
    streams = {MARKET_DATA: stage.deployment.market_stream, MACRO_DATA: stage.deployment.macro_stream}
    sender = Sender({name: Producer(put, stream, name=PRODUCER) for name, stream in streams.items()})
    watch = Watch(stage.catalog(), stage.deployment.glue_database, stage.handler_log)
    traffic = [disturb(feed) for feed in material.feeds]
    bad = bad_deliveries(material.feeds, now=datetime.now(UTC))
    _send_facts(traffic, sender, watch, screen)
    clean = _send_bad(bad, sender, watch, screen)
    with screen.step("Reading the quarantine and the late records"):
        return _account(traffic, bad, sender, clean, watch, reader)


def _send_facts(traffic: Sequence[Traffic], sender: Sender, watch: Watch, screen: Screen) -> None:
    totals: Counter[str] = Counter()
    for one in traffic:
        totals[one.dataset] += one.sent
    # Only prices need instruments, so the other stream is fed while these are waited for.
    instruments = [one for one in traffic if one.dataset == INSTRUMENTS.name]
    macro = [one for one in traffic if one.stream == MACRO_DATA]
    market = [one for one in traffic if one.stream == MARKET_DATA and one not in instruments]
    what = f"Streaming {totals.total():,} records through Kinesis into the lake and the online store"
    with screen.counting(what, dict(totals)) as show:
        for one in [*instruments, *macro]:
            sender.send(one)
        for one in instruments:
            sender.send(one, late=True)
        watch.wait(sender, show, only=INSTRUMENTS.name)
        for one in market:
            sender.send(one)
        for one in [*market, *macro]:
            sender.send(one, late=True)
        watch.wait(sender, show)


def _send_bad(bad: Sequence[BadDelivery], sender: Sender, watch: Watch, screen: Screen) -> Tally:
    """Send the bad pieces; return the tally from before they were sent."""
    clean = watch.tally()
    with screen.counting(f"Sending {len(bad)} bad pieces on purpose", {}) as show:
        sender.send_bad(bad)
        watch.wait(sender, show)
    return clean


def _account(
    traffic: Sequence[Traffic],
    bad: Sequence[BadDelivery],
    sender: Sender,
    clean: Tally,
    watch: Watch,
    reader: FactReader,
) -> Streamed:
    tally, quarantine = watch.tally(), watch.quarantine()
    tables = {name: reader.read(REFERENCE[name]) for name in {one.dataset for one in traffic}}
    naturally = Counter(row["dataset"] for row in quarantine) - Counter(_datasets_of(bad, quarantine))
    by_dataset = {
        name: Counts(sent=sent, kept=clean.kept[name], duplicates=clean.duplicates[name], quarantined=naturally[name])
        for name, sent in sender.sent_by_dataset.items()
    }
    return Streamed(
        records=Counts(
            sent=sender.sent,
            kept=sum(table.num_rows for table in tables.values()),
            duplicates=sum(tally.duplicates.values()),
            quarantined=len(quarantine),
        ),
        by_dataset=by_dataset,
        trouble=Trouble(
            duplicates=sum(one.duplicates for one in traffic),
            late=sum(len(one.late) for one in traffic),
            late_kept=late_kept(traffic, lambda name: tables[name]),
            moved_batches=sum(one.moved_batches for one in traffic),
            bad=tuple(_line(piece, quarantine) for piece in bad),
        ),
        refused=Counter(row["rule"] for row in quarantine),
    )


def _datasets_of(bad: Sequence[BadDelivery], quarantine: Sequence[Mapping[str, Any]]) -> list[str | None]:
    pieces = {(piece.rule, piece.payload) for piece in bad}
    return [row["dataset"] for row in quarantine if (row["rule"], row["payload"]) in pieces]


def _line(piece: BadDelivery, quarantine: Sequence[Mapping[str, Any]]) -> BadLine:
    found = [row for row in quarantine if (row["rule"], row["payload"]) == (piece.rule, piece.payload)]
    return BadLine(
        kind=piece.kind,
        rule=piece.rule,
        quarantined=len(found) == 1,
        remedy=found[0]["remedy"] if found else "",
    )
