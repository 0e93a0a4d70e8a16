-- name: quarantine by rule
-- description: What was refused, by dataset and rule, with the remedy and the last time it happened.
SELECT
    dataset,
    rule,
    field,
    count(*) AS records,
    count(DISTINCT entity) AS entities,
    min(arrived_at) AS first_arrived,
    max(arrived_at) AS last_arrived,
    max_by(remedy, (arrived_at, quarantine_id)) AS remedy,
    max_by(payload, (arrived_at, quarantine_id)) AS newest_payload
FROM quarantine
GROUP BY dataset, rule, field
ORDER BY records DESC, dataset, rule, field
