-- name: next_event
-- description: The first event of a macro series after an instant, as known at an instant. Parameters: entity, known at (UTC), after (UTC).
-- Written by `make sql` from local/saved_reads; edit it there.
WITH known AS (
    -- 1. what was known at the knowledge cut
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
    WHERE entity = ? AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
),

standing AS (
    -- 3. a fact whose last version is a tombstone is gone; its older versions do not come back
    SELECT entity, event_time, knowledge_time, revision_seq, value
    FROM known
    WHERE version_rank = 1 AND op = 'upsert'
),

coming AS (
    -- 4. each entity's first event after the instant, which need not have happened yet
    SELECT
        entity,
        event_time,
        knowledge_time,
        revision_seq,
        value,
        row_number() OVER (PARTITION BY entity ORDER BY event_time) AS event_rank
    FROM standing
    WHERE event_time > CAST(? AS timestamp(6) with time zone)
)

SELECT entity, event_time, knowledge_time, revision_seq, value
FROM coming
WHERE event_rank = 1
ORDER BY entity
