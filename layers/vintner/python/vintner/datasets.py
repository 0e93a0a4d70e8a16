"""Every declared dataset of the platform: what migration creates, maintenance keeps and commands name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from vintner.execution.datasets import DATASETS as EXECUTION
from vintner.features.datasets import STREAMED
from vintner.features.errors import UnknownDatasetError
from vintner.lake.model import ENTITY_KEY, Dataset
from vintner.marketdata.datasets import DATASETS as MARKET

DATASETS: Final[Mapping[str, Dataset]] = MappingProxyType({**MARKET, **STREAMED, **EXECUTION})
"""Every dataset by name."""


def find_dataset(name: str) -> Dataset:
    """Return the declared dataset ``name``.

    Raises
    ------
    UnknownDatasetError
        If no dataset has that name; the error lists those that exist.

    Examples
    --------
    >>> find_dataset("macro_series").values.names
    ['value']
    >>> find_dataset("bars").key_names
    ('instrument', 'interval')
    """
    if name not in DATASETS:
        raise UnknownDatasetError(dataset=name, known=", ".join(sorted(DATASETS)))
    return DATASETS[name]


def find_series(name: str) -> Dataset:
    """Return the declared dataset ``name``, whose entities are named by one text, the column ``entity``.

    Raises
    ------
    UnknownDatasetError
        If no such dataset has that name; the error lists those that exist.

    Examples
    --------
    >>> find_series("macro_series").key_names
    ('entity',)
    """
    series = {known: dataset for known, dataset in DATASETS.items() if dataset.keys == ENTITY_KEY}
    if name not in series:
        raise UnknownDatasetError(dataset=name, known=", ".join(sorted(series)))
    return series[name]


def dataset_of(stream: str) -> Dataset:
    """Return the dataset that the records of a stream are landed in.

    Raises
    ------
    UnknownDatasetError
        If the stream carries none.

    Examples
    --------
    >>> dataset_of("market_data.l1").name
    'quotes'
    """
    for dataset in DATASETS.values():
        if dataset.stream == stream:
            return dataset
    raise UnknownDatasetError(dataset=f"of stream {stream}", known=", ".join(sorted(DATASETS)))
