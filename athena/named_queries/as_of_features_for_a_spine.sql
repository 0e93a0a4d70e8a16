-- name: as-of features for a spine
-- description: One row per symbol and decision time with the close and the macro value known then. Put your own rows into the spine.
-- Written by `make sql` from local/saved_reads; edit it there.
WITH spine (entity, series, "at") AS (
    VALUES
        ('AAPL', 'uk.gdpkp', TIMESTAMP '2008-10-31 21:00:00.000000 UTC'),
        ('AAPL', 'uk.gdpkp', TIMESTAMP '2009-01-30 21:00:00.000000 UTC'),
        ('MSFT', 'uk.gdpkp', TIMESTAMP '2009-01-30 21:00:00.000000 UTC')
),

prices_daily_asked AS (
    -- What the spine asks of these facts, each question once.
    SELECT DISTINCT spine.entity AS asked_entity, spine."at" AS asked_at
    FROM spine
    WHERE spine.entity IS NOT NULL AND spine."at" IS NOT NULL
),

prices_daily_spells AS (
    -- 2. A version wins its fact from when it is known until the next one is;
    --    a version that was written twice counts as it was written first.
    SELECT
        entity,
        event_time,
        knowledge_time,
        op,
        close,
        lead(knowledge_time) OVER (
            PARTITION BY entity, event_time
            ORDER BY knowledge_time, revision_seq, ingested_at DESC, source DESC, record_id DESC
        ) AS known_until,
        max(CASE WHEN op = 'delete' THEN knowledge_time END) OVER (
            PARTITION BY entity, event_time
        ) AS withdrawn_at
    FROM prices_daily
),

prices_daily_moments AS (
    -- 3. Where a fact begins to stand for good, or is known at all, and where a question is asked.
    SELECT
        entity AS asked_entity,
        greatest(knowledge_time, event_time) AS asked_at,
        CASE
            WHEN op = 'upsert' AND (withdrawn_at IS NULL OR knowledge_time >= withdrawn_at) THEN event_time
        END AS newest_event,
        0 AS is_question
    FROM prices_daily_spells
    WHERE known_until IS NULL OR known_until > knowledge_time
    UNION ALL
    SELECT asked_entity, asked_at, NULL, 1
    FROM prices_daily_asked
),

prices_daily_standing AS (
    -- 4. The newest lasting event so far; what begins at the instant of a question counts.
    SELECT
        asked_entity,
        asked_at,
        is_question,
        max(newest_event) OVER (PARTITION BY asked_entity ORDER BY asked_at) AS newest_event
    FROM prices_daily_moments
),

prices_daily_passing AS (
    -- Facts that stand now and are withdrawn later: few, so each question looks them up.
    SELECT
        prices_daily_asked.asked_entity,
        prices_daily_asked.asked_at,
        max(prices_daily_spells.event_time) AS event_time
    FROM prices_daily_asked
    INNER JOIN prices_daily_spells
        ON
            prices_daily_spells.entity = prices_daily_asked.asked_entity
            AND prices_daily_spells.op = 'upsert'
            AND prices_daily_spells.knowledge_time < prices_daily_spells.withdrawn_at
            AND prices_daily_spells.knowledge_time <= prices_daily_asked.asked_at
            AND (prices_daily_spells.known_until IS NULL OR prices_daily_spells.known_until > prices_daily_asked.asked_at)
            AND prices_daily_spells.event_time <= prices_daily_asked.asked_at
    GROUP BY prices_daily_asked.asked_entity, prices_daily_asked.asked_at
),

prices_daily_newest AS (
    SELECT
        prices_daily_standing.asked_entity,
        prices_daily_standing.asked_at,
        CASE
            WHEN prices_daily_passing.event_time > prices_daily_standing.newest_event OR prices_daily_standing.newest_event IS NULL THEN prices_daily_passing.event_time
            ELSE prices_daily_standing.newest_event
        END AS newest_event
    FROM prices_daily_standing
    LEFT JOIN prices_daily_passing
        ON
            prices_daily_passing.asked_entity = prices_daily_standing.asked_entity
            AND prices_daily_passing.asked_at = prices_daily_standing.asked_at
    WHERE prices_daily_standing.is_question = 1
),

