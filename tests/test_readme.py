"""The programs of the README and the guides do what is said of them, run as is said."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

import repo
from repo import Bar, Database, Ticker, review
from tests.cli_helpers import environment
from tests.readme import PAGES, block, code, module, names

THEIR_TEST = """
import repo

def test_names(db):
    db.tickers.upsert([repo.Ticker("AAPL", "Apple Inc.")])
    assert [each.symbol for each in db.tickers.all()] == ["AAPL"]

def test_that_each_test_begins_without_rows(db):
    assert db.tickers.all() == []
"""


def run(folder: Path, *arguments: str) -> str:
    """What Python prints that is run in a folder; it must not fail, and not complain."""
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which ``smdi demo`` was run, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, run(folder, "-m", "repo", "demo")


def test_every_program_is_run() -> None:
    """Each program has a name of its own, and is named by a test that runs these programs."""
    texts = [test.read_text(encoding="utf-8") for test in Path(__file__).parent.glob("test_*.py")]
    runners = "\n".join(text for text in texts if "from tests.readme import" in text)
    assert len(set(names())) == len(names()) > 0
    assert set(names()) <= set(re.findall(r'"(\w+\.py)"', runners))


def test_links_lead_somewhere() -> None:
    """Every link between the pages names a file that is there, and a heading of it."""
    root = PAGES[0].parent
    for page in (*PAGES, root / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            named = page.parent / path if path else page
            assert named.exists(), f"{page}: {target}"
            headings = (
                re.findall(r"^#+ (.+)$", named.read_text(encoding="utf-8"), re.M) if anchor else []
            )
            anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
            assert not anchor or anchor in anchors, f"{page}: {target}"


def test_demo(demo: tuple[Path, str]) -> None:
    """The demo says what the first screen shows, and then what to type next."""
    shown, _, rest = demo[1].partition("\nWhat to type next:\n")
    assert shown == block("text")
    assert "  smdi --url sqlite:///smdi-demo.db ranking 2025-06-30 --limit 10\n" in rest


def test_as_a_library(demo: tuple[Path, str]) -> None:
    """The first program prints the bar that it wrote, and the head of the demo's ranking."""
    bar, *ranked = run(demo[0], "-c", code("first.py")).splitlines()
    assert bar.startswith("[Bar(symbol='AAPL', date=datetime.date(2020, 6, 1), open=79.4")
    assert ranked == ["DUNMR +0.97", "TIDEW +0.93"]


def test_a_query_of_ones_own(demo: tuple[Path, str]) -> None:
    """The query loads, passes the review, and answers what its program says."""
    folder = demo[0]
    (folder / "sql").mkdir()
    (folder / "sql" / "movers.sql").write_text(block("sql"), encoding="utf-8")
    assert review.check(folder / "sql") == []
    told = ["TIDEW +1.9%", "KESTR +1.8%", "ELDRA +1.7%"]
    assert run(folder, "-c", code("movers.py")).splitlines() == told
    assert f"# {', '.join(told)}\n" in code("movers.py")
    run(folder, "-m", "repo", "stubs", "--queries", "sql")
    asked = code("typed.py") + "\nprint(gainers(db, date(2025, 6, 30))[0].symbol)"
    assert run(folder, "-c", asked) == "TIDEW\n"


def test_the_query_on_both_engines(url: str, tmp_path: Path) -> None:
    """The query fits both engines, which give the same answer."""
    (tmp_path / "movers.sql").write_text(block("sql"), encoding="utf-8")
    days = [date(2025, 6, 27), date(2025, 6, 30)]
    with repo.connect(url, queries=[tmp_path]) as db:
        assert db.check() == []
        db.tickers.upsert(Ticker(symbol, symbol) for symbol in "ABC")
        closes = {"A": (2.0, 3.0), "B": (4.0, 8.0), "C": (5.0,)}
        db.market.upsert(
            Bar(symbol, day, None, None, None, close, None)
            for symbol, told in closes.items()
            for day, close in zip(days, told, strict=False)
        )
        assert db.queries.movers.gainers(as_of=days[1], limit=5) == [("B", 1.0), ("A", 0.5)]


def test_asyncio(db: Database) -> None:
    """Two tasks at once, each with a transaction in a thread."""
    db.tickers.upsert([Ticker("FB", "Facebook"), Ticker("GOOGL", "Google")])
    assert asyncio.run(module("tasks.py").main(db)) == ["Facebook", "Google"]
    assert {each.company_name for each in db.tickers.all()} == {"Meta Platforms", "Alphabet"}


def test_fixtures(tmp_path: Path) -> None:
    """An application's own tests run on both engines, each on a database of its own."""
    (tmp_path / "conftest.py").write_text(code("conftest.py"), encoding="utf-8")
    (tmp_path / "test_theirs.py").write_text(THEIR_TEST, encoding="utf-8")
    patient = (
        "from tests import servers; servers.embedded(); import pytest; raise SystemExit(pytest.main())"
    )
    options = ("-q", "-p", "no:cacheprovider", "--basetemp", tmp_path / "base")
    ran = subprocess.run(
        [sys.executable, "-c", patient, *options],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_telemetry(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each query is measured by its name."""
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader

    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider([reader], shutdown_on_exit=False).get_meter)
    monkeypatch.setenv("DATABASE_URL", url)
    with module("telemetry.py").db as db:
        db.tickers.all()
        db.tickers.all()
    told = reader.get_metrics_data()
    assert told is not None
    points = told.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    counts = {
        str((point.attributes or {})["db.query.summary"]): point.count
        for point in points
        if isinstance(point, HistogramDataPoint)
    }
    assert counts["tickers.all"] == 2
