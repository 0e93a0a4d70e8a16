-- name: history
-- description: Every version of one event of a macro series, in the order it became known. Parameters: entity, event time (UTC).
SELECT entity, event_time, knowledge_time, revision_seq, op, value, ingested_at, source, record_id
FROM macro_series
WHERE entity = ? AND event_time = CAST(? AS timestamp(6) with time zone)
ORDER BY knowledge_time, revision_seq
