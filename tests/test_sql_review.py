"""The review of a change: each change, made alone on a branch, is reported as what it is."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import repo
from repo import review
from repo.queries import shipped
from repo.review.report import Review
from tests import servers
from tests.cli_helpers import smdi

BARS = 20_000
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


def within(file: str, start: str, old: str, new: str) -> Callable[[Path], None]:
    """An edit: the first of some text behind another becomes something else."""

    def edit(folder: Path) -> None:
        head, found, rest = (folder / file).read_text(encoding="utf-8").partition(start)
        assert old in rest, f"{file} has no {old!r} behind {start!r}"
        (folder / file).write_text(head + found + rest.replace(old, new, 1), encoding="utf-8")

    return edit


def reviewed(folder: Path, edit: Callable[[Path], None], url: str | None = None) -> Review:
    """The review of a branch on which an edit is committed; on engines where there is a URL."""
    edit(folder)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A change")
    bars = None if url is None else BARS
    return review.review("main", queries=folder / "queries", bars=bars, postgresql=url)


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


NEW = "0003_change"


def migration(sqlite: str, postgresql: str, undo: tuple[str, str]) -> Callable[[Path], None]:
    """An edit: a migration of both engines with its undo."""
    texts = {"sqlite": (sqlite, undo[0]), "postgresql": (postgresql, undo[1])}
    return every(
        *(
            appended(f"schema/{dialect}/{NEW}{ending}.sql", f"-- A change.\n\n{text};\n")
            for dialect, both in texts.items()
            for ending, text in zip(("", ".undo"), both, strict=True)
        )
    )


def alike(sql: str, undo: str) -> Callable[[Path], None]:
    """The same of one text for both."""
    return migration(sql, sql, (undo, undo))


BY_QUARTER = """\
-- The newest quarters known on a day: divergence.ranking.
CREATE INDEX institutional_holdings_by_quarter
ON institutional_holdings (quarter_end, institution_id, ticker_id, filing_date{0} shares_held)"""
BY_QUARTER_OF = {
    "sqlite": BY_QUARTER.format(","),
    "postgresql": BY_QUARTER.format(")\nINCLUDE ("),
}
DROPPED = "DROP INDEX institutional_holdings_by_quarter"
ADDED = "ALTER TABLE tickers ADD COLUMN sector text"
ASKED = {
    "index dropped": Change(
        migration(DROPPED, DROPPED, (BY_QUARTER_OF["sqlite"], BY_QUARTER_OF["postgresql"])),
        {},
        {
            "full-scan": "on postgresql, institutional_holdings is read whole",
            "index-not-used": "on sqlite, institutional_holdings_by_quarter is no longer used",
        },
    ),
    "predicate that one engine's index does not serve": Change(
        within(
            "queries/market.sql",
            "-- name: latest_one",
            "m.ticker_id = (",
            "CAST(m.ticker_id AS integer) = (",
        ),
        {"market.latest_one": "changed"},
        {
            "full-scan": "on sqlite, market_data is read whole",
            "total-order": "not known to be total",
        },
    ),
    "not null without default": Change(
        alike(
            "ALTER TABLE market_data ADD COLUMN split bigint NOT NULL",
            "ALTER TABLE market_data DROP COLUMN split",
        ),
        {},
        {"not-null-without-default": "fails on postgresql"},
    ),
    "large table rewritten": Change(
        migration(
            "ALTER TABLE market_data ADD COLUMN split INTEGER",
            "ALTER TABLE market_data ALTER COLUMN ticker_id TYPE bigint",
            (
                "ALTER TABLE market_data DROP COLUMN split",
                "ALTER TABLE market_data ALTER COLUMN ticker_id TYPE integer",
            ),
        ),
        {},
        {
            "table-rewrite": "market_data is written anew under AccessExclusiveLock",
            "breaks-old-queries": "digests.market (function int4send(bigint) does not exist)",
        },
    ),
    "index built with a lock": Change(
        alike(
            "-- For nobody.\nCREATE INDEX market_data_volume ON market_data (volume)",
            "DROP INDEX market_data_volume",
        ),
        {},
        {"blocking-index": "writes to market_data wait"},
    ),
    "constraint validated under a lock": Change(
        migration(
            "ALTER TABLE market_data ADD COLUMN split INTEGER",
            "ALTER TABLE market_data ADD CONSTRAINT market_data_cheap CHECK (close < 1e12)",
            (
                "ALTER TABLE market_data DROP COLUMN split",
                "ALTER TABLE market_data DROP CONSTRAINT market_data_cheap",
            ),
        ),
        {},
        {"validated-constraint": "all of market_data is read"},
    ),
    "undo that forgets an index": Change(
        alike(
            f"{ADDED};\n\n-- By name, for nobody.\nCREATE INDEX tickers_name ON tickers (company_name)",
            "ALTER TABLE tickers DROP COLUMN sector",
        ),
        {},
        {"undo": "tickers_name"},
    ),
    "rename that breaks the old queries": Change(
        alike(
            "ALTER TABLE tickers RENAME COLUMN cusip TO cusip_code",
            "ALTER TABLE tickers RENAME COLUMN cusip_code TO cusip",
        ),
        {},
        {"breaks-old-queries": "tickers.all (", "unknown-column": "tickers has no column cusip"},
    ),
    "limit of waiting taken away": Change(
        migration(
            ADDED,
            f"SET LOCAL lock_timeout = 0;\n{ADDED}",
            ("ALTER TABLE tickers DROP COLUMN sector",) * 2,
        ),
        {},
        {"lock-timeout": "taken away"},
    ),
}
"""Changes of which engines have to be asked."""


@pytest.fixture(scope="module")
def sample(server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database for the sample, and a cache of this module's own for SQLite's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield server.url_of(server.create(), min_size="1")


@pytest.mark.parametrize("name", ASKED)
def test_change_is_what_engines_say(name: str, place: Path, sample: str) -> None:
    """A change that engines have to be asked of is reported as what it is."""
    change = ASKED[name]
    report = reviewed(place, change.edit, sample)
    assert {each.change.name: str(each.change.kind) for each in report.queries} == change.kinds
    for rule, words in change.found.items():
        assert any(each.rule == rule and words in each.message for each in report.open), rule
    rows = {(each.query, each.same_rows) for each in report.plans if each.query in change.kinds}
    assert rows <= {(query, True) for query in change.kinds}
    serious = {each.rule for each in report.open if each.level is review.Level.ERROR}
    assert serious <= change.found.keys()
    assert report.failed == bool(serious)
    asked = {each.dialect for each in report.plans} | {each.dialect for each in report.migrations}
    assert asked == {"sqlite", "postgresql"}
    for form in ("markdown", "json"):
        assert all(rule in review.written(report, form) for rule in change.found)


def test_nothing_changed_and_what_is_accepted(place: Path) -> None:
    """Without a change one line says so; an error that the SQL accepts with a reason does not fail."""
    queries = place / "queries"
    assert smdi("review", "--queries", queries).out.splitlines()[1:] == [
        f"No SQL differs between main ({git(place, 'rev-parse', 'main')[:9]}) and the working tree."
    ]
    market = queries / "market.sql"
    before = market.read_text(encoding="utf-8")
    market.write_text(before.replace("\nORDER BY m.date;", ";", 1), encoding="utf-8")
    command = ("review", "--queries", queries, "--no-engines", "--format", "github")
    done = smdi(*command)
    assert done.code == 1
    assert (
        "::error file=queries/market.sql,line=3,title=order::market.history: rows need ORDER" in done.out
    )
    text = market.read_text(encoding="utf-8").replace(
        "SELECT\n", "-- review: allow order because they are sorted in Python\nSELECT\n", 1
    )
    market.write_text(text, encoding="utf-8")
    report = place / "report.md"
    assert smdi(*command, "--write", report).code == 0
    assert "because they are sorted in Python" in report.read_text(encoding="utf-8")
    market.write_text(text.replace("allow order because they", "allow order, they"), encoding="utf-8")
    assert "title=allowance" in smdi(*command).out
    market.write_text(
        before.replace("SELECT\n", "-- review: allow star because x\nSELECT\n", 1), encoding="utf-8"
    )
    assert "nothing here breaks star" in smdi(*command).out


def test_wrong_uses(place: Path, tmp_path: Path) -> None:
    """What cannot be compared is refused with what to do, and rules are explained."""
    for wrong, told in {
        ("--base", "nowhere"): "git knows no revision 'nowhere' here",
        ("--write", "x.txt"): "a report ends in .md, .json, .sarif",
        ("--schema", tmp_path): "is not in the repository",
    }.items():
        done = smdi("review", "--queries", place / "queries", *wrong)
        assert done.code == 2
        assert told in done.err
    assert smdi("review", "--queries", tmp_path / "none").code == 2
    assert "A large table is read whole" in smdi("review", "--explain", "full-scan").out
    assert "did you mean float-sum?" in smdi("review", "--explain", "floatsum").err


def test_an_application(tmp_path: Path) -> None:
    """An application's queries and the code that calls them are reviewed in its own repository."""
    query = (
        "-- name: gainers(day)\n-- record_class: Gain(symbol: str)\n-- Those of a day. Index: none.\n"
        "SELECT t.symbol AS symbol\nFROM tickers AS t\nWHERE CAST(:day AS date) IS NOT NULL\n"
        "ORDER BY t.symbol;\n"
    )
    (tmp_path / "sql").mkdir()
    movers = tmp_path / "sql" / "movers.sql"
    movers.write_text(query, encoding="utf-8")
    code = "def show(db, day):\n    return db.queries.movers.gainers(day=day)\n"
    (tmp_path / "app.py").write_text(code, encoding="utf-8")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "As it was")
    movers.write_text(query.replace("day", "since"), encoding="utf-8")
    report = review.review("HEAD", queries=tmp_path / "sql", bars=None)
    (found,) = report.queries
    assert [(each.what, each.before, each.after) for each in found.differences] == [
        ("parameter", "day: date", "none"),
        ("parameter", "none", "since: date"),
    ]
    assert [each.function for each in found.callers] == ["show"]
    assert {each.rule for each in report.open if each.level is review.Level.ERROR} == {"breaks-callers"}
    assert json.loads(review.written(report, "sarif"))["runs"][0]["results"]
