-- name: macro series as known
-- description: Every period of a macro series as it was known at one instant. Parameters: series, instant (UTC).
WITH versions AS (
    SELECT
        event_time,
        knowledge_time,
        revision_seq,
        op,
        value,
        row_number() OVER (PARTITION BY event_time ORDER BY knowledge_time DESC, revision_seq DESC) AS version
    FROM macro_series
    WHERE entity = ? AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
)
-- A withdrawn period is gone: its older versions do not come back.
SELECT event_time, knowledge_time, revision_seq, value
FROM versions
WHERE version = 1 AND op = 'upsert'
ORDER BY event_time
