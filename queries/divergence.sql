-- Where institutions and retail investors disagree; the definition is in repo/repositories/divergence.py.

-- name: ranking(as_of, source, recent_from, before_from, limit)
-- record_class: Divergence
-- Every ticker with a flow and a change of interest as known on as_of, by divergence, greatest first,
-- then symbol, for divergence.ranking(). The recent window is from recent_from to as_of, the one before
-- it from before_from to the day before recent_from. All sums are of integers, and every quotient is
-- one division, so that both engines give the same bits. The two "fits" columns make a number that the
-- engines would treat differently a sum past 64 bits, which is an error on both: a product of 9e18 or
-- more, and a quotient of closes that is 0 or infinite. Every sum is looked at before the first row is
-- made, so that an engine that would not have needed it raises the error all the same.
-- Index: institutional_holdings_by_quarter, retail_sentiment_pkey, market_data_pkey.
WITH newest AS MATERIALIZED (
    SELECT MAX(h.quarter_end) AS quarter_end
    FROM institutional_holdings AS h
    WHERE
        h.quarter_end <= CAST(:as_of AS date)
        AND h.filing_date <= CAST(:as_of AS date)
),

previous AS MATERIALIZED (
    SELECT MAX(h.quarter_end) AS quarter_end
    FROM institutional_holdings AS h
    WHERE
        h.quarter_end < (SELECT n.quarter_end AS quarter_end FROM newest AS n)
        AND h.filing_date <= CAST(:as_of AS date)
),

members AS MATERIALIZED (
    SELECT DISTINCT h.institution_id AS institution_id
    FROM institutional_holdings AS h
    WHERE
        h.quarter_end = (SELECT n.quarter_end AS quarter_end FROM newest AS n)
        AND h.filing_date <= CAST(:as_of AS date)
        AND h.institution_id IN (
            SELECT x.institution_id AS institution_id
            FROM institutional_holdings AS x
            WHERE
                x.quarter_end = (SELECT p.quarter_end AS quarter_end FROM previous AS p)
                AND x.filing_date <= CAST(:as_of AS date)
        )
),

held_now AS MATERIALIZED (
    SELECT
        t.ticker_id AS ticker_id,
        CAST(SUM(h.shares_held) AS bigint) AS shares
    FROM tickers AS t
    INNER JOIN institutional_holdings AS h ON h.ticker_id = t.ticker_id
    WHERE
        h.quarter_end = (SELECT q.quarter_end AS quarter_end FROM newest AS q)
        AND h.filing_date <= CAST(:as_of AS date)
        AND h.institution_id IN (SELECT m.institution_id AS institution_id FROM members AS m)
        AND NOT EXISTS (
            SELECT 1 AS amended
            FROM institutional_holdings AS x
            WHERE
                x.ticker_id = h.ticker_id
                AND x.quarter_end = h.quarter_end
                AND x.institution_id = h.institution_id
                AND x.filing_date > h.filing_date
                AND x.filing_date <= CAST(:as_of AS date)
        )
    GROUP BY t.ticker_id
),

held_before AS MATERIALIZED (
    SELECT
        t.ticker_id AS ticker_id,
        CAST(SUM(h.shares_held) AS bigint) AS shares
    FROM tickers AS t
    INNER JOIN institutional_holdings AS h ON h.ticker_id = t.ticker_id
    WHERE
        h.quarter_end = (SELECT q.quarter_end AS quarter_end FROM previous AS q)
        AND h.filing_date <= CAST(:as_of AS date)
        AND h.institution_id IN (SELECT m.institution_id AS institution_id FROM members AS m)
        AND NOT EXISTS (
            SELECT 1 AS amended
            FROM institutional_holdings AS x
            WHERE
                x.ticker_id = h.ticker_id
                AND x.quarter_end = h.quarter_end
                AND x.institution_id = h.institution_id
                AND x.filing_date > h.filing_date
                AND x.filing_date <= CAST(:as_of AS date)
        )
    GROUP BY t.ticker_id
),

positions AS MATERIALIZED (
    SELECT
        b.ticker_id AS ticker_id,
        b.shares AS held_before,
        COALESCE(n.shares, CAST(0 AS bigint)) AS held_now
    FROM held_before AS b
    LEFT JOIN held_now AS n ON n.ticker_id = b.ticker_id
),

recent AS MATERIALIZED (
    SELECT
        t.ticker_id AS ticker_id,
        CAST(SUM(s.interest) AS bigint) AS interest,
        COUNT(*) AS days
    FROM tickers AS t
    INNER JOIN retail_sentiment AS s
        ON s.ticker_id = t.ticker_id
        AND s.source = CAST(:source AS text)
        AND s.date >= CAST(:recent_from AS date)
        AND s.date <= CAST(:as_of AS date)
    WHERE
        t.ticker_id IN (
            SELECT p.ticker_id AS ticker_id FROM positions AS p
            WHERE p.held_before > 0
        )
    GROUP BY t.ticker_id
),

