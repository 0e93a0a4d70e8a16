"""Cases of Athena's dialect: the unit tests ask the laptop's engine, the conformance tests real Trino."""

from __future__ import annotations

from typing import Final

EXPRESSIONS: Final[list[tuple[str, str]]] = [
    ("max_by(value, (knowledge_time, revision_seq))", "ARG_MAX_NULL(m.value, (m.knowledge_time, m.revision_seq))"),
    ("revision_seq / 2", "m.revision_seq // 2"),
    ("value / 2", "m.value / 2"),
    ("sum(revision_seq) / count(*)", "SUM(m.revision_seq) // COUNT(*)"),
    ("date_trunc('day', event_time)", "DATE_TRUNC('day', m.event_time)"),
    (
        "date_diff('day', event_time, knowledge_time)",
        "DATE_SUB('day', CAST(m.event_time AS TIMESTAMP), CAST(m.knowledge_time AS TIMESTAMP))",
    ),
    ("date '2024-01-31' + interval '1' month", "CAST((CAST('2024-01-31' AS DATE) + INTERVAL '1' MONTH) AS DATE)"),
    ("from_iso8601_timestamp(op)", "DATE_TRUNC('milliseconds', CAST(TRINO_UTC_TEXT(m.op) AS TIMESTAMPTZ))"),
    ("cast(value as bigint)", "CAST(ROUND(m.value) AS BIGINT)"),
    ("approx_percentile(value, 0.5)", "QUANTILE_DISC(m.value, 0.500000000001)"),
    (
        "lag(value) ignore nulls over (order by event_time)",
        "LAG(m.value IGNORE NULLS) OVER (ORDER BY m.event_time)",
    ),
    ("day_of_week(event_time)", "ISODOW(m.event_time)"),
    ("concat(entity, '/', op)", "m.entity || '/' || m.op"),
    (
        "hour(event_time at time zone 'America/New_York')",
        "HOUR((CAST(m.event_time AS TIMESTAMPTZ) AT TIME ZONE 'America/New_York'))",
    ),
]
"""An expression of Athena's over macro_series AS m, and what DuckDB is given for it."""

