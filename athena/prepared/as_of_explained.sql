-- name: as_of_explained
-- description: The as-of read of a macro series at one instant; without an answer, why: never_known or deleted. Parameters: entity, time (UTC).
-- Written by `make sql` from local/saved_reads; edit it there.
WITH spine (entity, "time") AS (
    VALUES
        (?, CAST(? AS timestamp(6) with time zone))
),

asked AS (
    -- What the spine asks of these facts, each question once.
    SELECT DISTINCT spine.entity AS asked_entity, spine."time" AS asked_at
    FROM spine
    WHERE spine.entity IS NOT NULL AND spine."time" IS NOT NULL
),

spells AS (
    -- 2. A version wins its fact from when it is known until the next one is;
    --    a version that was written twice counts as it was written first.
    SELECT
        entity,
        event_time,
        knowledge_time,
        op,
        value,
        lead(knowledge_time) OVER (
            PARTITION BY entity, event_time
            ORDER BY knowledge_time, revision_seq, ingested_at DESC, source DESC, record_id DESC
        ) AS known_until,
        max(CASE WHEN op = 'delete' THEN knowledge_time END) OVER (
            PARTITION BY entity, event_time
        ) AS withdrawn_at
    FROM macro_series
),

moments AS (
    -- 3. Where a fact begins to stand for good, or is known at all, and where a question is asked.
    SELECT
        entity AS asked_entity,
        greatest(knowledge_time, event_time) AS asked_at,
        CASE
            WHEN op = 'upsert' AND (withdrawn_at IS NULL OR knowledge_time >= withdrawn_at) THEN event_time
        END AS newest_event,
        1 AS has_version,
        0 AS is_question
    FROM spells
    WHERE known_until IS NULL OR known_until > knowledge_time
    UNION ALL
    SELECT asked_entity, asked_at, NULL, 0 AS has_version, 1
    FROM asked
),

standing AS (
    -- 4. The newest lasting event so far; what begins at the instant of a question counts.
    SELECT
        asked_entity,
        asked_at,
        is_question,
        max(newest_event) OVER (PARTITION BY asked_entity ORDER BY asked_at) AS newest_event,
        max(has_version) OVER (PARTITION BY asked_entity ORDER BY asked_at) AS has_version
    FROM moments
),

passing AS (
    -- Facts that stand now and are withdrawn later: few, so each question looks them up.
    SELECT asked.asked_entity, asked.asked_at, max(spells.event_time) AS event_time
    FROM asked
    INNER JOIN spells
        ON
            spells.entity = asked.asked_entity
            AND spells.op = 'upsert'
            AND spells.knowledge_time < spells.withdrawn_at
            AND spells.knowledge_time <= asked.asked_at
            AND (spells.known_until IS NULL OR spells.known_until > asked.asked_at)
            AND spells.event_time <= asked.asked_at
    GROUP BY asked.asked_entity, asked.asked_at
),

newest AS (
    SELECT
        standing.asked_entity,
        standing.asked_at,
        CASE
            WHEN passing.event_time > standing.newest_event OR standing.newest_event IS NULL THEN passing.event_time
            ELSE standing.newest_event
        END AS newest_event,
        standing.has_version
    FROM standing
    LEFT JOIN passing
        ON passing.asked_entity = standing.asked_entity AND passing.asked_at = standing.asked_at
    WHERE standing.is_question = 1
),

answers AS (
    SELECT
        newest.asked_entity,
        newest.asked_at,
        spells.event_time,
        spells.knowledge_time,
        spells.value,
        CASE
            WHEN newest.newest_event IS NULL AND newest.has_version = 1 THEN 'deleted'
            WHEN newest.newest_event IS NULL THEN 'never_known'
        END AS reason
    FROM newest
    LEFT JOIN spells
        ON
            spells.entity = newest.asked_entity
            AND spells.event_time = newest.newest_event
            AND spells.knowledge_time <= newest.asked_at
            AND (spells.known_until IS NULL OR spells.known_until > newest.asked_at)
)

SELECT
    spine.entity,
    spine."time",
    answers.event_time,
    answers.knowledge_time,
    answers.value,
    CASE WHEN answers.asked_at IS NULL THEN 'never_known' ELSE answers.reason END AS reason
FROM spine
LEFT JOIN answers
    ON answers.asked_entity = spine.entity AND answers.asked_at = spine."time"
