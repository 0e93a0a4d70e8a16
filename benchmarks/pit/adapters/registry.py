"""Which systems there are, by the name that ``--systems`` takes. A new one is one more line here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.pit.adapters.base import Adapter
from benchmarks.pit.adapters.in_duckdb import DuckDBAdapter, DuckDBPlainAdapter
from benchmarks.pit.adapters.in_feast import FeastAdapter, FeastCreatedAdapter
from benchmarks.pit.adapters.in_polars import PolarsAdapter, PolarsPlainAdapter
from benchmarks.pit.adapters.vintner_process import VintnerAdapter
from benchmarks.pit.adapters.vintner_sql import VintnerSqlAdapter
from vintner.errors import VintnerError


class UnknownSystemError(VintnerError, ValueError):
    """A system that has no adapter was named."""

    template = "there is no adapter for {system!r}; choose from {known}, or write one (benchmarks/pit/README.md)"


ADAPTERS: Final[Mapping[str, type[Adapter]]] = {
    adapter.name: adapter
    for adapter in (
        VintnerAdapter,
        VintnerSqlAdapter,
        PolarsAdapter,
        PolarsPlainAdapter,
        DuckDBAdapter,
        DuckDBPlainAdapter,
        FeastCreatedAdapter,
        FeastAdapter,
    )
}
"""Every adapter by its name."""


def adapters(names: Sequence[str]) -> list[type[Adapter]]:
    """Return the adapters with these names.

    Raises
    ------
    UnknownSystemError
    """
    for name in names:
        if name not in ADAPTERS:
            raise UnknownSystemError(system=name, known=", ".join(ADAPTERS))
    return [ADAPTERS[name] for name in names]
