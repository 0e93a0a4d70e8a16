-- name: trailing bars
-- description: The last five closes of a symbol before each decision time, as they were known then, oldest first: what a rolling feature is made of. Put your own rows into the spine.
-- Written by `make sql` from local/saved_reads; edit it there.
WITH spine (entity, "time") AS (
    VALUES
        ('AAPL', TIMESTAMP '2015-06-30 21:00:00.000000 UTC'),
        ('MSFT', TIMESTAMP '2015-06-30 21:00:00.000000 UTC'),
        ('MSFT', TIMESTAMP '2015-07-31 21:00:00.000000 UTC')
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
        close,
        lead(knowledge_time) OVER (
            PARTITION BY entity, event_time
            ORDER BY knowledge_time, revision_seq, ingested_at DESC, source DESC, record_id DESC
        ) AS known_until
    FROM prices_daily
),

winners AS (
    -- The winners at each question's cuts, of events that have come.
    SELECT asked.asked_entity, asked.asked_at, spells.entity, spells.event_time, spells.op, spells.close
    FROM asked
    INNER JOIN spells
        ON
            spells.entity = asked.asked_entity
            AND spells.knowledge_time <= asked.asked_at
            AND (spells.known_until IS NULL OR spells.known_until > asked.asked_at)
            AND spells.event_time <= asked.asked_at
            AND spells.event_time > asked.asked_at - INTERVAL '14' DAY
),

in_window AS (
    -- 3. A fact whose last version is a tombstone is gone; its older versions do not come back.
    SELECT
        asked_entity,
        asked_at,
        entity,
        event_time,
        op,
        close,
        row_number() OVER (
            PARTITION BY asked_entity, asked_at
            ORDER BY event_time DESC
        ) AS event_rank
    FROM winners
    WHERE op = 'upsert'
),

answers AS (
    -- 4. The window of each question, oldest event first.
    SELECT
        asked_entity,
        asked_at,
        array_agg(close ORDER BY event_time) AS closes,
        array_agg(event_time ORDER BY event_time) AS close_times
    FROM in_window
    WHERE event_rank <= 5
    GROUP BY asked_entity, asked_at
)

SELECT
    spine.entity,
    spine."time",
    coalesce(answers.closes, ARRAY[]) AS closes,
    coalesce(answers.close_times, ARRAY[]) AS close_times
FROM spine
LEFT JOIN answers
    ON answers.asked_entity = spine.entity AND answers.asked_at = spine."time"
ORDER BY spine."time", spine.entity
