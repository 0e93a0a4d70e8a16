-- name: growth by vintage
-- description: Growth of one quarter of a macro series in every vintage that knew it. Change the series and the quarter in the first lines.
WITH asked AS (
    SELECT 'uk.gdpkp' AS entity, timestamp '2008-09-30 00:00:00.000000 UTC' AS event_time
),

vintages AS (
    SELECT DISTINCT m.knowledge_time AS known_at
    FROM macro_series AS m
    INNER JOIN asked ON m.entity = asked.entity
    WHERE m.knowledge_time >= asked.event_time
),

known AS (
    SELECT
        vintages.known_at,
        m.event_time,
        max_by(m.op, (m.knowledge_time, m.revision_seq)) AS op,
        max_by(m.value, (m.knowledge_time, m.revision_seq)) AS value
    FROM vintages
    INNER JOIN macro_series AS m ON m.knowledge_time <= vintages.known_at
    INNER JOIN asked ON m.entity = asked.entity
    WHERE
        m.event_time <= asked.event_time
        AND m.event_time > asked.event_time - INTERVAL '6' MONTH
    GROUP BY vintages.known_at, m.event_time
),

grown AS (
    SELECT
        known_at,
        event_time,
        value,
        lag(value) OVER (PARTITION BY known_at ORDER BY event_time) AS before
    FROM known
    WHERE op = 'upsert'
)

SELECT grown.known_at, grown.value, 1e2 * (grown.value / grown.before - 1) AS growth_pct
FROM grown
INNER JOIN asked ON grown.event_time = asked.event_time
WHERE grown.before IS NOT NULL
ORDER BY grown.known_at
