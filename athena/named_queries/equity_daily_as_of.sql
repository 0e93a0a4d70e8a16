-- name: equity daily as of
-- description: The feature view equity_daily, as known, for symbols at decision times. Parameters: symbols (separated by commas), days (separated by commas), time of day (UTC).
-- Written by `make sql` from local/saved_reads; edit it there.
WITH asked AS (
    SELECT split(?, ',') AS symbols, split(?, ',') AS days, ? AS clock
),

decisions AS (
    SELECT CAST(d.day || ' ' || asked.clock || ' UTC' AS timestamp(6) with time zone) AS at
    FROM asked
    CROSS JOIN UNNEST(asked.days) AS d (day)
),

spine AS (
    -- Each symbol at each decision, and what each feature calls it.
    SELECT
        s.symbol AS entity,
        decisions.at AS "time",
        s.symbol AS close_entity,
        'SP500/' || s.symbol AS sp500_member_entity,
        'us.hml.monthly' AS us_hml_pct_entity,
        'uk.gdpkp' AS uk_gdp_entity
    FROM asked
    CROSS JOIN UNNEST(asked.symbols) AS s (symbol)
    CROSS JOIN decisions
),

prices_daily_asked AS (
    -- What the spine asks of these facts, each question once.
    SELECT DISTINCT spine.close_entity AS asked_entity, spine."time" AS asked_at
    FROM spine
    WHERE spine.close_entity IS NOT NULL AND spine."time" IS NOT NULL
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
    SELECT prices_daily_newest.asked_entity, prices_daily_newest.asked_at, prices_daily_spells.close
    FROM prices_daily_newest
    LEFT JOIN prices_daily_spells
        ON
            prices_daily_spells.entity = prices_daily_newest.asked_entity
            AND prices_daily_spells.event_time = prices_daily_newest.newest_event
            AND prices_daily_spells.knowledge_time <= prices_daily_newest.asked_at
            AND (prices_daily_spells.known_until IS NULL OR prices_daily_spells.known_until > prices_daily_newest.asked_at)
            AND prices_daily_newest.newest_event >= prices_daily_newest.asked_at - INTERVAL '10' DAY
),

index_membership_asked AS (
    -- What the spine asks of these facts, each question once.
    SELECT DISTINCT spine.sp500_member_entity AS asked_entity, spine."time" AS asked_at
    FROM spine
    WHERE spine.sp500_member_entity IS NOT NULL AND spine."time" IS NOT NULL
),

index_membership_spells AS (
    -- 2. A version wins its fact from when it is known until the next one is;
    --    a version that was written twice counts as it was written first.
    SELECT
        entity,
        event_time,
        knowledge_time,
        op,
        member,
        lead(knowledge_time) OVER (
            PARTITION BY entity, event_time
            ORDER BY knowledge_time, revision_seq, ingested_at DESC, source DESC, record_id DESC
        ) AS known_until,
        max(CASE WHEN op = 'delete' THEN knowledge_time END) OVER (
            PARTITION BY entity, event_time
        ) AS withdrawn_at
    FROM index_membership
),

index_membership_moments AS (
    -- 3. Where a fact begins to stand for good, or is known at all, and where a question is asked.
    SELECT
        entity AS asked_entity,
        greatest(knowledge_time, event_time) AS asked_at,
        CASE
            WHEN op = 'upsert' AND (withdrawn_at IS NULL OR knowledge_time >= withdrawn_at) THEN event_time
        END AS newest_event,
        0 AS is_question
    FROM index_membership_spells
    WHERE known_until IS NULL OR known_until > knowledge_time
    UNION ALL
    SELECT asked_entity, asked_at, NULL, 1
    FROM index_membership_asked
),

index_membership_standing AS (
    -- 4. The newest lasting event so far; what begins at the instant of a question counts.
    SELECT
        asked_entity,
        asked_at,
        is_question,
        max(newest_event) OVER (PARTITION BY asked_entity ORDER BY asked_at) AS newest_event
    FROM index_membership_moments
),

