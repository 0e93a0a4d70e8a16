-- Trino's functions where DuckDB has another meaning for the same name.

-- Text cast to an integer must be an integer.
CREATE MACRO trino_to_bigint(x) AS
  CASE WHEN x IS NULL OR regexp_full_match(x, '[+-]?[0-9]+') THEN CAST(x AS BIGINT)
       ELSE error('INVALID_CAST_ARGUMENT: Cannot cast ''' || x || ''' to BIGINT') END;
CREATE MACRO trino_try_bigint(x) AS
  CASE WHEN regexp_full_match(x, '[+-]?[0-9]+') THEN TRY_CAST(x AS BIGINT) END;

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
CREATE MACRO trino_trim(s) AS trim(s, E' \t\n\x0B\f\r');
CREATE MACRO trino_ltrim(s) AS ltrim(s, E' \t\n\x0B\f\r');
CREATE MACRO trino_rtrim(s) AS rtrim(s, E' \t\n\x0B\f\r');
CREATE MACRO trino_json_scalar(j, p) AS
  CASE WHEN json_type(j, p) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(j, p) END;

-- Fewer digits of a second, rounded.
CREATE MACRO trino_millis(x) AS date_trunc('milliseconds', x + INTERVAL 500 MICROSECONDS);
CREATE MACRO trino_seconds(x) AS date_trunc('seconds', x + INTERVAL 500 MILLISECONDS);

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
