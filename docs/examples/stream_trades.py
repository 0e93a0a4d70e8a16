"""Stream two minutes of trades, one of them late, and see what was said of their bars, and when."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings
from vintner.aws.streams import KinesisPut
from vintner.datasets import DATASETS
from vintner.lake import LakeReader
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Trade
from vintner.messaging.streams import TRADES, lane_of

settings = Settings.from_environment()
now = datetime.now(UTC)
end = now.replace(second=0, microsecond=0)
symbol = f"TRY{now:%H%M%S}USDT"  # a symbol of its own, however often this is run

late = end - timedelta(seconds=90)
# number, event, reception, price
times = [end - timedelta(seconds=120 - number) for number in range(120)]
rows = [(number, at, at + timedelta(milliseconds=3), 100 + number // 10) for number, at in enumerate(times)]
rows.append((120, late, now, 200))
trades = [
    Trade(
        venue="binance-spot",
        symbol=symbol,
        trade_id=number,
        event_time=event,
        received_at=received,
        price=Decimal(price),
        size=Decimal("0.5"),
        aggressor="buy",
    )
    for number, event, received, price in rows
]

feed = Publisher(
    KinesisPut(),
    TRADES,
    producer=f"first-steps/{now.timestamp():.0f}",
    environment_name=settings.environment,
    clock=lambda: datetime.now(UTC),
)
feed.publish(trades)
feed.flush()
print(f"sent {len(trades)} trades, one of them {(now - late).seconds} s late")

# Bars follow from the stream's own clock. A heartbeat moves it where no trade does.
reader = LakeReader(open_catalog(settings), settings.glue_database)
key = (f"{symbol}@binance-spot", "1m")
bars, deadline = [], time.monotonic() + 60
while len(bars) < 3 and time.monotonic() < deadline:
    time.sleep(0.5)
    feed.heartbeat(lanes=[lane_of("binance-spot", symbol)])
    bars = reader.read(DATASETS["bars"], entities=[key]).sort_by("knowledge_time").to_pylist()

if len(bars) < 3:
    raise SystemExit(f"only {len(bars)} of 3 bars came in a minute: run it again, or ask `python -m local status`")

print("\nminute to  trades    high   close  volume  known")
for bar in bars:
    told = f"{bar['event_time']:%H:%M}{bar['trades']:>12}{bar['high']:>8.0f}{bar['close']:>8.0f}{bar['volume']:>8.1f}"
    print(f"{told}  {bar['knowledge_time']:%H:%M:%S.%f}")
