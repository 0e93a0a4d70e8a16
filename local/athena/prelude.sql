-- Trino's functions where DuckDB has another meaning for the same name.

-- Text cast to an integer must be an integer.
CREATE MACRO trino_to_bigint(x) AS
  CASE WHEN x IS NULL OR regexp_full_match(x, '\s*[+-]?[0-9]+\s*') THEN CAST(trim(x, E' \t\n\x0B\f\r') AS BIGINT)
       ELSE error('INVALID_CAST_ARGUMENT: Cannot cast ''' || x || ''' to BIGINT') END;
CREATE MACRO trino_try_bigint(x) AS
  CASE WHEN regexp_full_match(x, '\s*[+-]?[0-9]+\s*') THEN TRY_CAST(trim(x, E' \t\n\x0B\f\r') AS BIGINT) END;

-- A double that no real can hold becomes infinite.
CREATE MACRO trino_to_real(x) AS
  CASE WHEN x IS NOT NULL THEN coalesce(TRY_CAST(x AS FLOAT), CAST(CASE WHEN x > 0 THEN 'inf' ELSE '-inf' END AS FLOAT))
  END;

-- Text.
CREATE MACRO trino_substr(s, start) AS
                CASE WHEN start = 0 OR abs(start) > length(s) THEN substr(s, 1, 0) ELSE substr(s, start) END,
              (s, start, n) AS
                CASE WHEN start = 0 OR n <= 0 OR abs(start) > length(s) THEN substr(s, 1, 0)
                     ELSE substr(s, start, n) END;
CREATE MACRO trino_split_part(s, d, n) AS
  CASE WHEN n < 1 THEN error('INVALID_FUNCTION_ARGUMENT: Index must be greater than zero')
       ELSE string_split(s, d)[n] END;
CREATE MACRO trino_regexp_extract(s, p) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p) END,
                                 (s, p, g) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END;
CREATE MACRO trino_upper(s) AS array_to_string(list_transform(string_split(s, 'ß'), lambda piece: upper(piece)), 'ß');
CREATE MACRO trino_reverse(s) AS array_to_string(list_reverse(string_split(s, '')), '');
CREATE MACRO trino_trim(s) AS trim(s, E' \t\n\x0B\f\r');
CREATE MACRO trino_ltrim(s) AS ltrim(s, E' \t\n\x0B\f\r');
CREATE MACRO trino_rtrim(s) AS rtrim(s, E' \t\n\x0B\f\r');
-- A number is printed as it is written, which only its shortest form survives here.
CREATE MACRO trino_json_scalar(j, p) AS
  CASE WHEN NOT json_valid(j) OR json_type(j, p) IN ('OBJECT', 'ARRAY') THEN NULL
       WHEN json_type(j, p) = 'DOUBLE' AND regexp_matches(j, '[.][0-9]*0([^0-9]|$)|[0-9][eE]|[0-9.]{17}')
       THEN error('NOT_SUPPORTED: json_extract_scalar of a number in another than its shortest form is not supported by '
                  || 'the laptop''s DuckDB engine: write the number without closing zeros and exponents')
       ELSE json_extract_string(j, p) END;

-- Numbers.
CREATE MACRO trino_sign(x) AS CASE WHEN x = 0 THEN x ELSE CAST(sign(x) AS DOUBLE) END;

-- Fewer digits of a second, rounded.
CREATE MACRO trino_millis(x) AS date_trunc('milliseconds', x + INTERVAL 500 MICROSECONDS);
CREATE MACRO trino_seconds(x) AS date_trunc('seconds', x + INTERVAL 500 MILLISECONDS);

-- The zone of a text is lost here, so only UTC may be read where it could be shown.
CREATE MACRO trino_utc_text(x) AS
  CASE WHEN x IS NULL OR regexp_matches(x, '(Z|UTC|GMT|[+-]00(:?00)?)\s*$') OR NOT regexp_matches(x, '[T ].*([+-]|[A-Z])')
       THEN x
       ELSE error('NOT_SUPPORTED: A time of another zone than UTC (' || x || ') is not supported by the laptop''s DuckDB '
                  || 'engine: write AT TIME ZONE ''UTC'' behind it, or the time in UTC') END;

-- Seconds of a time without a zone: its milliseconds first, as Trino adds them up.
CREATE MACRO trino_plain_seconds(x) AS
  floor(epoch_us(x) / 1000) / 1000 + (epoch_us(x) - 1000 * CAST(floor(epoch_us(x) / 1000) AS BIGINT)) / 1e6;

-- Without a step a sequence goes from one end to the other, up or down.
CREATE MACRO trino_sequence(a, b) AS generate_series(a, b, CASE WHEN a <= b THEN 1 ELSE -1 END);
CREATE MACRO trino_dates(a, b) AS
  CAST(generate_series(CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP), INTERVAL 1 DAY * CASE WHEN a <= b THEN 1 ELSE -1 END)
       AS DATE[]);

-- Lists and maps: an absent element is an error by subscript, null by element_at.
CREATE MACRO trino_subscript_list(l, i) AS
  CASE WHEN i = 0 THEN error('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1')
       WHEN i < 0 THEN error('INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || i)
       WHEN i > len(l) THEN error('INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: '
                                  || i || ' > ' || len(l))
       ELSE l[i] END;
CREATE MACRO trino_subscript_map(m, k) AS
  CASE WHEN m IS NULL OR map_contains(m, k) THEN m[k]
       ELSE error('INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || k) END;
CREATE MACRO trino_element_map(m, k) AS m[k];
