-- Where institutions and retail investors disagree; the definition is in repo/repositories/divergence.py.

-- name: ranking(as_of, source, recent_from, before_from, limit)
-- record_class: Ranked(symbol: str | None, as_of: date, flow: float | None, interest_change: float | None, price_return: float | None, institutional_rank: float | None, retail_rank: float | None, divergence: float | None, out_of_range: int)
-- Every ticker with a flow and a change of interest as known on as_of, by divergence, greatest first,
-- then symbol, for divergence.ranking(). The recent window is from recent_from to as_of, the one before
-- it from before_from to the day before recent_from. All sums are of integers, and every quotient is
-- one division, so that both engines give the same bits. A row whose out_of_range is not 0 stands for a
-- number of which the engines would make different things: a product of 9e18 or more, of which there is
-- one row that has no symbol, or a quotient of closes that is 0 or infinite. Such a row, with 0, is there
-- for no ranking too: what is counted looks at every sum, so that one past 64 bits is an error on both
-- engines whatever is ranked. Order: total because a ticker is ranked once.
-- Index: institutional_holdings_by_quarter, retail_sentiment_pkey (ticker_id, source, date to date),
-- market_data_pkey (ticker_id, date).
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
        h.quarter_end < (SELECT n.quarter_end FROM newest AS n)
        AND h.filing_date <= CAST(:as_of AS date)
),

filed AS NOT MATERIALIZED (
    SELECT
        h.ticker_id AS ticker_id,
        h.quarter_end AS quarter_end,
        h.institution_id AS institution_id,
        h.filing_date AS filing_date,
        h.shares_held AS shares_held
    FROM institutional_holdings AS h
    WHERE
        h.quarter_end IN (
            (SELECT n.quarter_end FROM newest AS n),
            (SELECT p.quarter_end FROM previous AS p)
        )
        AND h.filing_date <= CAST(:as_of AS date)
),

members AS MATERIALIZED (
    SELECT DISTINCT f.institution_id AS institution_id
    FROM filed AS f
    WHERE
        f.quarter_end = (SELECT n.quarter_end FROM newest AS n)
        AND f.institution_id IN (
            SELECT b.institution_id
            FROM filed AS b
            WHERE b.quarter_end = (SELECT p.quarter_end FROM previous AS p)
        )
),

held AS MATERIALIZED (
    SELECT
        f.ticker_id AS ticker_id,
        CAST(
            SUM(f.shares_held) FILTER (
                WHERE f.quarter_end = (SELECT p.quarter_end FROM previous AS p)
            ) AS bigint
        ) AS held_before,
        COALESCE(
            CAST(
                SUM(f.shares_held) FILTER (
                    WHERE f.quarter_end = (SELECT n.quarter_end FROM newest AS n)
                ) AS bigint
            ), CAST(0 AS bigint)
        ) AS held_now
    FROM filed AS f
    WHERE
        f.institution_id IN (SELECT e.institution_id FROM members AS e)
        AND NOT EXISTS (
            SELECT 1
            FROM filed AS x
            WHERE
                x.ticker_id = f.ticker_id
                AND x.quarter_end = f.quarter_end
                AND x.institution_id = f.institution_id
                AND x.filing_date > f.filing_date
        )
    GROUP BY f.ticker_id
),

interests AS MATERIALIZED (
    SELECT
        t.ticker_id AS ticker_id,
        CAST(
            SUM(s.interest) FILTER (WHERE s.date >= CAST(:recent_from AS date)) AS bigint
        ) AS recent,
        COUNT(*) FILTER (WHERE s.date >= CAST(:recent_from AS date)) AS recent_rows,
        CAST(
            SUM(s.interest) FILTER (WHERE s.date < CAST(:recent_from AS date)) AS bigint
        ) AS earlier,
        COUNT(*) - COUNT(*) FILTER (WHERE s.date >= CAST(:recent_from AS date)) AS earlier_rows
    FROM tickers AS t
    INNER JOIN retail_sentiment AS s
        ON s.ticker_id = t.ticker_id
        AND s.source = CAST(:source AS text)
        AND s.date >= CAST(:before_from AS date)
        AND s.date <= CAST(:as_of AS date)
    WHERE
        t.ticker_id IN (
            SELECT w.ticker_id
            FROM held AS w
            WHERE w.held_before > 0
        )
    GROUP BY t.ticker_id
),

