"""The datasets of market and macro data, each declared once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pyarrow as pa

from vintner.lake.model import Column, Dataset, Layout
from vintner.marketdata.declared import stream_dataset
from vintner.marketdata.gaps.dataset import GAPS
from vintner.marketdata.symbology import SYMBOLS
from vintner.messaging.streams import BARS as BARS_STREAM
from vintner.messaging.streams import L1 as L1_STREAM
from vintner.messaging.streams import TRADES as TRADES_STREAM

MARKET_DATA: Final = "market_data"
MACRO_DATA: Final = "macro_data"

INSTRUMENTS: Final = Dataset(
    name="instruments",
    doc="The instruments the platform knows. A price of an instrument not here is quarantined.",
    stream=MARKET_DATA,
    columns=(
        Column(name="name", type=pa.string(), doc="Display name."),
        Column(name="currency", type=pa.string(), doc="ISO 4217 code of the prices."),
    ),
    layout=Layout.YEAR_OF_KNOWLEDGE,
)

PRICES_DAILY: Final = Dataset(
    name="prices_daily",
    doc="Daily prices by symbol. The event is the close of the session, not its start.",
    stream=MARKET_DATA,
    columns=(
        Column(name="open", type=pa.float64(), doc="First price, in the currency.", exclusive_minimum=0.0),
        Column(name="high", type=pa.float64(), doc="Highest price, in the currency.", exclusive_minimum=0.0),
        Column(name="low", type=pa.float64(), doc="Lowest price, in the currency.", exclusive_minimum=0.0),
        Column(
            name="close", type=pa.float64(), doc="Closing price, in the currency.", required=True, exclusive_minimum=0.0
        ),
        Column(name="volume", type=pa.float64(), doc="Shares traded.", minimum=0.0),
        Column(name="adj_close", type=pa.float64(), doc="Back-adjusted close as known then.", exclusive_minimum=0.0),
    ),
    layout=Layout.YEAR_OF_EVENT,
    known_entities=INSTRUMENTS.name,
    ttl=timedelta(days=10),
)

INDEX_MEMBERSHIP: Final = Dataset(
    name="index_membership",
    doc="Membership of an index by date of effect; the entity is INDEX/SYMBOL, for instance SP500/AAPL.",
    stream=MARKET_DATA,
    columns=(Column(name="member", type=pa.bool_(), doc="Whether the symbol is in the index.", required=True),),
    layout=Layout.YEAR_OF_KNOWLEDGE,
)

MACRO_SERIES: Final = Dataset(
    name="macro_series",
    doc="Macroeconomic series by vintage; the entity is the series, the event is the end of its period.",
    stream=MACRO_DATA,
    columns=(Column(name="value", type=pa.float64(), doc="Observation in the unit of the series.", required=True),),
    layout=Layout.YEAR_OF_KNOWLEDGE,
)

FACTOR_RETURNS: Final = Dataset(
    name="factor_returns",
    doc="Returns of published factor portfolios by vintage of the publisher's file; the entity is the factor.",
    stream=MACRO_DATA,
    columns=(Column(name="return_pct", type=pa.float64(), doc="Return of the period, percent.", required=True),),
    layout=Layout.YEAR_OF_KNOWLEDGE,
)

INSTRUMENT: Final = Column(
    name="instrument", type=pa.string(), doc="Instrument, as the symbology names it.", required=True
)

TRADES: Final = stream_dataset(
    TRADES_STREAM,
    name="trades",
    doc="Every execution, once. It is known from its reception, or from its own time where that is later.",
    keys=("instrument", "trade_id"),
    added=(INSTRUMENT,),
    layout=Layout.DAY_OF_EVENT,
    sort=("instrument", "event_time", "trade_id", "knowledge_time", "revision_seq"),
    served=False,
)

QUOTES: Final = stream_dataset(
    L1_STREAM,
    name="quotes",
    doc="Every change of a best bid or offer, once. It is known as a trade is.",
    keys=("instrument", "update_id"),
    added=(INSTRUMENT,),
    layout=Layout.DAY_OF_EVENT,
    sort=("instrument", "event_time", "update_id", "knowledge_time", "revision_seq"),
    served=False,
)

BARS: Final = stream_dataset(
    BARS_STREAM,
    name="bars",
    doc="Bars of every interval, each revision with its own knowledge time; the event is the end of the interval.",
    keys=("instrument", "interval"),
    left_out=("partial",),
    layout=Layout.DAY_OF_EVENT,
    ttl=timedelta(days=10),
)

REFERENCE: Final = {
    dataset.name: dataset
    for dataset in (INSTRUMENTS, PRICES_DAILY, INDEX_MEMBERSHIP, MACRO_SERIES, FACTOR_RETURNS, SYMBOLS, GAPS)
}
"""The datasets whose facts anyone may state: they travel as JSON in the streams ``market_data`` and ``macro_data``."""

DATASETS: Final = REFERENCE | {dataset.name: dataset for dataset in (TRADES, QUOTES, BARS)}
"""Every dataset of market and macro data by name."""


def datasets_of(stream: str) -> dict[str, Dataset]:
    """Return the datasets a stream carries, by name, those that others depend on first.

    Examples
    --------
    >>> list(datasets_of(MACRO_DATA))
    ['macro_series', 'factor_returns']
    """
    return {name: dataset for name, dataset in DATASETS.items() if dataset.stream == stream}
