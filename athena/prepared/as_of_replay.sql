-- name: as_of_replay
-- description: The as-of read replayed: as_of, and only with rows that were here at the system cut, with a time to live. Parameters: entity, known at (UTC), system cut (UTC), event cut (UTC), days to live, event cut (UTC) again.
-- Written by `make sql` from local/saved_reads; edit it there.
WITH known AS (
    -- 1. what was known at the knowledge cut, and was written here by the system cut
    -- 2. of each fact the version known last; one that was written twice counts as it was written first
    SELECT
        entity,
        event_time,
        knowledge_time,
        revision_seq,
        op,
        value,
        row_number() OVER (
            PARTITION BY entity, event_time
            ORDER BY knowledge_time DESC, revision_seq DESC, ingested_at, source, record_id
        ) AS version_rank
    FROM macro_series
    WHERE
        entity = ?
        AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
        AND ingested_at <= CAST(? AS timestamp(6) with time zone)
),

standing AS (
    -- 3. a fact whose last version is a tombstone is gone; its older versions do not come back
    SELECT entity, event_time, knowledge_time, revision_seq, value
    FROM known
    WHERE version_rank = 1 AND op = 'upsert'
),

newest AS (
    -- 4. only now the event cut, and each entity's newest event
    SELECT
        entity,
        event_time,
        knowledge_time,
        revision_seq,
        value,
        row_number() OVER (PARTITION BY entity ORDER BY event_time DESC) AS event_rank
    FROM standing
    WHERE event_time <= CAST(? AS timestamp(6) with time zone)
)

-- 5. the time to live comes last: an expired answer is no answer, never an older one
SELECT entity, event_time, knowledge_time, revision_seq, value
FROM newest
WHERE
    event_rank = 1
    AND event_time >= date_add('day', -CAST(? AS bigint), CAST(? AS timestamp(6) with time zone))
ORDER BY entity
