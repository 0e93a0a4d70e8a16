-- name: macro series at a revision
-- description: The newest vintage of a macro series in one revision of the table, which stays the same for ever. Put a tag or the id of a snapshot in the place of 'main', the newest revision.
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
    FROM macro_series FOR VERSION AS OF 'main'
    WHERE entity = 'uk.gdpkp' AND knowledge_time <= TIMESTAMP '2024-01-01 00:00:00.000000 UTC'
)

-- 3. a fact whose last version is a tombstone is gone; its older versions do not come back
SELECT event_time, knowledge_time, revision_seq, value
FROM known
WHERE version_rank = 1 AND op = 'upsert'
ORDER BY entity, event_time