ANSWERS: Final[list[tuple[str, list[tuple[str | None, ...]]]]] = [
    ("SELECT 7 / 2, -7 / 2, 7 % 3, 7e0 / 2, 1e0 / 0", [("3", "-3", "1", "3.5", "Infinity")]),
    ("SELECT 1.0E-5, 1e7, 123456.789e0, 0.1 + 0.2", [("1.0E-5", "1.0E7", "123456.789", "0.3")]),
    ("SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x", [("1",), ("2",), (None,)]),
    ("SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x DESC", [("2",), ("1",), (None,)]),
    ("SELECT max_by(v, k), max(v) FROM (VALUES (1, 1), (NULL, 2)) AS t (v, k)", [(None, "1")]),
    ("SELECT max_by(v, (a, b)) FROM (VALUES ('x', 1, 2), ('y', 1, 3)) AS t (v, a, b)", [("y",)]),
    ("SELECT max_by(row(v, a), b)[1] FROM (VALUES ('x', 1, 2), ('y', 1, 3)) AS t (v, a, b)", [("y",)]),
    ("SELECT date_diff('day', timestamp '2024-01-01 23:00:00', timestamp '2024-01-02 01:00:00')", [("0",)]),
    ("SELECT date_diff('month', date '2024-01-31', date '2024-02-29')", [("1",)]),
    ("SELECT date '2024-01-31' + INTERVAL '1' MONTH", [("2024-02-29",)]),
    ("SELECT date_trunc('month', date '2024-01-31')", [("2024-01-01",)]),
    ("SELECT timestamp '2024-05-02 20:05:00 UTC'", [("2024-05-02 20:05:00 UTC",)]),
    ("SELECT timestamp '2024-05-02 20:05:00.120'", [("2024-05-02 20:05:00.120",)]),
    ("SELECT CAST(timestamp '2024-05-02 20:05:00 UTC' AS varchar)", [("2024-05-02 20:05:00 UTC",)]),
    ("SELECT to_iso8601(timestamp '2024-05-02 20:05:00.120 UTC')", [("2024-05-02T20:05:00.120Z",)]),
    (
        "SELECT from_iso8601_timestamp('2024-05-02T22:05:00.123456+02:00') AT TIME ZONE 'UTC'",
        [("2024-05-02 20:05:00.123 UTC",)],
    ),
    ("SELECT CAST(timestamp '2024-05-02 20:05:00.123456' AS timestamp)", [("2024-05-02 20:05:00.123",)]),
    ("SELECT CAST(2.5e0 AS bigint), CAST(-2.5e0 AS integer)", [("3", "-3")]),
    ("SELECT TRY_CAST('x' AS integer), try(CAST('1.5' AS integer)), CAST('12' AS bigint)", [(None, None, "12")]),
    ("SELECT substr('abcdef', 0), substr('abcdef', -2), substr('abcdef', 2, 3)", [("", "ef", "bcd")]),
    ("SELECT split_part('a/b', '/', 2), split_part('a/b', '/', 3)", [("b", None)]),
    ("SELECT regexp_extract('abc', 'x'), regexp_replace('aXbX', 'X', '-')", [(None, "a-b-")]),
    ("SELECT 'a' || NULL, concat('a', 'b'), trim(' a ')", [(None, "ab", "a")]),
    ("SELECT element_at(map(ARRAY['a'], ARRAY[1]), 'b'), map(ARRAY['a'], ARRAY[1])['a']", [(None, "1")]),
    ("SELECT ARRAY[1.5e0, 2], row(1, 'x')", [("[1.5, 2.0]", "{field0=1, field1=x}")]),
    ("SELECT x, n FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t (x, n)", [("a", "1"), ("b", "2")]),
    ("SELECT e, t FROM UNNEST(ARRAY[ROW('a', 1), ROW('b', 2)]) AS s (e, t)", [("a", "1"), ("b", "2")]),
    ("SELECT sequence(1, 3)", [("[1, 2, 3]",)]),
    ("SELECT sequence(date '2024-01-01', date '2024-01-02', INTERVAL '1' DAY)", [("[2024-01-01, 2024-01-02]",)]),
    ("SELECT greatest(1, NULL), coalesce(NULL, 2), nullif(1, 1), if(true, 'y', 'n')", [(None, "2", None, "y")]),
    ("SELECT count(*), sum(x), avg(x) FROM (VALUES 1, 2, 6) AS t (x)", [("3", "9", "3.0")]),
    ("SELECT approx_percentile(x, 0.5) FROM (VALUES 1, 2, 6) AS t (x)", [("2",)]),
    ("SELECT true, CAST(1.5 AS decimal(10, 2))", [("true", "1.50")]),
    ("SELECT day_of_week(date '2024-05-05'), extract(dow FROM date '2024-05-06')", [("7", "1")]),
    ("SELECT hour(timestamp '2024-07-01 20:00:00 UTC' AT TIME ZONE 'America/New_York')", [("16",)]),
    ("SELECT json_extract_scalar('{\"a\": {\"b\": 1}}', '$.a.b')", [("1",)]),
    ("SELECT json_extract_scalar('{\"a\": {}}', '$.a')", [(None,)]),
]
"""A query and the cells that Trino answers."""

