-- Takes back 0001_tables: the tables and every row in them.

DROP TABLE retail_sentiment;
DROP TABLE institutional_holdings;
DROP TABLE market_data;
DROP TABLE institutions;
DROP TABLE tickers;
