-- name: first print against latest revision
-- description: For every period of every macro series, what was said first, what is said now, and what changed.
WITH winners AS (
    SELECT
        entity,
        event_time,
        min(knowledge_time) AS first_known,
        max(knowledge_time) AS last_known,
        count(*) AS versions,
        min_by(value, (knowledge_time, revision_seq)) AS first_print,
        max_by(value, (knowledge_time, revision_seq)) AS latest,
        max_by(op, (knowledge_time, revision_seq)) AS op
    FROM macro_series
    GROUP BY entity, event_time
)

SELECT
    entity,
    event_time,
    first_known,
    last_known,
    versions,
    first_print,
    latest,
    latest - first_print AS revision,
    CASE WHEN first_print <> 0 THEN 1e2 * (latest - first_print) / abs(first_print) END AS revision_pct,
    date_diff('day', first_known, last_known) AS days_until_latest
FROM winners
WHERE op = 'upsert'
ORDER BY entity, event_time
