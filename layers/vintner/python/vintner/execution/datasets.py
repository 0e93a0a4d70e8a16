"""The datasets of execution: states of orders, and fills."""

from __future__ import annotations

from typing import Final

from vintner.lake.model import Layout
from vintner.marketdata.declared import stream_dataset
from vintner.messaging.streams import FILLS as FILLS_STREAM
from vintner.messaging.streams import ORDERS as ORDERS_STREAM

ORDERS: Final = stream_dataset(
    ORDERS_STREAM,
    name="orders",
    doc="Every state an order took, once.",
    keys=("order_id", "order_seq"),
    layout=Layout.MONTH_OF_EVENT,
    least=("order_seq",),
    above_zero=("quantity",),
    served=False,
)

FILLS: Final = stream_dataset(
    FILLS_STREAM,
    name="fills",
    doc="Every execution of an order of ours, once.",
    keys=("fill_id",),
    layout=Layout.MONTH_OF_EVENT,
    above_zero=("quantity",),
    served=False,
)

DATASETS: Final = {dataset.name: dataset for dataset in (ORDERS, FILLS)}
"""The datasets of execution by name."""
