-- name: history of a fact
-- description: Every version of one fact with what each changed. Change the series and the period in the WHERE clause.
SELECT
    knowledge_time,
    revision_seq,
    op,
    value,
    value - lag(value) OVER (ORDER BY knowledge_time, revision_seq) AS change,
    date_diff('day', event_time, knowledge_time) AS days_after_event,
    ingested_at,
    source,
    record_id
FROM macro_series
WHERE entity = 'uk.gdpkp' AND event_time = timestamp '2008-09-30 00:00:00.000000 UTC'
ORDER BY knowledge_time, revision_seq
