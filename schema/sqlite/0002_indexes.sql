-- The indexes beyond the keys, each with its reason; a test holds a query's plan against each.
-- None stands on market_data or retail_sentiment: their keys serve every question there is, and an
-- index more is paid for by every load.

-- The filings of one ticker known on a day, the last first: holdings.known, divergence.timeline.
CREATE INDEX institutional_holdings_filed
ON institutional_holdings (ticker_id, filing_date DESC, quarter_end, institution_id, shares_held);

-- The newest quarters known on a day over all tickers, and what was held in them: divergence.ranking.
CREATE INDEX institutional_holdings_by_quarter
ON institutional_holdings (quarter_end, institution_id, ticker_id, filing_date, shares_held);
