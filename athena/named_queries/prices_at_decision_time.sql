-- name: prices at a decision time
-- description: The newest bar of every symbol that had happened and was known at a decision time. Change the instant in the first lines.
WITH decision AS (
    SELECT timestamp '2015-06-30 21:00:00.000000 UTC' AS at
),

known AS (
    SELECT
        p.entity,
        p.event_time,
        p.knowledge_time,
        p.op,
        p.close,
        p.adj_close,
        decision.at,
        row_number() OVER (
            PARTITION BY p.entity, p.event_time ORDER BY p.knowledge_time DESC, p.revision_seq DESC
        ) AS version
    FROM prices_daily AS p
    INNER JOIN decision ON p.knowledge_time <= decision.at
),

standing AS (
    SELECT
        entity,
        event_time,
        knowledge_time,
        close,
        adj_close,
        row_number() OVER (PARTITION BY entity ORDER BY event_time DESC) AS age
    FROM known
    WHERE version = 1 AND op = 'upsert' AND event_time <= at
)

SELECT entity, event_time, knowledge_time, close, adj_close
FROM standing
WHERE age = 1
ORDER BY entity