index_membership_passing AS (
    -- Facts that stand now and are withdrawn later: few, so each question looks them up.
    SELECT
        index_membership_asked.asked_entity,
        index_membership_asked.asked_at,
        max(index_membership_spells.event_time) AS event_time
    FROM index_membership_asked
    INNER JOIN index_membership_spells
        ON
            index_membership_spells.entity = index_membership_asked.asked_entity
            AND index_membership_spells.op = 'upsert'
            AND index_membership_spells.knowledge_time < index_membership_spells.withdrawn_at
            AND index_membership_spells.knowledge_time <= index_membership_asked.asked_at
            AND (index_membership_spells.known_until IS NULL OR index_membership_spells.known_until > index_membership_asked.asked_at)
            AND index_membership_spells.event_time <= index_membership_asked.asked_at
    GROUP BY index_membership_asked.asked_entity, index_membership_asked.asked_at
),

index_membership_newest AS (
    SELECT
        index_membership_standing.asked_entity,
        index_membership_standing.asked_at,
        CASE
            WHEN index_membership_passing.event_time > index_membership_standing.newest_event OR index_membership_standing.newest_event IS NULL THEN index_membership_passing.event_time
            ELSE index_membership_standing.newest_event
        END AS newest_event
    FROM index_membership_standing
    LEFT JOIN index_membership_passing
        ON
            index_membership_passing.asked_entity = index_membership_standing.asked_entity
            AND index_membership_passing.asked_at = index_membership_standing.asked_at
    WHERE index_membership_standing.is_question = 1
),

index_membership_answers AS (
    SELECT
        index_membership_newest.asked_entity,
        index_membership_newest.asked_at,
        index_membership_spells.member AS sp500_member
    FROM index_membership_newest
    LEFT JOIN index_membership_spells
        ON
            index_membership_spells.entity = index_membership_newest.asked_entity
            AND index_membership_spells.event_time = index_membership_newest.newest_event
            AND index_membership_spells.knowledge_time <= index_membership_newest.asked_at
            AND (index_membership_spells.known_until IS NULL OR index_membership_spells.known_until > index_membership_newest.asked_at)
),

factor_returns_asked AS (
    -- What the spine asks of these facts, each question once.
    SELECT DISTINCT spine.us_hml_pct_entity AS asked_entity, spine."time" AS asked_at
    FROM spine
    WHERE spine.us_hml_pct_entity IS NOT NULL AND spine."time" IS NOT NULL
),

factor_returns_spells AS (
    -- 2. A version wins its fact from when it is known until the next one is;
    --    a version that was written twice counts as it was written first.
    SELECT
        entity,
        event_time,
        knowledge_time,
        op,
        return_pct,
        lead(knowledge_time) OVER (
            PARTITION BY entity, event_time
            ORDER BY knowledge_time, revision_seq, ingested_at DESC, source DESC, record_id DESC
        ) AS known_until,
        max(CASE WHEN op = 'delete' THEN knowledge_time END) OVER (
            PARTITION BY entity, event_time
        ) AS withdrawn_at
    FROM factor_returns
),

factor_returns_moments AS (
    -- 3. Where a fact begins to stand for good, or is known at all, and where a question is asked.
    SELECT
        entity AS asked_entity,
        greatest(knowledge_time, event_time) AS asked_at,
        CASE
            WHEN op = 'upsert' AND (withdrawn_at IS NULL OR knowledge_time >= withdrawn_at) THEN event_time
        END AS newest_event,
        0 AS is_question
    FROM factor_returns_spells
    WHERE known_until IS NULL OR known_until > knowledge_time
    UNION ALL
    SELECT asked_entity, asked_at, NULL, 1
    FROM factor_returns_asked
),

