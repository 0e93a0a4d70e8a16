"""Make the sessions that ship with the library, from the package exchange-calendars.

    python -m local.calendars

Writes ``sessions.parquet``, and ``sessions.json`` that tells what it was made from, into the library. Run it with a
newer release of the package when an exchange changed its hours or when the table's last year is near; a test compares
what is shipped with the installed release.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import metadata
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vintner.marketdata.calendars.table import DATA, SCHEMA, SOURCE

PACKAGE: Final = "exchange-calendars"
FIRST: Final = "2000-01-01"
LAST: Final = "2027-12-31"

# Engines keep these numbers in their state: add at the end, never move or remove.
CALENDARS: Final = (
    "XNYS", "XNAS", "XLON", "XPAR", "XETR", "XSWX", "XTKS", "XHKG", "CMES", "XTSE", "XASX", "XAMS", "XBRU", "XMIL",
    "XMAD", "XSTO", "XHEL", "XCSE", "XOSL", "BVMF", "XCBF", "IEPA",
)  # fmt: skip


def sessions_of(name: str) -> tuple[pa.Table, str]:
    """Return the sessions of an exchange in the library's columns, and its time zone."""
    from exchange_calendars import get_calendar  # brings pandas: only when asked for

    calendar = get_calendar(name, start=FIRST, end=LAST)
    schedule = calendar.schedule
    columns: dict[str, Any] = {
        "calendar": [name] * len(schedule),
        "day": [day.date() for day in schedule.index],
        "half_day": schedule.index.isin(calendar.early_closes).tolist(),
    }
    for ours, theirs in (
        ("opens_at", "open"),
        ("closes_at", "close"),
        ("break_starts_at", "break_start"),
        ("break_ends_at", "break_end"),
    ):
        columns[ours] = pa.Array.from_pandas(schedule[theirs].dt.as_unit("us"))
    return pa.table({field: columns[field] for field in SCHEMA.names}).cast(SCHEMA), str(calendar.tz)


def source(zones: dict[str, str]) -> dict[str, Any]:
    """Return what the table is made from, and how."""
    package = metadata(PACKAGE)
    return {
        "package": PACKAGE,
        "version": package["Version"],
        "licence": package["License-Expression"],
        "command": "python -m local.calendars",
        "first_day": FIRST,
        "last_day": LAST,
        "zones": zones,
    }


def main() -> None:
    """Write both files."""
    made = {name: sessions_of(name) for name in CALENDARS}
    table = pa.concat_tables([rows for rows, _ in made.values()])
    pq.write_table(
        table,
        DATA,
        compression="zstd",
        compression_level=19,
        use_dictionary=["calendar"],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in SCHEMA.names if name not in ("calendar", "half_day")},
        write_statistics=False,
        store_schema=False,
    )
    told = source({name: zone for name, (_, zone) in made.items()})
    SOURCE.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{table.num_rows} sessions of {len(made)} exchanges, {DATA.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