checks AS MATERIALIZED (
    SELECT
        (
            SELECT COUNT(*)
            FROM held AS w
            WHERE w.held_now < 0 OR w.held_before < 0
        ) + (
            SELECT COUNT(*)
            FROM interests AS i
            WHERE
                i.recent < 0
                OR i.earlier > 0
                AND (
                    CAST(i.recent AS double precision) * CAST(i.earlier_rows AS double precision)
                    >= CAST(9000000000000000000 AS double precision)
                    OR CAST(i.earlier AS double precision) * CAST(i.recent_rows AS double precision)
                    >= CAST(9000000000000000000 AS double precision)
                )
        ) AS out_of_range
),

moves AS MATERIALIZED (
    SELECT
        w.ticker_id AS ticker_id,
        CAST(w.held_now - w.held_before AS double precision)
        / CAST(w.held_before AS double precision) AS flow,
        CAST(i.recent * i.earlier_rows - i.earlier * i.recent_rows AS double precision)
        / CAST(i.earlier * i.recent_rows AS double precision) AS interest_change
    FROM checks AS c
    INNER JOIN interests AS i ON c.out_of_range = 0 AND i.earlier > 0 AND i.recent_rows > 0
    INNER JOIN held AS w ON w.ticker_id = i.ticker_id
),

ranks AS MATERIALIZED (
    SELECT
        v.ticker_id AS ticker_id,
        v.flow AS flow,
        v.interest_change AS interest_change,
        PERCENT_RANK() OVER (ORDER BY v.flow NULLS FIRST) AS institutional_rank,
        PERCENT_RANK() OVER (ORDER BY v.interest_change NULLS FIRST) AS retail_rank
    FROM moves AS v
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

quotients AS MATERIALIZED (
    SELECT
        r.ticker_id AS ticker_id,
        (
            SELECT m.close
            FROM market_data AS m
            WHERE m.ticker_id = r.ticker_id AND m.date <= CAST(:as_of AS date)
            ORDER BY m.date DESC
            LIMIT 1
        ) / (
            SELECT m.close
            FROM market_data AS m
            WHERE m.ticker_id = r.ticker_id AND m.date < CAST(:recent_from AS date)
            ORDER BY m.date DESC
            LIMIT 1
        ) AS closes
    FROM ranked AS r
)

SELECT
    r.symbol AS symbol,
    CAST(:as_of AS date) AS as_of,
    r.flow AS flow,
    r.interest_change AS interest_change,
    q.closes - CAST(1 AS double precision) AS price_return,
    r.institutional_rank AS institutional_rank,
    r.retail_rank AS retail_rank,
    r.divergence AS divergence,
    CASE
        WHEN q.closes = CAST(0 AS double precision) THEN 1
        WHEN q.closes IS NOT NULL AND q.closes - q.closes IS NULL THEN 1
        ELSE c.out_of_range
    END AS out_of_range
FROM checks AS c
LEFT JOIN ranked AS r ON c.out_of_range = 0
LEFT JOIN quotients AS q ON q.ticker_id = r.ticker_id
ORDER BY r.divergence DESC NULLS LAST, r.symbol ASC NULLS LAST;

-- name: timeline(symbol, source, start, end)
-- record_class: Point
-- One row for each bar of a ticker from start to end, both included, by date, with the interest of one
-- source in the week before and the shares known to be held that day, for divergence.timeline(). A
-- ticker without bars there gives one row whose date is NULL, an unknown one gives none.
-- A filing changes what is known from its day on; the changes to the newest quarter known that day,
-- added up within the quarter, are the steps that the bars are laid against.
-- Order: total because the ticker is one, and it has one bar a day, which at most one step covers.
-- Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date), institutional_holdings_filed
-- (ticker_id, filing_date), retail_sentiment_pkey (ticker_id, source, date to date).
WITH bars AS MATERIALIZED (
    SELECT
        m.ticker_id AS ticker_id,
        m.date AS date,
        m.close AS close
    FROM market_data AS m
    WHERE
        m.ticker_id = (
            SELECT t.ticker_id
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
            SELECT t.ticker_id
            FROM tickers AS t
            WHERE t.symbol = CAST(:symbol AS text)
        )
        AND h.filing_date <= (SELECT MAX(b.date) FROM bars AS b)
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
        SELECT s.interest
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
