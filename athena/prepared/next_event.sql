-- name: next_event
-- description: The first event of a macro series after an instant, as known at an instant. Parameters: entity, known at (UTC), after (UTC).
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
    WHERE entity = ? AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
)

SELECT entity, event_time, knowledge_time, revision_seq, value
FROM known
WHERE version = 1 AND op = 'upsert' AND event_time > CAST(? AS timestamp(6) with time zone)
ORDER BY event_time
LIMIT 1
