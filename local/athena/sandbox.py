"""A DuckDB in memory that can read nothing but the tables it is handed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

_PRELUDE: Final = Path(__file__).with_name("prelude.sql")

_SETTINGS: Final = (
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL python_enable_replacements = false",
    "SET GLOBAL ieee_floating_point_ops = true",
    "SET GLOBAL default_null_order = 'nulls_last'",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL TimeZone = 'UTC'",
    # It would carry the row of a row_number() = 1 through a sort key, which turns -0.0 into 0.0.
    "SET GLOBAL disabled_optimizers = 'top_n_window_elimination'",
)


class Sandbox:
    """One database with Trino's functions; each statement gets a session of its own.

    Nothing outside it can be read, and no setting can be changed by a statement.
    """

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        for setting in _SETTINGS:
            self._connection.execute(setting)
        self._connection.execute(_PRELUDE.read_text(encoding="utf-8"))
        self._connection.execute("SET GLOBAL lock_configuration = true")

    def session(self) -> duckdb.DuckDBPyConnection:
        """Return a session; what is registered in it is seen by it alone."""
        return self._connection.cursor()

    def close(self) -> None:
        """Free the database."""
        self._connection.close()
