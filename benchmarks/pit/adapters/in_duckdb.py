# ruff: noqa: S608 - the statements are put together from names and instants of our own
"""DuckDB, twice: the ASOF join everyone writes, and bitemporal SQL.

**plain** is ``ASOF LEFT JOIN`` on event time: one clock, so it looks ahead.

**bitemporal** keeps the leaders (see the Polars adapter) and joins them on knowledge time where nothing is withdrawn
and nothing is known before its event. Otherwise it pairs each row of the spine with every row of its entity that is
known by then, settles each fact, and takes the newest: right always, and as large as the spine times a history.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import duckdb
import pyarrow as pa

from benchmarks.pit.adapters.base import Answer, CannotAnswerError
from benchmarks.pit.data import Data
from benchmarks.pit.queries import Kind, Query, Use
from benchmarks.pit.shapes import ROW

_PAIRS: Final = 500_000_000
"""More pairs of a spine row and a fact row than this take too long."""


class Session:
    """A database with the data set loaded, and how its columns are spelled in SQL."""

    def __init__(self, data: Data) -> None:
        self.data, self.shape = data, data.shape
        self.database = duckdb.connect(":memory:", config={"temp_directory": "", "autoload_known_extensions": "false"})
        self.database.execute("SET TimeZone = 'UTC'")
        for table in ("spine", *data.shape.tables):
            files = [str(file) for file in data.files(table)]
            self.database.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet({files})")

    def ask(self, sql: str) -> pa.Table:
        """Run a statement."""
        return self.database.sql(sql).to_arrow_table()

    def same(self, left: str, right: str) -> str:
        """Return the condition that two relations mean one entity."""
        return " AND ".join(f"{left}.{key} = {right}.{key}" for key in self.shape.key_names)

    @property
    def keys(self) -> str:
        """Key columns, with commas between."""
        return ", ".join(self.shape.key_names)

    def is_entity(self, number: int) -> str:
        """Return the condition that a row is about the entity with this number."""
        pairs = zip(self.shape.key_names, self.data.entity(number), strict=True)
        return " AND ".join(f"{name} = {_literal(value)}" for name, value in pairs)

    def pairs(self, table: str) -> int:
        """Return how many pairs of a spine row and a row of its entity there are."""
        sql = f"""
            SELECT coalesce(sum(asked * told), 0)::BIGINT
            FROM (SELECT {self.keys}, count(*) AS asked FROM spine GROUP BY ALL)
            JOIN (SELECT {self.keys}, count(*) AS told FROM {table} GROUP BY ALL) USING ({self.keys})
        """
        return int(self.database.sql(sql).fetchall()[0][0])

    def close(self) -> None:
        """Close the database."""
        self.database.close()


class _DuckDBAdapter:
    """What both share."""

    def prepare(self, data: Data) -> None:
        """Load the Parquet files into tables."""
        self._session = Session(data)

    def close(self) -> None:
        """Close the database."""
        self._session.close()

    def _chosen(self, rows: str, query: Query) -> pa.Table:
        return self._session.ask(f"SELECT {', '.join(query.schema(self._session.shape).names)} FROM ({rows})")


class DuckDBPlainAdapter(_DuckDBAdapter):
    """ASOF join on event time, and reads that do not ask when a row became known."""

    name: ClassVar[str] = "duckdb-plain"
    about: ClassVar[str] = "event time only: looks ahead"

    def run(self, query: Query) -> Answer:
        """Ask in the plain way."""
        session, table = self._session, query.uses[0].table
        if query.kind is Kind.TRAILING:
            raise CannotAnswerError(reason="an ASOF join gives one row, not the last n")
        if query.kind is Kind.JOIN:
            return Answer(session.ask(self._join(query)))
        if query.kind is Kind.HISTORY:
            return Answer(self._chosen(f"SELECT * FROM {table} WHERE {session.is_entity(query.entity)}", query))
        per, order = session.keys, "event_time DESC"
        where = f"event_time <= {_instant(query.known_at if query.kind is Kind.VINTAGE else query.at)}"
        if query.kind is Kind.VINTAGE:
            per += ", event_time"
        if query.kind is Kind.NEXT:
            where, order = f"event_time > {_instant(query.at)}", "event_time"
        return Answer(self._chosen(f"SELECT DISTINCT ON ({per}) * FROM {table} WHERE {where} ORDER BY {order}", query))

    def _join(self, query: Query) -> str:
        joins = [
            f"ASOF LEFT JOIN ({_as_stored(use, query)}) AS {use.table} ON {self._session.same('spine', use.table)}"
            f" AND spine.time >= {use.table}.event_time"
            for use in query.uses
        ]
        return f"SELECT {ROW}, {_outputs(query, 'event_time')} FROM spine {' '.join(joins)}"


class DuckDBAdapter(_DuckDBAdapter):
    """Bitemporal SQL."""

    name: ClassVar[str] = "duckdb"
    about: ClassVar[str] = "bitemporal SQL: leaders and one ASOF join; pairs where facts are withdrawn"

    def run(self, query: Query) -> Answer:
        """Ask in the best way there is."""
        session = self._session
        if query.reads_spine:
            return Answer(self._of_spine(query))
        (use,) = query.uses
        if query.kind is Kind.HISTORY:
            rows = f"""
                SELECT DISTINCT ON (event_time, knowledge_time, revision_seq) * FROM {use.table}
                WHERE {session.is_entity(query.entity)} ORDER BY ingested_at
            """
            return Answer(self._chosen(rows, query))
        rows = _living(f"SELECT * FROM {use.table} WHERE knowledge_time <= {_instant(query.known_at)}", session.keys)
        if query.kind is Kind.NEXT:
            past = f"SELECT * FROM ({rows}) WHERE event_time > {_instant(query.at)}"
            rows = f"SELECT DISTINCT ON ({session.keys}) * FROM ({past}) ORDER BY event_time"
        if query.kind is Kind.LATEST:
            past = f"SELECT * FROM ({rows}) WHERE event_time <= {_instant(query.at)}"
            rows = f"SELECT DISTINCT ON ({session.keys}) * FROM ({past}) ORDER BY event_time DESC"
            rows = f"SELECT * FROM ({rows}) WHERE {_fresh(use, _instant(query.at), 'event_time')}"
        return Answer(self._chosen(rows, query))

    def _of_spine(self, query: Query) -> pa.Table:
        joins, relations = [], []
        for use in query.uses:
            told = self._session.shape.tables[use.table]
            if query.kind is Kind.JOIN and not (told.withdrawn or told.announced or told.moved):
                relations.append(f"{use.table}_leaders AS ({self._leaders(use, query)})")
                joins.append(
                    f"ASOF LEFT JOIN {use.table}_leaders AS {use.table} ON"
                    f" {self._session.same('spine', use.table)} AND spine.time >= {use.table}.known"
                )
            else:
                relations.append(f"{use.table}_settled AS ({self._settled(use, query)})")
                joins.append(f"LEFT JOIN {use.table}_settled AS {use.table} USING ({ROW})")
        outputs = _outputs(query, "event_time") if query.kind is Kind.JOIN else _lists(query)
        return self._session.ask(
            f"WITH {', '.join(relations)} SELECT spine.{ROW}, {outputs} FROM spine {' '.join(joins)}"
        )

    def _leaders(self, use: Use, query: Query) -> str:
        order = f"PARTITION BY {self._session.keys} ORDER BY knowledge_time, event_time, revision_seq"
        return f"""
            SELECT *, knowledge_time + {_interval(use.delay)} AS known FROM ({_as_stored(use, query)})
            QUALIFY event_time = max(event_time) OVER ({order} ROWS UNBOUNDED PRECEDING)
                AND knowledge_time IS DISTINCT FROM lead(knowledge_time) OVER ({order})
        """

    def _settled(self, use: Use, query: Query) -> str:
        pairs = self._session.pairs(use.table)
        if pairs > _PAIRS:
            raise CannotAnswerError(reason=f"no ASOF join on two clocks; {pairs:,} pairs by an inequality join")
        known = f"""
            SELECT spine.{ROW}, spine.time, f.* FROM spine
            JOIN ({_as_stored(use, query)}) f ON {self._session.same("spine", "f")}
            WHERE f.knowledge_time <= spine.time - {_interval(use.delay)} AND f.event_time <= spine.time
        """
        living = _living(known, ROW)
        if query.kind is Kind.TRAILING:
            lists = ", ".join(
                f"list({column} ORDER BY event_time)[-{query.last}:] AS {column}" for column in use.outputs.values()
            )
            return f"SELECT {ROW}, {lists} FROM ({living}) GROUP BY {ROW}"
        # A struct, because max_by passes over nulls, and a null inside a fact is an answer.
        parts = ", ".join(f"{name}: {name}" for name in ("event_time", *use.outputs.values()))
        return f"SELECT {ROW}, unnest(max_by({{{parts}}}, event_time)) FROM ({living}) GROUP BY {ROW}"


def _as_stored(use: Use, query: Query) -> str:
    cut = "" if query.system_at is None else f" WHERE ingested_at <= {_instant(query.system_at)}"
    return f"SELECT * FROM {use.table}{cut}"


def _living(rows: str, per: str) -> str:
    """Return the facts that live by all of ``rows``: the winner of each, unless it is a tombstone."""
    return f"""
        SELECT * FROM ({rows})
        QUALIFY row_number() OVER (PARTITION BY {per}, event_time ORDER BY knowledge_time DESC, revision_seq DESC) = 1
            AND op = 'upsert'
    """


def _outputs(query: Query, event: str) -> str:
    return ", ".join(
        f"CASE WHEN {_fresh(use, 'spine.time', f'{use.table}.{event}')} THEN {use.table}.{column} END AS {out}"
        for use in query.uses
        for out, column in use.outputs.items()
    )


def _lists(query: Query) -> str:
    return ", ".join(
        f"coalesce({use.table}.{column}, []) AS {out}" for use in query.uses for out, column in use.outputs.items()
    )


def _fresh(use: Use, at: str, event: str) -> str:
    return "true" if use.ttl is None else f"{at} - {event} <= {_interval(use.ttl)}"


def _instant(moment: Any) -> str:
    return f"TIMESTAMPTZ '{moment.isoformat()}'"


def _interval(span: Any) -> str:
    return f"to_microseconds({int(span.total_seconds() * 1_000_000)})"


def _literal(value: str | int) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)