prices_daily_answers AS (
    -- 5. Its values; an expired answer is no answer, never an older one.
    SELECT
        prices_daily_newest.asked_entity,
        prices_daily_newest.asked_at,
        prices_daily_spells.close,
        prices_daily_spells.event_time AS close_time
    FROM prices_daily_newest
    LEFT JOIN prices_daily_spells
        ON
            prices_daily_spells.entity = prices_daily_newest.asked_entity
            AND prices_daily_spells.event_time = prices_daily_newest.newest_event
            AND prices_daily_spells.knowledge_time <= prices_daily_newest.asked_at
            AND (prices_daily_spells.known_until IS NULL OR prices_daily_spells.known_until > prices_daily_newest.asked_at)
            AND prices_daily_newest.newest_event >= prices_daily_newest.asked_at - INTERVAL '10' DAY
),

macro_series_asked AS (
    -- What the spine asks of these facts, each question once.
    SELECT DISTINCT spine.series AS asked_entity, spine."at" AS asked_at
    FROM spine
    WHERE spine.series IS NOT NULL AND spine."at" IS NOT NULL
),

macro_series_spells AS (
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

macro_series_moments AS (
    -- 3. Where a fact begins to stand for good, or is known at all, and where a question is asked.
    SELECT
        entity AS asked_entity,
        greatest(knowledge_time, event_time) AS asked_at,
        CASE
            WHEN op = 'upsert' AND (withdrawn_at IS NULL OR knowledge_time >= withdrawn_at) THEN event_time
        END AS newest_event,
        0 AS is_question
    FROM macro_series_spells
    WHERE known_until IS NULL OR known_until > knowledge_time
    UNION ALL
    SELECT asked_entity, asked_at, NULL, 1
    FROM macro_series_asked
),

macro_series_standing AS (
    -- 4. The newest lasting event so far; what begins at the instant of a question counts.
    SELECT
        asked_entity,
        asked_at,
        is_question,
        max(newest_event) OVER (PARTITION BY asked_entity ORDER BY asked_at) AS newest_event
    FROM macro_series_moments
),

macro_series_passing AS (
    -- Facts that stand now and are withdrawn later: few, so each question looks them up.
    SELECT
        macro_series_asked.asked_entity,
        macro_series_asked.asked_at,
        max(macro_series_spells.event_time) AS event_time
    FROM macro_series_asked
    INNER JOIN macro_series_spells
        ON
            macro_series_spells.entity = macro_series_asked.asked_entity
            AND macro_series_spells.op = 'upsert'
            AND macro_series_spells.knowledge_time < macro_series_spells.withdrawn_at
            AND macro_series_spells.knowledge_time <= macro_series_asked.asked_at
            AND (macro_series_spells.known_until IS NULL OR macro_series_spells.known_until > macro_series_asked.asked_at)
            AND macro_series_spells.event_time <= macro_series_asked.asked_at
    GROUP BY macro_series_asked.asked_entity, macro_series_asked.asked_at
),

macro_series_newest AS (
    SELECT
        macro_series_standing.asked_entity,
        macro_series_standing.asked_at,
        CASE
            WHEN macro_series_passing.event_time > macro_series_standing.newest_event OR macro_series_standing.newest_event IS NULL THEN macro_series_passing.event_time
            ELSE macro_series_standing.newest_event
        END AS newest_event
    FROM macro_series_standing
    LEFT JOIN macro_series_passing
        ON
            macro_series_passing.asked_entity = macro_series_standing.asked_entity
            AND macro_series_passing.asked_at = macro_series_standing.asked_at
    WHERE macro_series_standing.is_question = 1
),

macro_series_answers AS (
    SELECT
        macro_series_newest.asked_entity,
        macro_series_newest.asked_at,
        macro_series_spells.value AS gdp,
        macro_series_spells.event_time AS gdp_period
    FROM macro_series_newest
    LEFT JOIN macro_series_spells
        ON
            macro_series_spells.entity = macro_series_newest.asked_entity
            AND macro_series_spells.event_time = macro_series_newest.newest_event
            AND macro_series_spells.knowledge_time <= macro_series_newest.asked_at
            AND (macro_series_spells.known_until IS NULL OR macro_series_spells.known_until > macro_series_newest.asked_at)
)

SELECT
    spine.entity,
    spine."at",
    prices_daily_answers.close,
    prices_daily_answers.close_time,
    macro_series_answers.gdp,
    macro_series_answers.gdp_period
FROM spine
LEFT JOIN prices_daily_answers
    ON prices_daily_answers.asked_entity = spine.entity AND prices_daily_answers.asked_at = spine."at"
LEFT JOIN macro_series_answers
    ON macro_series_answers.asked_entity = spine.series AND macro_series_answers.asked_at = spine."at"
ORDER BY spine."at", spine.entity
