-- name: vintage
-- description: A whole macro series as it was known at an instant. Parameters: entity, known at (UTC).
WITH winners AS (
    SELECT
        entity,
        event_time,
        max(knowledge_time) AS knowledge_time,
        max_by(revision_seq, (knowledge_time, revision_seq)) AS revision_seq,
        max_by(op, (knowledge_time, revision_seq)) AS op,
        max_by(value, (knowledge_time, revision_seq)) AS value
    FROM macro_series
    WHERE entity = ? AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
    GROUP BY entity, event_time
)

SELECT entity, event_time, knowledge_time, revision_seq, value
FROM winners
WHERE op = 'upsert'
ORDER BY event_time
