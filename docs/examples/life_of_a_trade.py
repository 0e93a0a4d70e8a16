"""Trades on their way: lanes and numbers, bars at ticks, a late trade, the same bytes once more, a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.normalise import Context
from vintner.marketdata.processing import FixedContexts, TradesWork
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging import Delivery
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Trade, as_batch
from vintner.messaging.stateful import LanePipeline
from vintner.messaging.streams import TRADES, lane_of
from vintner.messaging.wire import unpack

START = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
SESSIONS = load_sessions()


class Stream:
    """Keeps what it is sent, as deliveries of one shard."""

    def __init__(self) -> None:
        self.now = START
        self.deliveries: list[Delivery] = []

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        """Take the entries."""
        for entry in entries:
            place = len(self.deliveries) + 1
            self.deliveries.append(
                Delivery(stream=stream, shard="0", sequence=place, data=entry.data, arrived_at=self.now)
            )
        return [None] * len(entries)


def trade(number: int, second: float, price: int, late: float = 0.0) -> Trade:
    """Return a trade so many seconds after the start, received so much later."""
    at = START + timedelta(seconds=second)
    return Trade(
        venue="binance-spot", symbol="BTCUSDT", trade_id=number, event_time=at,
        received_at=at + timedelta(seconds=late + 0.02), price=Decimal(price), size=Decimal(1),
    )  # fmt: skip


def processor() -> LanePipeline:
    """Return what the function of trades runs."""
    contexts = FixedContexts(Context(Symbology.empty(), VENUES, SESSIONS))
    return LanePipeline(TRADES, TradesWork(contexts, SESSIONS), name="trades_processor")


def show(pipeline: LanePipeline, deliveries: Sequence[Delivery]) -> None:
    """Feed deliveries; print the bars of a second and a minute that come of it."""
    derived = pipeline.feed(deliveries)
    seen = derived.counts.get("seen before", 0)
    print(f"  {len(deliveries)} deliveries, {seen} records seen before")
    for stream, batch in derived.batches:
        bars = [row for row in batch.rows.to_pylist() if row.get("interval") in ("1s", "1m")]
        for bar in bars if stream == "market_data.bars" else []:
            known = bar["knowledge_time"].isoformat(timespec="milliseconds")[11:23]
            prices = f"close {bar['close'].normalize():f}, {bar['trades']} trades"
            print(f"  {bar['interval']} to {bar['event_time']:%H:%M:%S}, {prices}, known {known}")


def main() -> None:
    """Tell the story."""
    stream = Stream()
    feed = Publisher(stream, TRADES, producer="ws/1", environment_name="docs", clock=lambda: stream.now)

    def send(*trades: Trade, at: float) -> None:
        stream.now = START + timedelta(seconds=at)
        feed.publish(as_batch(list(trades), Trade))
        feed.flush() if trades else feed.heartbeat(lanes=[lane_of("binance-spot", "BTCUSDT")])

    send(trade(1, 0.2, 100), trade(2, 0.7, 101), at=0.8)
    send(trade(4, 1.1, 103), at=1.2)
    send(at=2.0)
    print("deliveries: lane, producer, number of the first record, records")
    for one in stream.deliveries:
        batch = unpack(one.data, Trade)
        print(f"  {batch.lane} {batch.producer} {batch.first} {batch.rows.num_rows}")
    print("bars, told at the first tick a quarter of a second after their end")
    pipeline = processor()
    show(pipeline, stream.deliveries)
    print("a trade that is late revises its bar; what comes twice changes nothing")
    send(trade(3, 0.9, 102, late=1.5), at=2.5)
    send(at=3.5)
    show(pipeline, [stream.deliveries[0], *stream.deliveries[3:]])
    print("another process with the state goes on as this one would")
    again, rest = processor(), len(stream.deliveries)
    again.load(pipeline.dump())
    send(trade(5, 61.0, 104), at=61.1)
    send(at=62.5)
    show(again, stream.deliveries[rest:])


if __name__ == "__main__":
    main()
