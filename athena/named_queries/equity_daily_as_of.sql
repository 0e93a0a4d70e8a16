-- name: equity daily as of
-- description: The feature view equity_daily, as known, for symbols at decision times. Parameters: symbols and days (each separated by commas), time of day (UTC).
WITH asked AS (
    SELECT split(?, ',') AS symbols, split(?, ',') AS days, ? AS clock
),

decisions AS (
    SELECT CAST(d.day || ' ' || asked.clock || ' UTC' AS timestamp(6) with time zone) AS at
    FROM asked
    CROSS JOIN UNNEST(asked.days) AS d (day)
),

spine AS (
    SELECT s.symbol, decisions.at
    FROM asked
    CROSS JOIN UNNEST(asked.symbols) AS s (symbol)
    CROSS JOIN decisions
),

-- Each feature in the same steps: what was known, the winning version of each event, the newest event that stands.
price_versions AS (
    SELECT
        spine.symbol, spine.at, f.event_time, f.op, f.close,
        row_number() OVER (
            PARTITION BY spine.symbol, spine.at, f.event_time ORDER BY f.knowledge_time DESC, f.revision_seq DESC
        ) AS version
    FROM spine
    INNER JOIN prices_daily AS f
        ON
            f.entity = spine.symbol
            AND f.knowledge_time <= spine.at
            AND f.event_time <= spine.at
            AND f.event_time >= spine.at - INTERVAL '10' DAY -- the view's time to live
),

prices AS (
    SELECT symbol, at, close, row_number() OVER (PARTITION BY symbol, at ORDER BY event_time DESC) AS age
    FROM price_versions
    WHERE version = 1 AND op = 'upsert'
),

member_versions AS (
    SELECT
        spine.symbol, spine.at, f.event_time, f.op, f.member,
        row_number() OVER (
            PARTITION BY spine.symbol, spine.at, f.event_time ORDER BY f.knowledge_time DESC, f.revision_seq DESC
        ) AS version
    FROM spine
    INNER JOIN index_membership AS f
        ON f.entity = 'SP500/' || spine.symbol AND f.knowledge_time <= spine.at AND f.event_time <= spine.at
),

members AS (
    SELECT symbol, at, member, row_number() OVER (PARTITION BY symbol, at ORDER BY event_time DESC) AS age
    FROM member_versions
    WHERE version = 1 AND op = 'upsert'
),

-- The same for every symbol, so asked once for each decision.
factor_versions AS (
    SELECT
        decisions.at, f.event_time, f.op, f.return_pct,
        row_number() OVER (
            PARTITION BY decisions.at, f.event_time ORDER BY f.knowledge_time DESC, f.revision_seq DESC
        ) AS version
    FROM decisions
    INNER JOIN factor_returns AS f
        ON f.entity = 'us.hml.monthly' AND f.knowledge_time <= decisions.at AND f.event_time <= decisions.at
),

factors AS (
    SELECT at, return_pct, row_number() OVER (PARTITION BY at ORDER BY event_time DESC) AS age
    FROM factor_versions
    WHERE version = 1 AND op = 'upsert'
),

macro_versions AS (
    SELECT
        decisions.at, f.event_time, f.op, f.value,
        row_number() OVER (
            PARTITION BY decisions.at, f.event_time ORDER BY f.knowledge_time DESC, f.revision_seq DESC
        ) AS version
    FROM decisions
    INNER JOIN macro_series AS f
        ON f.entity = 'uk.gdpkp' AND f.knowledge_time <= decisions.at AND f.event_time <= decisions.at
),

macro AS (
    SELECT at, value, row_number() OVER (PARTITION BY at ORDER BY event_time DESC) AS age
    FROM macro_versions
    WHERE version = 1 AND op = 'upsert'
)

SELECT
    spine.symbol AS entity,
    spine.at AS "time",
    prices.close,
    members.member AS sp500_member,
    factors.return_pct AS us_hml_pct,
    macro.value AS uk_gdp
FROM spine
LEFT JOIN prices ON prices.symbol = spine.symbol AND prices.at = spine.at AND prices.age = 1
LEFT JOIN members ON members.symbol = spine.symbol AND members.at = spine.at AND members.age = 1
LEFT JOIN factors ON factors.at = spine.at AND factors.age = 1
LEFT JOIN macro ON macro.at = spine.at AND macro.age = 1
ORDER BY "time", entity
