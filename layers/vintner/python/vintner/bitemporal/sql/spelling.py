"""How each dialect spells names, literals, instants, spans and lists.

Every text that came from outside passes through here. A name is quoted unless it is plain; a string literal holds
printable characters with its quotes doubled, or else goes as the hexadecimal form of its bytes. So no value can end
its literal and no name its quotes, under any setting of an engine.

Instants are exact to the microsecond. Spans are subtracted as exact lengths of time, never as days of a session's
calendar: a day is 24 hours, also where clocks change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from vintner.bitemporal.clock import span_us
from vintner.bitemporal.model import utc
from vintner.bitemporal.sql.dialect import Dialect
from vintner.bitemporal.sql.errors import SqlLiteralError, SqlRevisionError, SqlSpanError
from vintner.bitemporal.sql.keywords import is_reserved
from vintner.bitemporal.sql.model import Cut, Name, Parameter, Revision, Span, Value, parts

_PLAIN_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_SPARK_PLAIN: Final = re.compile(r"[^\\'$\"]*")  # a backslash escapes, ${...} is substituted
_INT64: Final = range(-(2**63) + 1, 2**63)
_DAY_US: Final = 86_400_000_000
_ALL_TIME_US: Final = 3_652_059 * _DAY_US
"""From the first to past the last instant a datetime can be: no longer span says more."""

LATEST: Final = datetime.max.replace(tzinfo=UTC)

_INSTANT_TYPE: Final = {
    Dialect.DUCKDB: "timestamptz",
    Dialect.ATHENA: "timestamp(6) with time zone",
    Dialect.SPARK: "timestamp",
}
_FROM_BYTES: Final = {
    Dialect.DUCKDB: "decode(X'{}')",
    Dialect.ATHENA: "from_utf8(X'{}')",
    Dialect.SPARK: "CAST(X'{}' AS string)",
}
_DUCKDB_UNITS: Final = ((3_600_000_000, "HOURS"), (60_000_000, "MINUTES"), (1_000_000, "SECONDS"), (1, "MICROSECONDS"))
_DUCKDB_EXACT: Final = 2**53
"""An interval's number is read as a floating point number: exact up to here."""

_ATHENA_UNITS: Final = ((3_600_000_000, "HOUR"), (60_000_000, "MINUTE"), (1_000_000, "SECOND"))


