-- name: as-of features for a spine
-- description: One row per symbol and decision time with the close and the macro value known then. Put your own rows into the spine.
WITH spine (entity, at) AS (
    VALUES
    ('AAPL', timestamp '2008-10-31 21:00:00.000000 UTC'),
    ('AAPL', timestamp '2009-01-30 21:00:00.000000 UTC'),
    ('MSFT', timestamp '2009-01-30 21:00:00.000000 UTC')
),

price_winners AS (
    SELECT
        spine.entity,
        spine.at,
        p.event_time,
        max_by(p.op, (p.knowledge_time, p.revision_seq)) AS op,
        max_by(p.close, (p.knowledge_time, p.revision_seq)) AS close
    FROM spine
    INNER JOIN prices_daily AS p ON p.entity = spine.entity AND p.knowledge_time <= spine.at
    WHERE p.event_time <= spine.at AND p.event_time >= spine.at - INTERVAL '10' DAY
    GROUP BY spine.entity, spine.at, p.event_time
),

prices AS (
    SELECT entity, at, max_by(close, event_time) AS close, max(event_time) AS close_time
    FROM price_winners
    WHERE op = 'upsert'
    GROUP BY entity, at
),

macro_winners AS (
    SELECT
        decisions.at,
        m.event_time,
        max_by(m.op, (m.knowledge_time, m.revision_seq)) AS op,
        max_by(m.value, (m.knowledge_time, m.revision_seq)) AS value
    FROM (SELECT DISTINCT at FROM spine) AS decisions
    INNER JOIN macro_series AS m ON m.knowledge_time <= decisions.at
    WHERE m.entity = 'uk.gdpkp' AND m.event_time <= decisions.at
    GROUP BY decisions.at, m.event_time
),

macro AS (
    SELECT at, max_by(value, event_time) AS gdp, max(event_time) AS gdp_period
    FROM macro_winners
    WHERE op = 'upsert'
    GROUP BY at
)

SELECT spine.entity, spine.at, prices.close, prices.close_time, macro.gdp, macro.gdp_period
FROM spine
LEFT JOIN prices ON prices.entity = spine.entity AND prices.at = spine.at
LEFT JOIN macro ON macro.at = spine.at
ORDER BY spine.at, spine.entity
