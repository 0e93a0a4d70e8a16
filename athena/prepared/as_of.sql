-- name: as_of
-- description: The as-of read of a macro series: its newest event at the event cut, as known at the knowledge cut. Parameters: entity, known at (UTC), event cut (UTC).
WITH known AS (
    -- 1. what was known, and of each event the version that wins
    SELECT
        entity,
        event_time,
        knowledge_time,
        revision_seq,
        op,
        value,
        row_number() OVER (
            PARTITION BY entity, event_time ORDER BY knowledge_time DESC, revision_seq DESC
        ) AS version
    FROM macro_series
    WHERE entity = ? AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
),

facts AS (
    -- 2. a fact whose winner is a tombstone is gone; its older versions do not come back
    SELECT entity, event_time, knowledge_time, revision_seq, value
    FROM known
    WHERE version = 1 AND op = 'upsert'
)

-- 3. only now the event cut, and the newest event
SELECT entity, event_time, knowledge_time, revision_seq, value
FROM facts
WHERE event_time <= CAST(? AS timestamp(6) with time zone)
ORDER BY event_time DESC
LIMIT 1