@dataclass(frozen=True, slots=True)
class Spelling:
    """The words of one dialect.

    Examples
    --------
    >>> spell = Spelling(Dialect.SPARK)
    >>> spell.name("value"), spell.name("Q1 eps`"), spell.literal("O'N")
    ('value', '`Q1 eps```', "CAST(X'4f274e' AS string)")
    """

    dialect: Dialect

    def name(self, identifier: str) -> str:
        """Return an identifier, quoted where it has to be."""
        if _PLAIN_NAME.fullmatch(identifier) and not is_reserved(identifier):
            return identifier
        quote = "`" if self.dialect is Dialect.SPARK else '"'
        return quote + identifier.replace(quote, quote * 2) + quote

    def table(self, name: Name, version: Revision | None = None) -> str:
        """Return a table's name, with the revision to read it at."""
        table = ".".join(self.name(part) for part in parts(name))
        return table if version is None else f"{table} {self._version(version)}"

    def literal(self, value: Value | None) -> str:
        """Return a value.

        Raises
        ------
        SqlLiteralError
            It is of a type that no entity is made of.
        """
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, datetime):
            return self.instant(value)
        if isinstance(value, date):
            return f"DATE '{value.isoformat()}'"
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        return self._number(value)

    def instant(self, cut: Cut, *, field: str = "time") -> str:
        """Return an instant, or the parameter that brings it."""
        if isinstance(cut, Parameter):
            return f"CAST({placeholder(cut)} AS {_INSTANT_TYPE[self.dialect]})"
        text = utc(cut, field=field).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        word = "TIMESTAMPTZ" if self.dialect is Dialect.DUCKDB else "TIMESTAMP"
        return f"{word} '{text}{' UTC' if self.dialect is Dialect.ATHENA else '+00:00'}'"

    def earlier(self, instant: str, span: Span, *, field: str) -> str:
        """Return ``instant - span``."""
        return self._shifted(instant, "-", span, field)

    def later(self, instant: str, span: Span, *, field: str) -> str:
        """Return ``instant + span``."""
        return self._shifted(instant, "+", span, field)

    def lists(self, columns: Sequence[str], order: str) -> list[str]:
        """Return, per column, the list of its values in a group, nulls too, ordered by a column that has none."""
        if self.dialect is not Dialect.SPARK:
            return [f"array_agg({column} ORDER BY {order})" for column in columns]
        # collect_list drops nulls and has no order: structs are collected, and ordered by their first field alone.
        fields = ", ".join([f"{order} AS o", *(f"{column} AS v{number}" for number, column in enumerate(columns))])
        by_order = "(l, r) -> CASE WHEN l.o < r.o THEN -1 WHEN l.o > r.o THEN 1 ELSE 0 END"
        rows = f"array_sort(collect_list(struct({fields})), {by_order})"
        return [f"transform({rows}, one -> one.v{number})" for number in range(len(columns))]

    def ranking(self, *order: str) -> list[str]:
        """Return the order of a row number whose first row is asked for."""
        # By one column alone DuckDB takes the first from a sort key of the whole row, which turns -0.0 into 0.0.
        lone = self.dialect is Dialect.DUCKDB and len(order) == 1
        return [*order, order[0].removesuffix(" DESC")] if lone else [*order]

    @property
    def no_list(self) -> str:
        """A list of nothing."""
        return {Dialect.DUCKDB: "[]", Dialect.ATHENA: "ARRAY[]", Dialect.SPARK: "array()"}[self.dialect]

    def _text(self, value: str) -> str:
        plain = value.isprintable() and (self.dialect is not Dialect.SPARK or _SPARK_PLAIN.fullmatch(value))
        if plain:
            return "'" + value.replace("'", "''") + "'"
        try:
            return _FROM_BYTES[self.dialect].format(value.encode().hex())
        except UnicodeEncodeError as error:
            raise SqlLiteralError(value=value, kind="str", remedy="give text without lone surrogates") from error

    def _number(self, value: int | Decimal) -> str:
        if isinstance(value, int) and value in _INT64:
            return str(value) if abs(value) < 2**31 else f"CAST('{value}' AS bigint)"
        if isinstance(value, Decimal) and value.is_finite():
            _, digits, exponent = value.as_tuple()
            scale = max(-int(exponent), 0)
            if (precision := max(len(digits) + max(int(exponent), 0), scale)) <= 38:
                return f"CAST('{value:f}' AS decimal({max(precision, 1)}, {scale}))"
        remedy = (
            "give text, a whole number of 64 bits, a decimal of up to 38 digits, bytes, a bool, a date or a datetime"
        )
        raise SqlLiteralError(value=value, kind=type(value).__name__, remedy=remedy)

    def _version(self, version: Revision) -> str:
        if self.dialect is Dialect.DUCKDB:
            remedy = "read the facts with LakeReader.read(revision=...) and register the table with DuckDB"
            raise SqlRevisionError(dialect=self.dialect, revision=version, remedy=remedy)
        words = "FOR " if self.dialect is Dialect.ATHENA else ""
        if isinstance(version, datetime):
            return f"{words}TIMESTAMP AS OF {self.instant(version, field='version')}"
        if not isinstance(version, str):
            return f"{words}VERSION AS OF {int(version)}"
        if not (tag := self._text(version)).startswith("'"):
            raise SqlRevisionError(dialect=self.dialect, revision=version, remedy="name a tag of plain characters")
        return f"{words}VERSION AS OF {tag}"

    def _shifted(self, instant: str, sign: str, span: Span, field: str) -> str:
        if isinstance(span, Parameter):
            return self._shifted_by_days(instant, sign, f"CAST({placeholder(span)} AS bigint)")
        length = min(span_us(span, field=field), _ALL_TIME_US)
        if length % (self.dialect.span_resolution // timedelta(microseconds=1)):
            raise SqlSpanError(field=field, value=span, dialect=self.dialect)
        if not length:
            return instant
        if self.dialect is Dialect.SPARK:
            return f"timestamp_micros(unix_micros({instant}) {sign} {length})"
        if self.dialect is Dialect.DUCKDB:
            size, unit = next(each for each in _DUCKDB_UNITS if length % each[0] == 0)
            if length // size > _DUCKDB_EXACT:
                return f"{instant} {sign} to_microseconds({length})"
            return f"{instant} {sign} INTERVAL {length // size} {unit}"
        return instant + "".join(f" {sign} {interval}" for interval in _athena_intervals(length))

    def _shifted_by_days(self, instant: str, sign: str, days: str) -> str:
        if self.dialect is Dialect.ATHENA:
            return f"date_add('day', {'-' if sign == '-' else ''}{days}, {instant})"
        if self.dialect is Dialect.DUCKDB:
            return f"{instant} {sign} to_microseconds({days} * {_DAY_US})"
        return f"timestamp_micros(unix_micros({instant}) {sign} {days} * {_DAY_US})"


def placeholder(parameter: Parameter) -> str:
    """Return the mark of a parameter, which the finished statement has as ``?``."""
    return f"\0{parameter.name}\0"


def _athena_intervals(length: int) -> list[str]:
    days, rest = divmod(length, _DAY_US)
    intervals = [f"INTERVAL '{days}' DAY"] if days else []
    if rest:
        found = next(((size, unit) for size, unit in _ATHENA_UNITS if rest % size == 0), None)
        if found is None:
            intervals.append(f"INTERVAL '{rest / 1_000_000:.3f}' SECOND")
        else:
            intervals.append(f"INTERVAL '{rest // found[0]}' {found[1]}")
    return intervals