earlier AS MATERIALIZED (
    SELECT
        t.ticker_id AS ticker_id,
        CAST(SUM(s.interest) AS bigint) AS interest,
        COUNT(*) AS days
    FROM tickers AS t
    INNER JOIN retail_sentiment AS s
        ON s.ticker_id = t.ticker_id
        AND s.source = CAST(:source AS text)
        AND s.date >= CAST(:before_from AS date)
        AND s.date < CAST(:recent_from AS date)
    WHERE
        t.ticker_id IN (
            SELECT p.ticker_id AS ticker_id FROM positions AS p
            WHERE p.held_before > 0
        )
    GROUP BY t.ticker_id
),

interests AS MATERIALIZED (
    SELECT
        p.ticker_id AS ticker_id,
        p.held_now AS held_now,
        p.held_before AS held_before,
        r.interest AS recent,
        r.days AS recent_rows,
        e.interest AS earlier,
        e.days AS earlier_rows
    FROM positions AS p
    INNER JOIN recent AS r ON r.ticker_id = p.ticker_id
    INNER JOIN earlier AS e ON e.ticker_id = p.ticker_id
    WHERE e.interest > 0
),

products AS MATERIALIZED (
    SELECT CAST(SUM(k.addend) AS bigint) AS fits
    FROM (
        SELECT CAST(9223372036854775807 AS bigint) AS addend
        UNION ALL
        SELECT CAST(1 AS bigint) AS addend
        FROM held_now AS n
        WHERE n.shares < 0
        UNION ALL
        SELECT CAST(1 AS bigint) AS addend
        FROM held_before AS b
        WHERE b.shares < 0
        UNION ALL
        SELECT CAST(1 AS bigint) AS addend
        FROM recent AS r
        WHERE r.interest < 0
        UNION ALL
        SELECT CAST(1 AS bigint) AS addend
        FROM earlier AS e
        WHERE e.interest < 0
        UNION ALL
        SELECT CAST(1 AS bigint) AS addend
        FROM interests AS i
        WHERE
            CAST(i.recent AS double precision) * CAST(i.earlier_rows AS double precision)
            >= CAST(9000000000000000000 AS double precision)
            OR CAST(i.earlier AS double precision) * CAST(i.recent_rows AS double precision)
            >= CAST(9000000000000000000 AS double precision)
    ) AS k
),

moves AS MATERIALIZED (
    SELECT
        i.ticker_id AS ticker_id,
        CAST(i.held_now - i.held_before AS double precision)
        / CAST(i.held_before AS double precision) AS flow,
        CAST(i.recent * i.earlier_rows - i.earlier * i.recent_rows AS double precision)
        / CAST(i.earlier * i.recent_rows AS double precision) AS interest_change
    FROM products AS p
    LEFT JOIN interests AS i ON p.fits > 0
),

ranks AS MATERIALIZED (
    SELECT
        m.ticker_id AS ticker_id,
        m.flow AS flow,
        m.interest_change AS interest_change,
        PERCENT_RANK() OVER (ORDER BY m.flow NULLS FIRST) AS institutional_rank,
        PERCENT_RANK() OVER (ORDER BY m.interest_change NULLS FIRST) AS retail_rank
    FROM moves AS m
    WHERE m.ticker_id IS NOT NULL
),

ranked AS MATERIALIZED (
    SELECT
        t.symbol AS symbol,
        t.ticker_id AS ticker_id,
        r.flow AS flow,
        r.interest_change AS interest_change,
        r.institutional_rank AS institutional_rank,
        r.retail_rank AS retail_rank,
        r.institutional_rank - r.retail_rank AS divergence
    FROM ranks AS r
    INNER JOIN tickers AS t ON t.ticker_id = r.ticker_id
    ORDER BY r.institutional_rank - r.retail_rank DESC, t.symbol ASC
    LIMIT CAST(:limit AS bigint)
),

closes AS MATERIALIZED (
    SELECT
        r.symbol AS symbol,
        r.flow AS flow,
        r.interest_change AS interest_change,
        r.institutional_rank AS institutional_rank,
        r.retail_rank AS retail_rank,
        r.divergence AS divergence,
        (
            SELECT m.close AS close
            FROM market_data AS m
            WHERE m.ticker_id = r.ticker_id AND m.date <= CAST(:as_of AS date)
            ORDER BY m.date DESC
            LIMIT 1
        ) AS now_close,
        (
            SELECT m.close AS close
            FROM market_data AS m
            WHERE m.ticker_id = r.ticker_id AND m.date < CAST(:recent_from AS date)
            ORDER BY m.date DESC
            LIMIT 1
        ) AS then_close
    FROM ranked AS r
),

