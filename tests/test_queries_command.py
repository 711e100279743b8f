"""smdi queries: what it says of each query, and who is found to call it."""

import json
from pathlib import Path

from tests.cli_helpers import ROOT, smdi

MOVERS = """
-- name: gainers(as_of)
-- record_class: Gain(symbol: str, change: float | None)
-- The gainers of a day.
SELECT t.symbol AS symbol, 1.0 AS change FROM tickers AS t WHERE CAST(:as_of AS date) IS NOT NULL;
"""
CODE = """
class Report:
    def lines(self, db, kind):
        names = {f"movers.{kind}": "gainers"}
        return db.queries.movers.gainers(as_of=None), db.market.history("A")

def helper(session, table, statement="gainers"):
    return session.read(f"{table}.{statement}")

def every(session, name):
    return session.read(f"movers.{name}")
"""


def test_the_page_of_the_packages_queries_is_current() -> None:
    """queries/README.md is what the command writes."""
    page = (Path(ROOT) / "queries" / "README.md").read_text(encoding="utf-8")
    assert smdi("queries", "--format", "markdown").out == page, "smdi queries --format markdown"
    called = page.partition("### tickers.get\n")[2].partition("###")[0]
    assert "`Repository._none_of`, `TickerRepository.get`" in called
    assert "nobody here" not in page


def test_an_applications_queries_and_their_callers(tmp_path: Path) -> None:
    """By attribute, and by a name that is put together."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "movers.sql").write_text(MOVERS, encoding="utf-8")
    (tmp_path / "app.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "broken.py").write_text("def", encoding="utf-8")
    asked = ["queries", "--queries", tmp_path / "sql", "--code", tmp_path]
    (told,) = json.loads(smdi(*asked, "--format", "json").out)
    assert told == {
        "query": "movers.gainers",
        "parameters": "as_of date",
        "answer": "rows of Gain",
        "columns": "symbol str, change float or None",
        "engines": "both, one statement",
        "documentation": "The gainers of a day.",
        "files": "sql/movers.sql",
        "callers": "Report.lines, helper, every",
    }
    assert "movers.gainers  as_of date" in smdi(*asked).out
    assert smdi(*asked, "movers.losers").code == 1