REFUSALS: Final[list[tuple[str, str]]] = [
    ("SELECT * FROM nosuch", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.vintner_laptop.nosuch'"),
    ("SELECT * FROM nosuch.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nosuch' does not exist"),
    ("SELECT x FROM macro_series", "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"),
    ("SELECT m.x\nFROM macro_series AS m", "COLUMN_NOT_FOUND: line 1:8: Column 'm.x' cannot be resolved"),
    ("SELECT value AS v FROM macro_series WHERE v > 1", "COLUMN_NOT_FOUND: line 1:43: Column 'v' cannot"),
    ("SELECT entity FROM macro_series a, macro_series b", "AMBIGUOUS_NAME: line 1:8: Column 'entity' is ambiguous"),
    ("SELECT entity, value FROM macro_series GROUP BY entity", "EXPRESSION_NOT_AGGREGATE: line 1:16: 'value'"),
    ("SELECT nosuch(value) FROM macro_series", "FUNCTION_NOT_FOUND: line 1:15: Function 'nosuch' not registered"),
    (
        "SELECT 1 FROM macro_series WHERE event_time > '2024-01-01'",
        "TYPE_MISMATCH: line 1:34: Cannot apply operator: timestamp(6) with time zone > varchar",
    ),
    ("SELECT 1 FROM macro_series WHERE entity = 1", "TYPE_MISMATCH: line 1:34: Cannot apply operator: varchar ="),
    ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
    ("SELECT CAST('a' AS bigint)", "INVALID_CAST_ARGUMENT: Cannot cast 'a' to BIGINT"),
    (
        "SELECT CAST('2024-01-01T00:00:00Z' AS timestamp)",
        "INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp",
    ),
    ("SELECT map(ARRAY['a'], ARRAY[1])['b']", "INVALID_FUNCTION_ARGUMENT: Key not present in map: b"),
    ("SELECT 1.5 / 2", "NOT_SUPPORTED: Division of decimals"),
    ("SELECT date '2024-01-02' - date '2024-01-01'", "NOT_SUPPORTED: Subtracting dates"),
    ("SELECT event_time AT TIME ZONE 'Asia/Tokyo' FROM macro_series", "NOT_SUPPORTED: A time in Asia/Tokyo"),
    ("SELECT rand()", "NOT_SUPPORTED: 'RAND()' (Rand)"),
    ("SELECT * FROM macro_series TABLESAMPLE BERNOULLI (10)", "NOT_SUPPORTED"),
    ("SELECT * FROM read_csv('/etc/hosts')", "FUNCTION_NOT_FOUND"),
    ("SELECT from_iso8601_timestamp('2024-05-02T22:05:00+02:00')", "NOT_SUPPORTED: A time of another zone"),
    ("SELECT hour(timestamp '2024-05-02 22:05:00 Asia/Tokyo')", "NOT_SUPPORTED: A time in Asia/Tokyo"),
    ("SELECT string_agg(entity, ',') FROM macro_series", "FUNCTION_NOT_FOUND"),
    ("SELECT getenv('HOME')", "FUNCTION_NOT_FOUND"),
    (
        "SELECT 1 FROM macro_series FOR VERSION AS OF 'nosuch'",
        "INVALID_ARGUMENTS: line 1:15: Cannot find snapshot with reference name: nosuch",
    ),
    (
        "SELECT 1 FROM macro_series FOR TIMESTAMP AS OF timestamp '2001-01-01 00:00:00 UTC'",
        "INVALID_ARGUMENTS: line 1:15: No version history table vintner_laptop.macro_series at or before 2001-",
    ),
]
"""A query and how its refusal begins. NOT_SUPPORTED is said where Trino would answer."""

UNPARSABLE: Final[list[tuple[str, str]]] = [
    ("SELEC 1", "line 1:1: mismatched input 'SELEC'"),
    ("SELECT a,, b FROM t", "line 1:10: mismatched input ','"),
    ("SELECT FROM t", "line 1:8: mismatched input 'FROM'"),
    ("SELECT 1\nFROM t WHERE", "line 2:8: mismatched input 'WHERE'"),
    ("SELECT a::bigint FROM t", "line 1:9: mismatched input '::'"),
    ("SELECT 1; SELECT 2", "line 1:9: Only one sql statement is allowed"),
    ("SELECT 'a", "line 1:10: mismatched input '<EOF>'"),
]
"""A text that does not parse and how its refusal begins."""
