-- name: latest known value
-- description: The newest value of every macro series as known today, with what it is worth: when it was learned and how often it was revised.
WITH winners AS (
    SELECT
        entity,
        event_time,
        max(knowledge_time) AS knowledge_time,
        count(*) - 1 AS revisions,
        max_by(op, (knowledge_time, revision_seq)) AS op,
        max_by(value, (knowledge_time, revision_seq)) AS value
    FROM macro_series
    GROUP BY entity, event_time
),

newest AS (
    SELECT
        entity,
        event_time,
        knowledge_time,
        revisions,
        value,
        row_number() OVER (PARTITION BY entity ORDER BY event_time DESC) AS age
    FROM winners
    WHERE op = 'upsert' AND event_time <= current_timestamp
)

SELECT entity, event_time, knowledge_time, revisions, value
FROM newest
WHERE age = 1
ORDER BY entity
