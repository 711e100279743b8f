-- The indexes beyond the keys, each with its reason; a test holds a query's plan against each.

-- The filings of one ticker known on a day, the last first: holdings.known, divergence.timeline.
CREATE INDEX institutional_holdings_filed
ON institutional_holdings (ticker_id, filing_date DESC)
INCLUDE (quarter_end, institution_id, shares_held);

-- The newest quarters known on a day over all tickers, and what was held in them: divergence.ranking.
CREATE INDEX institutional_holdings_by_quarter
ON institutional_holdings (quarter_end, institution_id, ticker_id, filing_date)
INCLUDE (shares_held);

-- One day of all tickers where bars came in day by day: market.on. A few pages, next to nothing to keep up.
CREATE INDEX market_data_date ON market_data USING brin (date);
