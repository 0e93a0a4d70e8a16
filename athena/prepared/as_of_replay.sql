-- name: as_of_replay
-- description: The as-of read replayed: as_of, and only with rows that were here at the system cut, with a time to live. Parameters: entity, known at, system cut, event cut, days to live, event cut again.
WITH known AS (
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
    WHERE
        entity = ?
        AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
        AND ingested_at <= CAST(? AS timestamp(6) with time zone)
),

newest AS (
    SELECT entity, event_time, knowledge_time, revision_seq, value
    FROM known
    WHERE version = 1 AND op = 'upsert' AND event_time <= CAST(? AS timestamp(6) with time zone)
    ORDER BY event_time DESC
    LIMIT 1
)

-- The time to live comes last: an expired answer is no answer, never an older one.
SELECT entity, event_time, knowledge_time, revision_seq, value
FROM newest
WHERE event_time >= date_add('day', -CAST(? AS bigint), CAST(? AS timestamp(6) with time zone))
