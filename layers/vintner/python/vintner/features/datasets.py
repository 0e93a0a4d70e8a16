"""The datasets of features: values as each processor computed them, and the vectors assembled from them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from vintner.lake.model import Layout
from vintner.marketdata.declared import stream_dataset
from vintner.messaging.streams import FEATURES_PIT as FEATURES_PIT_STREAM
from vintner.messaging.streams import FEATURES_RAW as FEATURES_RAW_STREAM
from vintner.messaging.streams import SIGNALS as SIGNALS_STREAM

ANSWERS_FOR: Final = timedelta(days=5)
"""How long a streamed feature answers: over the longest closure of an exchange that is not a crisis."""

FEATURES_RAW: Final = stream_dataset(
    FEATURES_RAW_STREAM,
    name="features_raw",
    doc="Feature values by instrument and name, each revision when it became known.",
    keys=("instrument", "feature"),
    layout=Layout.DAY_OF_EVENT,
    ttl=ANSWERS_FOR,
)

FEATURES_PIT: Final = stream_dataset(
    FEATURES_PIT_STREAM,
    name="features_pit",
    doc="Feature vectors by instrument and view, each value the latest known by then.",
    keys=("instrument", "view"),
    layout=Layout.DAY_OF_EVENT,
    ttl=ANSWERS_FOR,
)

SIGNALS: Final = stream_dataset(
    SIGNALS_STREAM,
    name="signals",
    doc="What models said, by the id of the signal.",
    keys=("signal_id",),
    layout=Layout.MONTH_OF_EVENT,
    least=("horizon_seconds",),
    served=False,
)

STREAMED: Final = {dataset.name: dataset for dataset in (FEATURES_RAW, FEATURES_PIT, SIGNALS)}
"""The datasets of streamed features and signals by name."""
