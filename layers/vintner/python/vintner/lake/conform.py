"""Rows as a dataset declares them, whatever the table was when they were written."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from vintner.lake.model import Dataset


def conform(rows: pa.Table, dataset: Dataset, names: Iterable[str] | None = None) -> pa.Table:
    """Return rows with the columns and types a dataset declares.

    Parameters
    ----------
    rows
        As read from a table: of an older snapshot they may lack a column that was added later, which is then null,
        or have a narrower type.
    names
        The columns wanted; all of the dataset if None.

    Examples
    --------
    >>> from vintner.marketdata.datasets import MACRO_SERIES
    >>> older = pa.table({"entity": pa.array(["gdp"], pa.large_string())})
    >>> conform(older, MACRO_SERIES, ["entity", "value"]).to_pylist()
    [{'entity': 'gdp', 'value': None}]
    """
    schema = dataset.schema
    wanted = pa.schema([schema.field(name) for name in (schema.names if names is None else names)])
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)
