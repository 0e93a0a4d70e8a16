"""Every point-in-time read as SQL, under the names the reads have in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from vintner.bitemporal.sql import join, table_reads
from vintner.bitemporal.sql.dialect import Dialect
from vintner.bitemporal.sql.model import Cut, Span, SqlSource, SqlSpine, SqlStatement, SqlTable
from vintner.bitemporal.sql.plan import RowCut
from vintner.bitemporal.sql.spelling import Spelling
from vintner.bitemporal.sql.table_reads import Entity, Question

NO_DELAY = timedelta(0)


@dataclass(frozen=True, slots=True)
class SqlReads:
    """Writes the reads for one dialect.

    The answers are those of the functions of the same names in :mod:`vintner.bitemporal`, of tables in which no
    version is stated twice with different values (an engine cannot raise; the lake refuses to hold such tables).

    Cuts are inclusive: aware datetimes, written as literals, or :class:`Parameter`, written as ``?``. ``entity``
    restricts a read to one entity; ``columns`` chooses and orders the columns of the answer, all of the table's if
    None. Statements read only; names and values are quoted, so none can become SQL.

    Parameters
    ----------
    dialect
        The engine.

    Examples
    --------
    >>> from vintner.bitemporal.sql import Parameter, SqlTable
    >>> earnings = SqlTable(name="earnings", columns=("eps",))
    >>> read = SqlReads(Dialect.ATHENA).vintage(earnings, known_at=Parameter("known at"), columns=("event_time", "eps"))
    >>> print(read, end="")
    WITH known AS (
        -- 1. what was known at the knowledge cut
        -- 2. of each fact the version known last; one that was written twice counts as it was written first
        SELECT
            entity,
            event_time,
            op,
            eps,
            row_number() OVER (
                PARTITION BY entity, event_time
                ORDER BY knowledge_time DESC, revision_seq DESC, ingested_at
            ) AS version_rank
        FROM earnings
        WHERE knowledge_time <= CAST(? AS timestamp(6) with time zone)
    )
    <BLANKLINE>
    -- 3. a fact whose last version is a tombstone is gone; its older versions do not come back
    SELECT event_time, eps
    FROM known
    WHERE version_rank = 1 AND op = 'upsert'
    ORDER BY entity, event_time
    >>> read.parameters
    ('known at',)
    """

    dialect: Dialect

    def as_of(
        self,
        table: SqlTable,
        *,
        at: Cut,
        known_at: Cut | None = None,
        system_at: Cut | None = None,
        ttl: Span | None = None,
        delay: timedelta = NO_DELAY,
        entity: Entity = None,
        columns: Sequence[str] | None = None,
    ) -> SqlStatement:
        """Write the read of each entity's newest event at ``at``, as known at ``known_at`` (``at`` if None).

        Parameters
        ----------
        ttl
            Largest age of an answer; a parameter counts days.

        Returns
        -------
        SqlStatement
            At most one row per entity, sorted by the keys.
        """
        known = at if known_at is None else known_at
        ask = self._question(table, known, system_at, entity, columns, delay)
        return table_reads.as_of(ask, at=at, ttl=ttl)

    def exact(
        self,
        table: SqlTable,
        *,
        event_time: Cut,
        known_at: Cut,
        system_at: Cut | None = None,
        entity: Entity = None,
        columns: Sequence[str] | None = None,
    ) -> SqlStatement:
        """Write the read of one event of each entity, as known at ``known_at``."""
        return table_reads.vintage(self._question(table, known_at, system_at, entity, columns), event_time=event_time)

    def next_event(
        self,
        table: SqlTable,
        *,
        after: Cut,
        known_at: Cut,
        system_at: Cut | None = None,
        entity: Entity = None,
        columns: Sequence[str] | None = None,
    ) -> SqlStatement:
        """Write the read of each entity's first event after ``after``, as known at ``known_at``."""
        return table_reads.next_event(self._question(table, known_at, system_at, entity, columns), after=after)

    def history(
        self,
        table: SqlTable,
        *,
        entity: Entity,
        event_time: Cut | None = None,
        known_at: Cut | None = None,
        system_at: Cut | None = None,
        columns: Sequence[str] | None = None,
    ) -> SqlStatement:
        """Write the read of every version, tombstones included: of one fact, or of all facts of an entity."""
        return table_reads.history(self._question(table, known_at, system_at, entity, columns), event_time=event_time)

    def vintage(
        self,
        table: SqlTable,
        *,
        known_at: Cut,
        system_at: Cut | None = None,
        entity: Entity = None,
        columns: Sequence[str] | None = None,
    ) -> SqlStatement:
        """Write the read of every fact as known at ``known_at``, sorted by keys and event."""
        return table_reads.vintage(self._question(table, known_at, system_at, entity, columns))

    def as_of_join(
        self,
        spine: SqlSpine,
        sources: Sequence[SqlSource],
        *,
        known_at: RowCut = None,
        system_at: RowCut = None,
        columns: Sequence[str] | None = None,
        order_by: Sequence[str] = (),
    ) -> SqlStatement:
        """Write the join of each row of a spine with what was known at its time.

        Parameters
        ----------
        known_at, system_at
            One cut for every row, or the name of a spine column with one for each (a row with a null has none).
            Without a knowledge cut each row's is its time.
        columns
            Columns of the spine that the answer has; all if None.
        order_by
            Columns of the spine to sort the answer by; without them it has no order.

        Returns
        -------
        SqlStatement
            The spine's columns, then each source's; one row for each row of the spine.

        Raises
        ------
        SpineTableError, FactSourceError, NegativeSpanError, SqlSpanError, NaiveTimeError

        Examples
        --------
        >>> from vintner.bitemporal.sql import SqlSource, SqlSpine, SqlTable
        >>> eps = SqlSource(table=SqlTable(name="earnings", columns=("eps",)), columns={"eps": "eps"})
        >>> str(SqlReads(Dialect.DUCKDB).as_of_join(SqlSpine(), [eps])).count("max(newest_event)")
        1
        """
        spell = Spelling(self.dialect)
        show = join.Show(columns, order_by)
        return join.as_of_join(spell, spine, sources, known_at=known_at, system_at=system_at, show=show)

    def trailing(
        self,
        spine: SqlSpine,
        source: SqlSource,
        *,
        last: int | None = None,
        span: timedelta | None = None,
        known_at: RowCut = None,
        system_at: RowCut = None,
        columns: Sequence[str] | None = None,
        order_by: Sequence[str] = (),
    ) -> SqlStatement:
        """Write the read of each row's newest events, as known, as list columns, oldest first.

        A row without events has empty lists; the source's reason says why.

        Parameters
        ----------
        last
            At most this many events; all if None.
        span
            Only events with ``time - span < event_time``; give it beside ``last`` where an entity has many events:
            it bounds the work.
        known_at, system_at, columns, order_by
            As for :meth:`as_of_join`.
        """
        return join.trailing(
            Spelling(self.dialect),
            spine,
            source,
            last=last,
            span=span,
            known_at=known_at,
            system_at=system_at,
            show=join.Show(columns, order_by),
        )

    def _question(
        self,
        table: SqlTable,
        known_at: Cut | None,
        system_at: Cut | None,
        entity: Entity,
        columns: Sequence[str] | None,
        delay: timedelta = NO_DELAY,
    ) -> Question:
        return Question(
            spell=Spelling(self.dialect),
            table=table,
            known_at=known_at,
            system_at=system_at,
            delay=delay,
            entity=entity,
            columns=columns,
        )
