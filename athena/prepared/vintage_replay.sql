-- name: vintage_replay
-- description: A whole macro series as it was known at an instant, by rows that were here at the system cut. Parameters: entity, known at (UTC), system cut (UTC).
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
)

-- 3. a fact whose last version is a tombstone is gone; its older versions do not come back
SELECT entity, event_time, knowledge_time, revision_seq, value
FROM known
WHERE version_rank = 1 AND op = 'upsert'
ORDER BY entity, event_time
