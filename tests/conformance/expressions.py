"""Expressions of Athena's dialect over edge values: every function that the translation lets pass or mends.

Each is asked of both engines. They have to print the same cell, or both refuse, or ours says that it will not guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

WHOLE: Final = ("0", "1", "-1", "7", "-7", "2147483648", "CAST(NULL AS bigint)")
FLOATS: Final = (
    *("0e0", "1.5e0", "-2.5e0", "2.5e0", "0.1e0", "1e300", "123456789.123456e0"),
    *("nan()", "infinity()", "-infinity()", "CAST(NULL AS double)"),
)
DECIMALS: Final = ("1.5", "-2.5", "0.05", "12345678901234567.89", "CAST(NULL AS decimal(5, 2))")
TEXTS: Final = (
    "''",
    "'a'",
    "'Größe ß'",
    "' a '",
    "'a/b/c'",
    "'ABC'",
    "'12'",
    "'-1.5'",
    "'x%_'",
    "CAST(NULL AS varchar)",
)
TRUTHS: Final = ("true", "false", "CAST(NULL AS boolean)")
DATES: Final = (
    *("date '2024-02-29'", "date '1969-12-31'", "date '0001-01-01'", "date '9999-12-31'", "date '2024-12-30'"),
    *("date '2023-01-01'", "CAST(NULL AS date)"),
)
TIMES: Final = (
    *("timestamp '2024-02-29 23:59:59.999999'", "timestamp '1969-12-31 23:59:59.999999'"),
    *("timestamp '0001-01-01 00:00:00'", "timestamp '2024-03-31 02:30:00.5'", "timestamp '2024-12-30 12:00:00.123'"),
    "CAST(NULL AS timestamp(6))",
)
INSTANTS: Final = (
    *("timestamp '2024-02-29 23:59:59.999999 UTC'", "timestamp '1969-12-31 23:59:59.999999 UTC'"),
    *("timestamp '0001-01-01 00:00:00 UTC'", "timestamp '9999-12-31 23:59:59.999 UTC'"),
    *("timestamp '2024-07-01 20:00:00 America/New_York'", "timestamp '2024-07-01 20:00:00.5 +02:00'"),
    "CAST(NULL AS timestamp(6) with time zone)",
)
ARRAYS: Final = ("ARRAY[1, NULL, 3]", "ARRAY['b', 'a', NULL]", "ARRAY[2.5e0]", "CAST(NULL AS array(bigint))", "ARRAY[]")
MAPS: Final = ("map(ARRAY['a', 'b'], ARRAY[1, NULL])", "map(ARRAY[1], ARRAY['x'])")

# {} is replaced by each value of each list.
UNARY: Final[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = (
    (
        (*WHOLE, *FLOATS, *DECIMALS),
        (
            *("-({})", "abs({})", "sign({})", "floor({})", "ceil({})", "ceiling({})", "round({})", "round({}, 1)"),
            *("truncate({})", "sqrt({})", "cbrt({})", "exp({})", "ln({})", "log10({})", "log2({})", "log(2, {})"),
            *("power({}, 2)", "pow({}, 5e-1)", "mod({}, 3)", "{} % 3", "{} / 2", "{} / 2e0", "2e0 / {}", "{} * 3"),
            *("{} + 0.1", "{} - 1", "{} IS NULL", "{} IN (1, 7)", "{} NOT IN (1, 7)", "{} BETWEEN -1 AND 2"),
            *("is_nan({})", "is_infinite({})", "is_finite({})", "CAST({} AS varchar)", "CAST({} AS bigint)"),
            *("CAST({} AS integer)", "CAST({} AS smallint)", "CAST({} AS double)", "CAST({} AS real)"),
            *(
                "CAST({} AS decimal(20, 3))",
                "CAST({} AS boolean)",
                "TRY_CAST({} AS integer)",
                "TRY_CAST({} AS tinyint)",
            ),
            *("coalesce({}, 5)", "nullif({}, 1)", "if({} > 0, 'y', 'n')", "greatest({}, 2)", "least({}, 2)"),
            *("CASE WHEN {} > 1 THEN 'more' WHEN {} < 0 THEN 'less' END", "{} IS DISTINCT FROM 1", "typeof({})"),
        ),
    ),
    (
        TEXTS,
        (
            *("length({})", "lower({})", "upper({})", "reverse({})", "trim({})", "ltrim({})", "rtrim({})"),
            *(
                "{} || 'x'",
                "concat({}, '-', {})",
                "substr({}, 2)",
                "substr({}, -2, 1)",
                "substring({}, 0)",
                "substr({}, 9)",
            ),
            *("strpos({}, 'a')", "position('a' IN {})", "replace({}, 'a', 'bb')", "replace({}, 'a')", "split({}, '/')"),
            *("split_part({}, '/', 2)", "split_part({}, '/', 9)", "starts_with({}, 'a')", "lpad({}, 4, 'xy')"),
            *(
                "rpad({}, 2, 'xy')",
                "{} LIKE 'a%'",
                "{} LIKE '%x%_' ESCAPE 'x'",
                "{} NOT LIKE '_'",
                "{} < 'b'",
                "{} = 'a '",
            ),
            *("regexp_like({}, '[a-c]')", "regexp_extract({}, '([a-z])/(.)', 2)", "regexp_extract({}, '.$')"),
            *(
                "regexp_replace({}, '[a-z]', '*')",
                "CAST({} AS bigint)",
                "TRY_CAST({} AS bigint)",
                "TRY_CAST({} AS double)",
            ),
            *(
                "TRY_CAST({} AS boolean)",
                "TRY_CAST({} AS date)",
                "TRY_CAST({} AS decimal(5, 1))",
                "CAST({} AS varchar(2))",
            ),
            *("to_hex(to_utf8({}))", "chr(65) || {}", "codepoint(CAST('a' AS varchar(1)))", "{} IN ('a', 'ABC')"),
            *("coalesce({}, 'none')", "nullif({}, 'a')", "min_by({}, 1)", "max({})", "levenshtein_distance({}, 'abc')"),
        ),
    ),
    (
        TRUTHS,
        (
            *("NOT {}", "{} AND true", "{} OR false", "{} AND CAST(NULL AS boolean)", "CAST({} AS varchar)"),
            *("CAST({} AS integer)", "{} IS NULL", "coalesce({}, true)", "if({}, 1, 2)", "{} = true", "{} < true"),
        ),
    ),
    (
        (*DATES, *TIMES, *INSTANTS),
        (
            *("year({})", "quarter({})", "month({})", "week({})", "day({})", "day_of_week({})", "day_of_year({})"),
            *("hour({})", "minute({})", "second({})", "millisecond({})", "year_of_week({})", "last_day_of_month({})"),
            *("extract(year FROM {})", "extract(dow FROM {})", "extract(doy FROM {})", "extract(week FROM {})"),
            *(f"date_trunc('{unit}', {{}})" for unit in ("second", "hour", "day", "week", "month", "quarter", "year")),
            *(
                f"date_add('{unit}', 1, {{}})"
                for unit in ("millisecond", "second", "hour", "day", "week", "month", "year")
            ),
            *(
                f"date_diff('{unit}', {{}}, timestamp '2024-03-31 12:00:00')"
                for unit in ("second", "day", "week", "month")
            ),
            *("{} + INTERVAL '1' DAY", "{} - INTERVAL '1' MONTH", "{} + INTERVAL '90' MINUTE", "CAST({} AS varchar)"),
            *("CAST({} AS date)", "CAST({} AS timestamp)", "CAST({} AS timestamp(6))", "CAST({} AS timestamp(0))"),
            *("CAST({} AS timestamp(3) with time zone)", "date({})", "to_iso8601({})", "to_unixtime({})"),
            *(
                "date_format({}, '%Y-%m-%d %H:%i:%s')",
                "date_format({}, '%y %M %b %W %a %j %p')",
                "date_format({}, '%f')",
            ),
            *("{} < timestamp '2024-01-01 00:00:00'", "{} = date '2024-02-29'", "{} BETWEEN date '1970-01-01' AND {}"),
            *(
                "{} AT TIME ZONE 'UTC'",
                "hour({} AT TIME ZONE 'America/New_York')",
                "CAST({} AT TIME ZONE 'Asia/Tokyo' AS date)",
            ),
            *("{}", "coalesce({}, NULL)", "max({})", "greatest({}, {})", "format_datetime({}, 'yyyy')"),
        ),
    ),
    (
        (*ARRAYS, *MAPS),
        (
            *("{}", "cardinality({})", "element_at({}, 1)", "element_at({}, 9)", "{}[1]", "{} IS NULL"),
            *("contains({}, 1)", "array_sort({})", "array_join({}, ',')", "array_max({})", "reverse({})"),
            *("map_keys({})", "map_values({})", "element_at({}, 'a')", "{}['zz']", "array_distinct({})"),
        ),
    ),
)

SINGLE: Final = (
    *(
        "1 + NULL",
        "NULL || 'a'",
        "1 / 0",
        "1 % 0",
        "1e0 / 0",
        "0e0 / 0",
        "CAST('abc' AS bigint)",
        "CAST(1e30 AS bigint)",
    ),
    *("CAST('2024-02-30' AS date)", "CAST(' 12 ' AS bigint)", "CAST('1e3' AS double)", "CAST('+5' AS integer)"),
    *("9223372036854775807 + 1", "2147483647 + 1", "CAST(2147483647 AS integer) + 1", "-2147483648", "1 = 1e0"),
    *("1.0 = 1", "'a' < 'B'", "'ä' < 'z'", "'a' = 'a '", "nan() = nan()", "nan() > 1", "greatest(nan(), 1e0)"),
    *(
        "from_unixtime(0)",
        "from_unixtime(-0.5e0)",
        "from_unixtime(1709251199.9999e0)",
        "from_iso8601_date('2024-02-29')",
    ),
    *("from_iso8601_timestamp('2024-02-29')", "from_iso8601_timestamp('2024-02-29T12:00')"),
    *("from_iso8601_timestamp('2024-02-29T12:00:00.123456Z')", "from_iso8601_timestamp('2024-02-29T12:00:00-05:00')"),
    "from_iso8601_timestamp('2024-02-29T12:00:00+02:00') < timestamp '2024-02-29 11:00:00 UTC'",
    "from_iso8601_timestamp('2024-02-29T12:00:00+02:00') AT TIME ZONE 'UTC'",
    "hour(from_iso8601_timestamp('2024-02-29T12:00:00+02:00'))",
    *("date_parse('2024-02-29 10:11:12', '%Y-%m-%d %H:%i:%s')", "date_parse('29/02/24', '%d/%m/%y')"),
    *(
        "date_parse('nonsense', '%Y')",
        "timestamp '2024-02-29 12:00:00.1234567'",
        "INTERVAL '1' DAY",
        "interval '2' month",
    ),
    *(
        "date '2024-03-31' - INTERVAL '1' MONTH",
        "date '2024-02-29' + INTERVAL '1' YEAR",
        "sequence(1, 9, 4)",
        "sequence(3, 1)",
    ),
    *(
        "sequence(date '2024-01-01', date '2024-03-01', INTERVAL '1' MONTH)",
        "sequence(5, 1, -2)",
        "ARRAY[1, 2] || ARRAY[3]",
    ),
    *("row(1, 'a', NULL)", "row(1, 'a')[2]", "CAST(row(1, 'a') AS row(x bigint, y varchar)).y", "ARRAY[row(1, 'a')]"),
    *("ARRAY[ARRAY[1], ARRAY[]]", "map()", "x'00ff'", "json_extract_scalar('{\"a\": [1, 2.50, true]}', '$.a[1]')"),
    *("json_extract_scalar('{\"a\": null}', '$.a')", 'json_extract_scalar(\'{"a b": "x"}\', \'$["a b"]\')'),
    *(
        "json_extract_scalar('no json', '$.a')",
        "json_extract_scalar('{\"a\": true}', '$.a')",
        "json_parse('{\"a\": 1}')",
    ),
    *("concat('a', NULL)", "coalesce(NULL, NULL, 3)", "try(1 / 0)", "try(CAST('x' AS bigint))", "nullif(NULL, 1)"),
    *(
        "1 IN (2, NULL)",
        "1 NOT IN (2, NULL)",
        "NULL IS NOT DISTINCT FROM NULL",
        "NOT NULL",
        "true AND NULL",
        "false AND NULL",
    ),
    *(
        "regexp_replace('abc', '(b)', '[$1]')",
        "regexp_extract('abc', '(?i)B')",
        "regexp_like('a\nb', 'a.b')",
        "split('', ',')",
    ),
    *(
        "substr('héllo', 2, 3)",
        "upper('ß')",
        "lower('İ')",
        "length('👍')",
        "reverse('a👍')",
        "lpad('a', 0, 'x')",
        "trim('\t a\n')",
    ),
    *(
        "round(2.5e0)",
        "round(-2.5e0)",
        "round(0.285e0, 2)",
        "round(1234, -2)",
        "round(2.5)",
        "round(2.55, 1)",
        "truncate(-1.9e0)",
    ),
    *(
        "avg(2.5)",
        "sum(1.5)",
        "sum(1)",
        "avg(1)",
        "count(*)",
        "count(NULL)",
        "count(DISTINCT 1)",
        "stddev(1)",
        "sum(CAST(NULL AS bigint))",
    ),
)

_NUMBERS: Final = (
    "(VALUES (1, 1.5e0, 'a'), (2, -2.5e0, 'b'), (2, nan(), NULL), (NULL, 1e10, 'a'), (7, NULL, '')) AS t (n, x, s)"
)
_ORDERED: Final = "(VALUES (1, 10, 'a'), (2, NULL, 'b'), (3, 30, 'a'), (4, 30, NULL), (5, 5, 'b')) AS t (k, v, g)"
_EMPTY: Final = "(SELECT 1 AS n, 1e0 AS x, 'a' AS s WHERE 1 = 0) AS t"

QUERIES: Final = (
    *(
        f"SELECT {expression} FROM {rows}"  # noqa: S608 - the expressions below
        for rows in (_NUMBERS, _EMPTY)
        for expression in (
            *("count(*)", "count(n)", "count(DISTINCT n)", "sum(n)", "avg(n)", "min(n)", "max(n)", "min(s)", "max(s)"),
            *(
                "max(x)",
                "min(x)",
                "sum(x) FILTER (WHERE x < 1e9)",
                "avg(x) FILTER (WHERE n = 2 AND x < 0)",
                "stddev(n)",
            ),
            *("stddev_pop(n)", "variance(n)", "var_pop(n)", "corr(n, n)", "covar_samp(n, n)", "covar_pop(n, n)"),
            *("count_if(n > 1)", "bool_and(n > 0)", "bool_or(n > 6)", "every(n > 0)", "max_by(s, n)", "min_by(s, n)"),
            *(
                "max_by(n, s)",
                "max_by(n, x)",
                "min_by(n, x)",
                "array_agg(n ORDER BY n)",
                "array_agg(s ORDER BY s DESC)",
            ),
            *("approx_percentile(n, 0.5)", "approx_percentile(n, 0.9)", "approx_distinct(s)", "sum(DISTINCT n)"),
            *(
                "string_agg(s, ',')",
                "listagg(s, ',') WITHIN GROUP (ORDER BY s)",
                "arbitrary(1)",
                "array_agg(DISTINCT 1)",
            ),
            *(
                "max(n) FILTER (WHERE n > 100)",
                "geometric_mean(n)",
                "checksum(n)",
                "sum(1.5)",
                "max(ARRAY[n])",
                "max(row(n, s))",
            ),
        )
    ),
    *(
        f"SELECT k, {window} FROM {_ORDERED} ORDER BY k"  # noqa: S608 - the windows below
        for window in (
            *("row_number() OVER (ORDER BY v, k)", "rank() OVER (ORDER BY v)", "dense_rank() OVER (ORDER BY v DESC)"),
            *("percent_rank() OVER (ORDER BY v)", "cume_dist() OVER (ORDER BY v)", "ntile(2) OVER (ORDER BY k)"),
            *("lag(v) OVER (ORDER BY k)", "lag(v, 2, 0) OVER (ORDER BY k)", "lead(v) IGNORE NULLS OVER (ORDER BY k)"),
            *(
                "first_value(v) OVER (ORDER BY k)",
                "last_value(v) OVER (ORDER BY k)",
                "nth_value(v, 2) OVER (ORDER BY k)",
            ),
            *("sum(v) OVER (ORDER BY k)", "sum(v) OVER (PARTITION BY g ORDER BY k)", "count(v) OVER (PARTITION BY g)"),
            *("avg(v) OVER (ORDER BY k ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)", "max(v) OVER (ORDER BY v)"),
            *("sum(v) OVER (ORDER BY k RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", "max_by(k, v) OVER (ORDER BY k)"),
            *("last_value(v) IGNORE NULLS OVER (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",),
        )
    ),
    f"SELECT g, count(*) FROM {_ORDERED} GROUP BY g ORDER BY g",  # noqa: S608
    f"SELECT g, count(*) FROM {_ORDERED} GROUP BY g ORDER BY g NULLS FIRST",  # noqa: S608
    f"SELECT g, k, count(*), grouping(g, k) FROM {_ORDERED} GROUP BY CUBE (g, k) ORDER BY g, k, 4",  # noqa: S608
    f"SELECT g, sum(v) FROM {_ORDERED} GROUP BY ROLLUP (g) ORDER BY g, 2",  # noqa: S608
    f"SELECT v FROM {_ORDERED} ORDER BY v DESC, k LIMIT 2",  # noqa: S608
    f"SELECT v FROM {_ORDERED} ORDER BY v NULLS FIRST, k OFFSET 1 LIMIT 2",  # noqa: S608
    f"SELECT DISTINCT g FROM {_ORDERED} ORDER BY g",  # noqa: S608
    f"SELECT k FROM {_ORDERED} WHERE v NOT IN (SELECT v FROM {_ORDERED} WHERE v > 10)",  # noqa: S608
    f"SELECT k FROM {_ORDERED} WHERE v NOT IN (SELECT v FROM {_ORDERED})",  # noqa: S608
    f"SELECT (SELECT v FROM {_ORDERED})",  # noqa: S608
    f"SELECT a.k, b.k FROM {_ORDERED} JOIN (VALUES ('a', 1), (NULL, 2)) AS b (g, k) ON t.g = b.g".replace("a.k", "t.k"),  # noqa: S608
    "SELECT * FROM (VALUES 1, 2) AS a (x) FULL JOIN (VALUES 2, 3) AS b (x) USING (x) ORDER BY 1",
    "SELECT 1 UNION SELECT 1e0 ORDER BY 1",
    "SELECT x FROM (VALUES 1, 1, 2) AS t (x) EXCEPT SELECT 2",
    "SELECT x, y FROM UNNEST(ARRAY[1, NULL], ARRAY['a']) AS t (x, y)",
    "SELECT e FROM (VALUES ARRAY[1, 2], ARRAY[], NULL) AS t (a) CROSS JOIN UNNEST(a) AS u (e) ORDER BY e",
    "SELECT k, v FROM UNNEST(map(ARRAY['a'], ARRAY[1])) AS t (k, v)",
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r ORDER BY n",
    "SELECT * FROM (VALUES (1, 'a')) AS t (x, y)",
    "SELECT 1 AS a, 2 AS A",
    "SELECT 'it''s', \"x\" FROM (VALUES 1) AS t (x)",
)
"""Whole queries."""


def applied(values: Iterable[str], forms: Iterable[str]) -> Iterator[str]:
    """Yield each form with each value."""
    for form, value in product(forms, values):
        yield form.replace("{}", value)