factor_returns_standing AS (
    -- 4. The newest lasting event so far; what begins at the instant of a question counts.
    SELECT
        asked_entity,
        asked_at,
        is_question,
        max(newest_event) OVER (PARTITION BY asked_entity ORDER BY asked_at) AS newest_event
    FROM factor_returns_moments
),

factor_returns_passing AS (
    -- Facts that stand now and are withdrawn later: few, so each question looks them up.
    SELECT
        factor_returns_asked.asked_entity,
        factor_returns_asked.asked_at,
        max(factor_returns_spells.event_time) AS event_time
    FROM factor_returns_asked
    INNER JOIN factor_returns_spells
        ON
            factor_returns_spells.entity = factor_returns_asked.asked_entity
            AND factor_returns_spells.op = 'upsert'
            AND factor_returns_spells.knowledge_time < factor_returns_spells.withdrawn_at
            AND factor_returns_spells.knowledge_time <= factor_returns_asked.asked_at
            AND (factor_returns_spells.known_until IS NULL OR factor_returns_spells.known_until > factor_returns_asked.asked_at)
            AND factor_returns_spells.event_time <= factor_returns_asked.asked_at
    GROUP BY factor_returns_asked.asked_entity, factor_returns_asked.asked_at
),

factor_returns_newest AS (
    SELECT
        factor_returns_standing.asked_entity,
        factor_returns_standing.asked_at,
        CASE
            WHEN factor_returns_passing.event_time > factor_returns_standing.newest_event OR factor_returns_standing.newest_event IS NULL THEN factor_returns_passing.event_time
            ELSE factor_returns_standing.newest_event
        END AS newest_event
    FROM factor_returns_standing
    LEFT JOIN factor_returns_passing
        ON
            factor_returns_passing.asked_entity = factor_returns_standing.asked_entity
            AND factor_returns_passing.asked_at = factor_returns_standing.asked_at
    WHERE factor_returns_standing.is_question = 1
),

factor_returns_answers AS (
    SELECT
        factor_returns_newest.asked_entity,
        factor_returns_newest.asked_at,
        factor_returns_spells.return_pct AS us_hml_pct
    FROM factor_returns_newest
    LEFT JOIN factor_returns_spells
        ON
            factor_returns_spells.entity = factor_returns_newest.asked_entity
            AND factor_returns_spells.event_time = factor_returns_newest.newest_event
            AND factor_returns_spells.knowledge_time <= factor_returns_newest.asked_at
            AND (factor_returns_spells.known_until IS NULL OR factor_returns_spells.known_until > factor_returns_newest.asked_at)
),

macro_series_asked AS (
    -- What the spine asks of these facts, each question once.
    SELECT DISTINCT spine.uk_gdp_entity AS asked_entity, spine."time" AS asked_at
    FROM spine
    WHERE spine.uk_gdp_entity IS NOT NULL AND spine."time" IS NOT NULL
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
        macro_series_spells.value AS uk_gdp
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
    spine."time",
    prices_daily_answers.close,
    index_membership_answers.sp500_member,
    factor_returns_answers.us_hml_pct,
    macro_series_answers.uk_gdp
FROM spine
LEFT JOIN prices_daily_answers
    ON
        prices_daily_answers.asked_entity = spine.close_entity
        AND prices_daily_answers.asked_at = spine."time"
LEFT JOIN index_membership_answers
    ON
        index_membership_answers.asked_entity = spine.sp500_member_entity
        AND index_membership_answers.asked_at = spine."time"
LEFT JOIN factor_returns_answers
    ON
        factor_returns_answers.asked_entity = spine.us_hml_pct_entity
        AND factor_returns_answers.asked_at = spine."time"
LEFT JOIN macro_series_answers
    ON
        macro_series_answers.asked_entity = spine.uk_gdp_entity
        AND macro_series_answers.asked_at = spine."time"
ORDER BY spine."time", spine.entity
