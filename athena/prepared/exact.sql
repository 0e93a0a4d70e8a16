-- name: exact
-- description: What one event of a macro series was thought to be at an instant. Parameters: entity, event time (UTC), known at (UTC).
WITH known AS (
    SELECT
        entity,
        event_time,
        knowledge_time,
        revision_seq,
        op,
        value,
        row_number() OVER (ORDER BY knowledge_time DESC, revision_seq DESC) AS version
    FROM macro_series
    WHERE
        entity = ?
        AND event_time = CAST(? AS timestamp(6) with time zone)
        AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
)

SELECT entity, event_time, knowledge_time, revision_seq, value
FROM known
WHERE version = 1 AND op = 'upsert'
