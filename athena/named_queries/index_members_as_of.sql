-- name: index members as of
-- description: The members of the S&P 500 on a date, as known then: the universe without survivorship. Change the instant in the first lines.
WITH decision AS (
    SELECT timestamp '2010-01-04 21:00:00.000000 UTC' AS at
),

winners AS (
    SELECT
        m.entity,
        m.event_time,
        max_by(m.op, (m.knowledge_time, m.revision_seq)) AS op,
        max_by(m.member, (m.knowledge_time, m.revision_seq)) AS member
    FROM index_membership AS m
    INNER JOIN decision ON m.knowledge_time <= decision.at AND m.event_time <= decision.at
    WHERE starts_with(m.entity, 'SP500/')
    GROUP BY m.entity, m.event_time
),

standing AS (
    SELECT entity, max_by(member, event_time) AS member, max(event_time) AS since
    FROM winners
    WHERE op = 'upsert'
    GROUP BY entity
)

SELECT split_part(entity, '/', 2) AS symbol, since
FROM standing
WHERE member
ORDER BY symbol
