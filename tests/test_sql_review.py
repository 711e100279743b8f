"""The review of a change: each change, made alone on a branch, is reported as what it is."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import repo
from repo import review
from repo.queries import shipped
from repo.review.report import Review

PACKAGE = Path(repo.__file__).parent


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the package's SQL and the code that calls it, committed on main."""
    folder = tmp_path_factory.mktemp("original")
    for name in ("queries", "schema"):
        shutil.copytree(shipped(name), folder / name)
    shutil.copytree(PACKAGE, folder / "repo", ignore=shutil.ignore_patterns("__pycache__", "review"))
    shutil.copy(PACKAGE.parent / ".sqlfluff", folder)
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "As it was")
    return folder


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Path:
    """A copy of it, on a branch."""
    folder = tmp_path / "place"
    shutil.copytree(original, folder)
    git(folder, "switch", "--quiet", "--create", "change")
    return folder


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    """An edit: the first of some text in a file becomes another."""

    def edit(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}"
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def appended(file: str, text: str) -> Callable[[Path], None]:
    """An edit: a file that goes on, or that is new."""

    def edit(folder: Path) -> None:
        with (folder / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return edit


def every(*edits: Callable[[Path], None]) -> Callable[[Path], None]:
    """Several edits."""

    def edit(folder: Path) -> None:
        for each in edits:
            each(folder)

    return edit


def without(file: str, start: str, end: str) -> Callable[[Path], None]:
    """An edit: what stands from one text up to another goes."""

    def edit(folder: Path) -> None:
        head, _, rest = (folder / file).read_text(encoding="utf-8").partition(start)
        (folder / file).write_text(head + end + rest.partition(end)[2], encoding="utf-8")

    return edit


def reviewed(folder: Path, edit: Callable[[Path], None]) -> Review:
    """The review of a branch on which an edit is committed."""
    edit(folder)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A change")
    return review.review("main", queries=folder / "queries")


@dataclass
class Change:
    """A change, the query it is about with what became of that, and what is found, by rule."""

    edit: Callable[[Path], None]
    kinds: dict[str, str]
    found: dict[str, str]


READ = {
    "order by removed": Change(
        replaced("queries/market.sql", "\nORDER BY m.date;", ";"),
        {"market.history": "changed"},
        {"order": "rows need ORDER BY", "order-changed": "order m.date is now none"},
    ),
    "parameter renamed in one dialect": Change(
        every(
            replaced(
                "queries/sqlite/market.sql", "summary(symbol, start, end)", "summary(symbol, first, end)"
            ),
            replaced("queries/sqlite/market.sql", ":start AS date", ":first AS date"),
        ),
        {"market.summary": "changed"},
        {"contract": "the parameters differs", "breaks-callers": "parameter start"},
    ),
    "column added to the result": Change(
        every(
            replaced("queries/sentiment.sql", "Source(source: str)", "Source(source: str, rows: int)"),
            replaced(
                "queries/sentiment.sql",
                "SELECT DISTINCT p.source AS source",
                "SELECT DISTINCT\n    p.source AS source,\n    1 AS rows",
            ),
        ),
        {"sentiment.sources": "changed"},
        {"column-added": "rows: int"},
    ),
    "sum of floats": Change(
        replaced("queries/market.sql", "COUNT(*) AS bars", "CAST(SUM(m.close) AS bigint) AS bars"),
        {"market.coverage": "changed"},
        {"float-sum": "SUM(m.close) is not known to add up integers"},
    ),
    "query under another name": Change(
        appended(
            "queries/tickers.sql",
            "\n-- name: every()\n-- record_class: Ticker\n-- All of them. Index: tickers_symbol_key.\n"
            "SELECT\n    t.symbol AS symbol,\n    t.company_name AS company_name,\n"
            "    t.cusip AS cusip\n"
            "FROM tickers AS t\nORDER BY t.symbol;\n",
        ),
        {"tickers.every": "added"},
        {"duplicate-query": "it is the same as tickers.all", "uncalled-query": "no code calls it"},
    ),
    "query renamed": Change(
        replaced("queries/market.sql", "-- name: coverage()", "-- name: extent()"),
        {"market.extent": "renamed"},
        {
            "breaks-callers": "MarketRepository.coverage calls market.coverage",
            "uncalled-query": "no code",
        },
    ),
    "column that is not there": Change(
        replaced("queries/market.sql", "m.close AS close", "m.clos AS close"),
        {"market.history": "changed"},
        {"unknown-column": "market_data has no column clos; there is close"},
    ),
    "layout": Change(
        replaced(
            "queries/market.sql",
            "    m.date AS date,\n    m.open AS open",
            "    m.date AS date,\n      m.open  AS open",
        ),
        {"market.history": "formatting only"},
        {"layout": "LT"},
    ),
    "comment": Change(
        replaced(
            "queries/market.sql", "by date, for market.history()", "in order, for market.history()"
        ),
        {"market.history": "comment only"},
        {},
    ),
    "pure reformat": Change(
        replaced(
            "queries/market.sql",
            "FROM tickers AS t\n        WHERE t.symbol",
            "FROM\n            tickers AS t\n        WHERE t.symbol",
        ),
        {"market.history": "formatting only"},
        {},
    ),
}
"""Changes that need no engine to be seen."""


@pytest.mark.parametrize("name", READ)
def test_change_is_what_it_is(name: str, place: Path) -> None:
    """A change of a query is reported as what it is, and nothing else is found."""
    change = READ[name]
    report = reviewed(place, change.edit)
    assert {each.change.name: str(each.change.kind) for each in report.queries} == change.kinds
    assert {each.rule for each in report.findings} == set(change.found)
    for rule, words in change.found.items():
        assert any(each.rule == rule and words in each.message for each in report.findings), rule
    assert report.failed == any(each.level is review.Level.ERROR for each in report.open)
    for form in ("markdown", "json", "github", "sarif"):
        text = review.written(report, form)
        for rule in change.found:
            assert rule in text
        assert str(place) not in text
