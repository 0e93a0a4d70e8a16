-- name: prices_as_of
-- description: The newest daily bar of a symbol that had happened and was known at a decision time. Parameters: symbol, known at (UTC), event cut (UTC).
WITH known AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY entity, event_time ORDER BY knowledge_time DESC, revision_seq DESC
        ) AS version
    FROM prices_daily
    WHERE entity = ? AND knowledge_time <= CAST(? AS timestamp(6) with time zone)
)

SELECT entity, event_time, knowledge_time, revision_seq, open, high, low, close, volume, adj_close
FROM known
WHERE version = 1 AND op = 'upsert' AND event_time <= CAST(? AS timestamp(6) with time zone)
ORDER BY event_time DESC
LIMIT 1
