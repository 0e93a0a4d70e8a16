"""Facts for the tables of the platform: revised, withdrawn, restored, announced ahead, tied; the same on every run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from vintner.lake import Dataset
from vintner.marketdata import datasets

SEED: Final = 20240502
FIRST: Final = datetime(2008, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2010, 12, 31, tzinfo=UTC)

# What the saved queries name is among these.
ENTITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "instruments": ("AAPL", "MSFT"),
    "prices_daily": ("AAPL", "MSFT", "BP/ L"),
    "index_membership": ("SP500/AAPL", "SP500/MSFT", "FTSE/AAPL"),
    "macro_series": ("uk.gdpkp", "us.gdp", "größe"),
    "factor_returns": ("us.hml.monthly", "us.smb.monthly"),
}
QUARTERS: Final = tuple(datetime(year, month, 30, tzinfo=UTC) for year in (2008, 2009) for month in (3, 6, 9, 12))


def thrown_rows(dataset: Dataset, *, seed: int = SEED) -> list[dict[str, Any]]:
    """Return some hundred versions of a dataset's facts, with record ids of one shard."""
    dice = Random(f"{seed}/{dataset.name}")  # noqa: S311 - seeded dice
    rows = [row for entity in ENTITIES[dataset.name] for row in _entity(dataset, entity, dice)]
    dice.shuffle(rows)
    return [{**row, "source": "dice", "record_id": f"dice/0/{at}/0"} for at, row in enumerate(rows)]


def _entity(dataset: Dataset, entity: str, dice: Random) -> Iterator[dict[str, Any]]:
    for event in _events(dataset, dice):
        known = event + timedelta(days=dice.choice((-200, -100, 0, 1, 30, 45)), microseconds=dice.choice((0, 1)))
        for revision in range(dice.choice((1, 1, 2, 4))):
            op = "delete" if revision and dice.random() < 0.3 else "upsert"
            values = {column.name: _value(column.name, dice) for column in dataset.columns}
            yield {
                "entity": entity,
                "event_time": event,
                "knowledge_time": known,
                "revision_seq": revision,
                "op": op,
                **(values if op == "upsert" else dict.fromkeys(values)),
            }
            known += timedelta(days=dice.choice((0, 0, 1, 90)))


def _events(dataset: Dataset, dice: Random) -> list[datetime]:
    if dataset is datasets.MACRO_SERIES:
        return list(QUARTERS)
    days = (LAST - FIRST).days
    return sorted({FIRST + timedelta(days=dice.randrange(days), hours=21) for _ in range(25)})


def _value(name: str, dice: Random) -> Any:
    if name == "member":
        return dice.random() < 0.7
    if name in ("name", "currency"):
        return dice.choice(("Apple, Inc.", 'a "b"', "GBP", ""))
    # Halves and eighths add up alike in any order; the others show every digit.
    return dice.choice((dice.randrange(1, 4000) / 8, 1 / 3, 1e-7, 12345678.9))