quotients AS MATERIALIZED (
    SELECT CAST(SUM(k.addend) AS bigint) AS fits
    FROM (
        SELECT CAST(9223372036854775807 AS bigint) AS addend
        UNION ALL
        SELECT CAST(1 AS bigint) AS addend
        FROM closes AS c
        WHERE
            c.now_close IS NOT NULL
            AND c.then_close IS NOT NULL
            AND (
                c.now_close / c.then_close = CAST(0 AS double precision)
                OR c.now_close / c.then_close - c.now_close / c.then_close IS NULL
            )
    ) AS k
)

SELECT
    c.symbol AS symbol,
    CAST(:as_of AS date) AS as_of,
    c.flow AS flow,
    c.interest_change AS interest_change,
    c.now_close / c.then_close - CAST(1 AS double precision) AS price_return,
    c.institutional_rank AS institutional_rank,
    c.retail_rank AS retail_rank,
    c.divergence AS divergence
FROM closes AS c
CROSS JOIN quotients AS q
WHERE q.fits > 0
ORDER BY c.divergence DESC, c.symbol ASC;

-- name: timeline(symbol, source, start, end)
-- record_class: Point
-- One row for each bar of a ticker from start to end, both included, by date, with the interest of one
-- source in the week before and the shares known to be held that day, for divergence.timeline(). A
-- ticker without bars there gives one row whose date is NULL, an unknown one gives none.
-- A filing changes what is known from its day on; the changes to the newest quarter known that day,
-- added up within the quarter, are the steps that the bars are laid against.
-- Order: total because the ticker is one, and it has one bar a day, which at most one step covers.
-- Index: tickers_symbol_key, market_data_pkey, institutional_holdings_filed, retail_sentiment_pkey.
WITH bars AS MATERIALIZED (
    SELECT
        m.ticker_id AS ticker_id,
        m.date AS date,
        m.close AS close
    FROM market_data AS m
    WHERE
        m.ticker_id = (
            SELECT t.ticker_id AS ticker_id
            FROM tickers AS t
            WHERE t.symbol = CAST(:symbol AS text)
        )
        AND m.date >= CAST(:start AS date)
        AND m.date <= CAST(:end AS date)
),

filings AS MATERIALIZED (
    SELECT
        h.quarter_end AS quarter_end,
        h.institution_id AS institution_id,
        h.filing_date AS filing_date,
        h.shares_held AS shares_held,
        MAX(h.quarter_end) OVER (ORDER BY h.filing_date) AS newest
    FROM institutional_holdings AS h
    WHERE
        h.ticker_id = (
            SELECT t.ticker_id AS ticker_id
            FROM tickers AS t
            WHERE t.symbol = CAST(:symbol AS text)
        )
        AND h.filing_date <= (SELECT MAX(b.date) AS date FROM bars AS b)
),

changes AS MATERIALIZED (
    SELECT
        f.quarter_end AS quarter_end,
        f.filing_date AS filing_date,
        f.shares_held - LAG(f.shares_held, 1, CAST(0 AS bigint)) OVER (
            PARTITION BY f.quarter_end, f.institution_id
            ORDER BY f.filing_date
        ) AS shares
    FROM filings AS f
    WHERE f.quarter_end = f.newest
),

days AS MATERIALIZED (
    SELECT
        c.quarter_end AS quarter_end,
        c.filing_date AS filing_date,
        CAST(SUM(c.shares) AS bigint) AS shares
    FROM changes AS c
    GROUP BY c.quarter_end, c.filing_date
),

steps AS MATERIALIZED (
    SELECT
        d.filing_date AS known_from,
        LEAD(d.filing_date) OVER (ORDER BY d.filing_date) AS known_until,
        CAST(
            SUM(d.shares) OVER (PARTITION BY d.quarter_end ORDER BY d.filing_date) AS bigint
        ) AS shares_held
    FROM days AS d
)

SELECT
    b.date AS date,
    b.close AS close,
    (
        SELECT s.interest AS interest
        FROM retail_sentiment AS s
        WHERE
            s.ticker_id = b.ticker_id
            AND s.source = CAST(:source AS text)
            AND s.date <= b.date
            AND s.date > b.date - 7
        ORDER BY s.date DESC
        LIMIT 1
    ) AS interest,
    p.shares_held AS shares_held
FROM tickers AS t
LEFT JOIN bars AS b ON b.ticker_id = t.ticker_id
LEFT JOIN steps AS p
    ON p.known_from <= b.date
    AND (p.known_until IS NULL OR p.known_until > b.date)
WHERE t.symbol = CAST(:symbol AS text)
ORDER BY b.date NULLS FIRST;
