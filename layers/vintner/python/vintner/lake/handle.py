"""What every operation on the lake needs: where the tables are, and what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from vintner.lake.facts import Clock
from vintner.lake.reader import load_table


@dataclass(frozen=True, slots=True)
class Lake:
    """The tables of one database, and the clock of whoever writes to them.

    Parameters
    ----------
    catalog, database
        Where the tables are.
    clock
        Tells the present, zoned.
    wait
        Sleeps for a number of seconds between attempts to commit.

    Examples
    --------
    >>> lake = Lake(open_catalog(settings), settings.glue_database, lambda: datetime.now(UTC))  # doctest: +SKIP
    """

    catalog: Catalog
    database: str
    clock: Clock
    wait: Callable[[float], None] = time.sleep

    def load(self, name: str) -> Table:
        """Return a table as it is now.

        Raises
        ------
        TableMissingError
            It is not in the catalog.
        """
        return load_table(self.catalog, self.database, name)

    def loader(self, name: str) -> Callable[[], Table]:
        """Return what loads a table anew each time it is called."""
        return partial(self.load, name)
