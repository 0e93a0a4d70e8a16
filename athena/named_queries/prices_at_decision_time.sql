-- name: prices at a decision time
-- description: The newest bar of every symbol that had happened and was known at a decision time. Change the instant, which is there twice.
-- Written by `make sql` from local/saved_reads; edit it there.
WITH known AS (
    -- 1. what was known at the knowledge cut
    -- 2. of each fact the version known last; one that was written twice counts as it was written first
    SELECT
        entity,
        event_time,
        knowledge_time,
        op,
        close,
        adj_close,
        row_number() OVER (
            PARTITION BY entity, event_time
            ORDER BY knowledge_time DESC, revision_seq DESC, ingested_at, source, record_id
        ) AS version_rank
    FROM prices_daily
    WHERE knowledge_time <= TIMESTAMP '2015-06-30 21:00:00.000000 UTC'
),

standing AS (
    -- 3. a fact whose last version is a tombstone is gone; its older versions do not come back
    SELECT entity, event_time, knowledge_time, close, adj_close
    FROM known
    WHERE version_rank = 1 AND op = 'upsert'
),

newest AS (
    -- 4. only now the event cut, and each entity's newest event
    SELECT
        entity,
        event_time,
        knowledge_time,
        close,
        adj_close,
        row_number() OVER (PARTITION BY entity ORDER BY event_time DESC) AS event_rank
    FROM standing
    WHERE event_time <= TIMESTAMP '2015-06-30 21:00:00.000000 UTC'
)

SELECT entity, event_time, knowledge_time, close, adj_close
FROM newest
WHERE event_rank = 1
ORDER BY entity
