-- Takes back 0002_indexes; the tables keep their rows.

DROP INDEX institutional_holdings_filed;
DROP INDEX institutional_holdings_by_quarter;
