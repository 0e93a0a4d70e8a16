-- name: history
-- description: Every version of one event of a macro series, in the order it became known. Parameters: entity, event time (UTC).
-- Written by `make sql` from local/saved_reads; edit it there.
WITH told AS (
    -- every version; one that was written twice counts as it was written first
    SELECT
        entity,
        event_time,
        knowledge_time,
        revision_seq,
        op,
        ingested_at,
        value,
        source,
        record_id,
        row_number() OVER (
            PARTITION BY entity, event_time, knowledge_time, revision_seq
            ORDER BY ingested_at, source, record_id
        ) AS delivery
    FROM macro_series
    WHERE entity = ? AND event_time = CAST(? AS timestamp(6) with time zone)
)

SELECT entity, event_time, knowledge_time, revision_seq, op, value, ingested_at, source, record_id
FROM told
WHERE delivery = 1
ORDER BY knowledge_time, revision_seq
