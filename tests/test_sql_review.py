"""The review of a change: each change, made alone on a branch, is reported as what it is."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import sqlglot

import repo
from repo import review
from repo.plans import explain
from repo.queries import shipped
from repo.review import samples
from repo.review.changes import Variants
from repo.review.codes import CODES
from repo.review.explaining import example
from repo.review.report import Review
from repo.review.verdicts import Rows
from tests import servers
from tests.cli_helpers import smdi

BARS = 10_000
USED = {"digests", "divergence", "market", "migrations", "sentiment", "tickers"}
PACKAGE = Path(repo.__file__).parent


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with some of the package's SQL and the code that calls it, committed on main."""
    folder = tmp_path_factory.mktemp("original")
    shutil.copytree(shipped("schema"), folder / "schema")
    for file in shipped("queries").rglob("*.sql"):
        if file.stem in USED:
            copy = folder / "queries" / file.relative_to(shipped("queries"))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    unused = shutil.ignore_patterns("__pycache__", "cli", "review")
    shutil.copytree(PACKAGE, folder / "repo", ignore=unused)
    shutil.copy(PACKAGE.parent / ".sqlfluff", folder)
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "As it was")
    return folder


@pytest.fixture
def place(original: Path) -> Path:
    """The repository on a branch, as it was."""
    git(original, "switch", "--quiet", "--force", "--force-create", "change", "main")
    git(original, "clean", "--quiet", "--force", "-d", "-x")
    return original


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
    """A change, the query it is about with what became of that, and what is found and noted."""

    edit: Callable[[Path], None]
    kinds: dict[str, str]
    found: dict[str, str]
    notes: tuple[str, ...] = ()
    rows: tuple[Rows | None, ...] = (Rows.SAME,)


READ = {
    "order by removed": Change(
        replaced("queries/market.sql", "\nORDER BY m.date;", ";"),
        {"market.history": "changed"},
        {"order": "rows need ORDER BY", "order-changed": "order m.date is now none"},
    ),
    "limit added, and an outer join made an inner one": Change(
        every(
            replaced("queries/divergence.sql", "LEFT JOIN bars AS b", "INNER JOIN bars AS b"),
            replaced(
                "queries/divergence.sql",
                "ORDER BY b.date NULLS FIRST;",
                "ORDER BY b.date NULLS FIRST\nLIMIT 100;",
            ),
        ),
        {"divergence.timeline": "changed"},
        {"rows-changed": "limit none is now 100 & LEFT JOIN b is now INNER JOIN b"},
    ),
    "nulls last dropped": Change(
        replaced(
            "queries/divergence.sql",
            "r.divergence DESC NULLS LAST, r.symbol",
            "r.divergence DESC, r.symbol",
        ),
        {"divergence.ranking": "changed"},
        {
            "null-order": "r.divergence may be NULL",
            "order-changed": "order r.divergence DESC NULLS LAST, r.symbol ASC NULLS LAST is now",
        },
    ),
    "parameter renamed in one dialect": Change(
        every(
            replaced(
                "queries/sqlite/market.sql", "summary(symbol, start, end)", "summary(symbol, first, end)"
            ),
            replaced("queries/sqlite/market.sql", ":start AS date", ":first AS date"),
        ),
        {"market.summary": "changed"},
        {"contract": "the parameters differ", "breaks-callers": "parameter start"},
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
        told = [each.message for each in report.findings if each.rule == rule]
        assert all(any(part in each for each in told) for part in words.split(" & ")), told
    assert report.failed == any(each.level is review.Level.ERROR for each in report.open)
    for form in ("markdown", "json", "github", "sarif"):
        text = review.written(report, form)
        for rule in change.found:
            assert rule in text
        assert str(place) not in text
    check_sarif(review.written(report, "sarif"), report)
    if report.open:
        read = annotations(review.written(report, "github"))
        places = [(each.file.as_posix(), each.line, each.rule) for each in report.open]
        assert [each[1:4] for each in read] == places


COMMAND = re.compile(r"::(error|warning|notice) file=([^:,]+),line=(\d+),title=([^:,]+)::(.*)")


def annotations(text: str) -> list[tuple[str, str, int, str, str]]:
    """GitHub's commands as it reads them: level, file, line, title and message."""
    found = []
    for command in map(COMMAND.fullmatch, text.splitlines()):
        assert command is not None
        level, file, line, title, message = map(unquote, command.groups())
        found.append((level, file, int(line), title, message))
    return found


def check_sarif(text: str, report: Review) -> None:
    """Hold a report to what GitHub's code scanning asks of SARIF 2.1.0."""
    whole = json.loads(text)
    assert whole["version"] == "2.1.0"
    assert whole["$schema"].endswith("/sarif-2.1.0.json")
    (run,) = whole["runs"]
    assert set(run) == {"tool", "results"}
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "smdi review"
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        for of in ("shortDescription", "fullDescription", "help"):
            assert rule[of]["text"]
        assert len(rule["fullDescription"]["text"]) <= 1000
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    prints = set()
    found = [*report.open, *report.accepted]
    for result, finding in zip(run["results"], found, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule
        assert result["level"] in ("error", "warning", "note")
        assert finding.message in result["message"]["text"]
        (place,) = (each["physicalLocation"] for each in result["locations"])
        uri = urlsplit(place["artifactLocation"]["uri"])
        assert (uri.scheme, uri.netloc, uri.query, uri.fragment) == ("", "", "", "")
        assert Path(unquote(uri.path)) == finding.file
        assert not finding.file.is_absolute()
        region = place["region"]
        assert region["startLine"] == region["endLine"] == finding.line >= 1
        assert 1 == region["startColumn"] <= region["endColumn"]
        (given,) = (
            each["justification"] for each in result.get("suppressions", [{"justification": ""}])
        )
        assert given == finding.accepted
        prints.add(result["partialFingerprints"]["primaryLocationLineHash"])
    assert len(prints) == len(found)


NEW = "0003_change"
REFUSED, RIGHT = ({code: example(code)[side] for code in CODES} for side in (0, 1))
"""What --explain shows of each code."""


def migration(
    sqlite: str, postgresql: str, undo: tuple[str, str], name: str = NEW
) -> Callable[[Path], None]:
    """An edit: a migration of both engines with its undo."""
    texts = {"sqlite": (sqlite, undo[0]), "postgresql": (postgresql, undo[1])}
    return every(
        *(
            appended(
                f"schema/{dialect}/{name}{ending}.sql", f"-- A change.\n{text.removesuffix(';')};\n"
            )
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
    "query that runs away": Change(
        within(
            "queries/market.sql",
            "-- name: coverage",
            "FROM market_data AS m",
            REFUSED["runs-away"],
        ),
        {"market.coverage": "changed"},
        {
            "runs-away": "on sqlite, it came to no end & on postgresql, its plan expects",
        },
        rows=(None,),
    ),
    "other rows, rows in another order, and none": Change(
        every(
            replaced(
                "queries/market.sql", "m.date <= CAST(:end AS date)", "m.date < CAST(:end AS date)"
            ),
            within(
                "queries/market.sql", "-- name: on_day", "ORDER BY t.symbol;", "ORDER BY t.symbol DESC;"
            ),
            within(
                "queries/market.sql",
                "-- name: latest_one",
                "-- record_class: BarOfTicker\n",
                "-- record_class: BarOfTicker\n-- review: example symbol=NONE\n",
            ),
            within("queries/market.sql", "-- name: latest_one", "LIMIT 1;", "LIMIT 2;"),
        ),
        {"market.history": "changed", "market.latest_one": "changed", "market.on_day": "changed"},
        {
            "rows-changed": "on sqlite, it gives 199 rows & on postgresql, it gives 199 rows & limit 1",
            "order-changed": "order t.symbol is now t.symbol DESC",
        },
        ("On sqlite, market.latest_one gives no rows", "On postgresql, market.latest_one gives no rows"),
        rows=(Rows.OTHER, Rows.NONE, Rows.REORDERED),
    ),
    "right migrations": Change(
        every(
            migration(
                RIGHT["not-null-without-default"].replace("bigint", "INTEGER"),
                RIGHT["not-null-without-default"],
                ("ALTER TABLE market_data DROP COLUMN split",) * 2,
            ),
            migration(
                "-- For nobody.\nCREATE INDEX market_data_volume ON market_data (volume)",
                RIGHT["blocking-index"],
                ("DROP INDEX market_data_volume",) * 2,
                "0004_more",
            ),
            migration(
                "SELECT 1",
                f"{RIGHT['lock-timeout']}\n{RIGHT['validated-constraint']}",
                ("SELECT 1", "ALTER TABLE market_data DROP CONSTRAINT market_data_cheap"),
                "0005_promised",
            ),
            migration(
                "SELECT 1",
                "ALTER TABLE market_data VALIDATE CONSTRAINT market_data_cheap",
                ("SELECT 1", "SELECT 1"),
                "0006_held",
            ),
        ),
        {},
        {},
    ),
    "migration that fails, and one that was released": Change(
        every(
            alike(
                "INSERT INTO tickers (symbol, company_name) SELECT t.symbol, 'X' FROM tickers AS t",
                "SELECT 1",
            ),
            appended("schema/sqlite/0001_tables.sql", "-- Said later.\n"),
        ),
        {},
        {
            "failing-migration": "fails on sqlite & fails on postgresql",
            "changed-migration": "0001_tables was released",
        },
        ("On sqlite, a migration fails", "On postgresql, a migration fails"),
    ),
    "not null without default": Change(
        alike(
            REFUSED["not-null-without-default"],
            "ALTER TABLE market_data DROP COLUMN split",
        ),
        {},
        {"not-null-without-default": "fails on postgresql"},
    ),
    "large table rewritten": Change(
        migration(
            "ALTER TABLE market_data ADD COLUMN split INTEGER",
            REFUSED["table-rewrite"],
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
        ("On postgresql, a migration writes many rows of market_data",),
    ),
    "index built with a lock": Change(
        alike(
            REFUSED["blocking-index"],
            "DROP INDEX market_data_volume",
        ),
        {},
        {"blocking-index": "writes to market_data wait"},
    ),
    "constraint validated under a lock": Change(
        migration(
            "ALTER TABLE market_data ADD COLUMN split INTEGER",
            REFUSED["validated-constraint"],
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
            REFUSED["breaks-old-queries"],
            "ALTER TABLE tickers RENAME COLUMN cusip_code TO cusip",
        ),
        {},
        {"breaks-old-queries": "tickers.all (", "unknown-column": "tickers has no column cusip"},
    ),
    "limit of waiting taken away, and many rows written": Change(
        migration(
            ADDED,
            f"{REFUSED['lock-timeout']}\n{ADDED};\nUPDATE market_data SET volume = 0",
            ("ALTER TABLE tickers DROP COLUMN sector",) * 2,
        ),
        {},
        {
            "lock-timeout": "taken away",
            "many-rows-written": "10,000 rows of market_data are locked",
        },
        ("On postgresql, a migration writes many rows of market_data",),
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
        told = [each.message for each in report.open if each.rule == rule]
        for part in words.split(" & "):
            assert any(part in each for each in told), (rule, part, told)
    for query, rows in zip(change.kinds, change.rows, strict=False):
        assert {each.rows for each in report.plans if each.query == query} == {rows}
    assert all(any(part in note for note in report.notes) for part in change.notes)
    serious = {each.rule for each in report.open if each.level is review.Level.ERROR}
    assert serious <= change.found.keys(), [str(each) for each in report.open]
    assert report.failed == bool(serious)
    asked = {each.dialect for each in report.plans} | {each.dialect for each in report.migrations}
    assert asked == {"sqlite", "postgresql"}
    for form in ("markdown", "json"):
        assert all(rule in review.written(report, form) for rule in change.found)


ENDLESS = """\
UPDATE market_data SET volume = volume + 1;

UPDATE tickers SET company_name = (
    SELECT COUNT(*) FROM market_data AS a, market_data AS b, market_data AS c WHERE a.volume > b.volume
);
"""


def test_migration_that_runs_away(place: Path, sample: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration without an end is stopped, whatever it sets, and the sample stays as it was."""
    monkeypatch.setattr(samples.Asked, "seconds", 2.0)

    def pages() -> list[int | None]:
        with samples.samples(samples.Asked(BARS), 2, sample) as found:
            return [
                explain(db, "proof.counts", {}, analyze=True).pages
                for db in found.values()
                for _ in range(2)
            ]

    before = pages()
    unlimited = f"SET LOCAL statement_timeout = 0;\n{ENDLESS}"
    report = reviewed(place, migration(ENDLESS, unlimited, ("SELECT 1",) * 2), sample)
    found = {(each.rule, each.file.parent.name, each.line) for each in report.open}
    assert found >= {("runs-away", "postgresql", 5), ("runs-away", "sqlite", 4)}
    assert report.failed
    assert pages() == before


GAINERS = """\
-- name: gainers(day)
-- record_class: Gain(symbol: str)
-- Those of a day. Index: none.
SELECT t.symbol AS symbol
FROM tickers AS t
WHERE CAST(:day AS date) IS NOT NULL
ORDER BY t.symbol;
"""
CODE = """\
def show(db, day):
    return db.queries.movers.gainers(day=day)


class Page:
    def body(self):
        return self.db.queries.movers.gainers(day=self.day)
"""


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """An application with a query of its own and code that calls it, committed on main."""
    folder = tmp_path / "application"
    (folder / "sql").mkdir(parents=True)
    (folder / "sql" / "movers.sql").write_text(GAINERS, encoding="utf-8")
    (folder / "app.py").write_text(CODE, encoding="utf-8")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "As it was")
    return folder


def read(folder: Path, base: str = "main", head: str | None = None) -> Review:
    """The review of an application's files by reading."""
    return review.review(base, head, queries=folder / "sql", bars=None)


def errors(report: Review) -> list[str]:
    """The rules that are broken and not accepted."""
    return [each.rule for each in report.open if each.level is review.Level.ERROR]


def test_nothing_changed_and_what_is_accepted(application: Path) -> None:
    """Without a change one line says so; an error that the SQL accepts with a reason does not fail."""
    sql = application / "sql"
    movers = sql / "movers.sql"
    main = git(application, "rev-parse", "main")[:9]
    assert smdi("review", "--queries", sql).out.splitlines()[1:] == [
        f"No SQL differs between main ({main}) and the working tree."
    ]
    text = GAINERS.replace("\nORDER BY t.symbol;", ";")
    movers.write_text(text, encoding="utf-8")
    command = ("review", "--queries", sql, "--no-engines", "--format", "github")
    done = smdi(*command)
    assert done.code == 1
    assert "::error file=sql/movers.sql,line=1,title=order::movers.gainers: rows need ORDER" in done.out
    allowed = "-- review: allow order because they are sorted in Python\nSELECT "
    movers.write_text(text.replace("SELECT ", allowed), encoding="utf-8")
    report = application / "report.md"
    assert smdi(*command, "--write", report).code == 0
    assert "because they are sorted in Python" in report.read_text(encoding="utf-8")
    wrong = allowed.replace(" because", ",")
    movers.write_text(text.replace("SELECT ", wrong), encoding="utf-8")
    assert "title=allowance" in smdi(*command).out
    unused = "-- review: allow star because x\nSELECT "
    movers.write_text(GAINERS.replace("SELECT ", unused), encoding="utf-8")
    assert "nothing here breaks star" in smdi(*command).out


def test_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are those in the repository, whatever is in their names, from wherever the review is run."""
    folder = tmp_path / "100%, a:b" / "c d#"
    (folder / "sql").mkdir(parents=True)
    git(folder.parent, "init")
    (folder / "app.py").write_text(CODE, encoding="utf-8")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "--quiet", "--message", "Code")
    (folder / "sql" / "movers.sql").write_text(
        GAINERS.replace("\nORDER BY t.symbol;", "-- review: allow star because of 50%\n;")
    )
    monkeypatch.chdir(folder)
    report = review.review("main", queries="sql", bars=None)
    text = review.written(report, "sarif")
    check_sarif(text, report)
    assert '"uri": "c%20d%23/sql/movers.sql"' in text
    assert {each.file.as_posix() for each in report.open} == {"c d#/sql/movers.sql"}
    done = smdi("review", "--queries", "sql", "--no-engines", "--format", "github")
    told = annotations(done.out)
    assert ("error", "c d#/sql/movers.sql", 1, "order") in {each[:4] for each in told}
    assert [each.message for each in report.open if each.query == ""] == [
        message for *_, message in told if not message.startswith("movers.")
    ]
    odd = replace(
        report, findings=[report.open[0]._replace(file=Path("50%,\n:.sql"), message="%0A\r\n")]
    )
    ((_, file, _, _, message),) = annotations(review.written(odd, "github"))
    assert (file, message) == ("50%,\n:.sql", f"{report.open[0].query}: %0A\r\n")


def test_wrong_uses(application: Path, tmp_path: Path) -> None:
    """What cannot be compared is refused with what to do; rules are explained; a first commit counts."""
    for wrong, told in {
        ("--base", "nowhere"): "git knows no revision 'nowhere' here",
        ("--base", "--all"): "git knows no revision '--all' here",
        ("--write", "x.txt"): "a report ends in .comment.md, .md, .json, .sarif",
        ("--schema", tmp_path): "is not in the repository",
    }.items():
        done = smdi("review", "--queries", application / "sql", *wrong)
        assert done.code == 2
        assert told in done.err
    assert smdi("review", "--queries", tmp_path / "none").code == 2
    (tmp_path / "none").mkdir()
    git(tmp_path / "none", "init")
    (tmp_path / "none" / "new.sql").write_text(GAINERS, encoding="utf-8")
    first = smdi("review", "--queries", tmp_path / "none", "--base", "HEAD", "--no-engines")
    assert "`new.gainers`: added" in first.out
    explained = smdi("review", "--explain", "full-scan").out
    assert "A large table is read whole" in explained
    assert "Right:\n\n    WHERE m.ticker_id = CAST(:id AS bigint)" in explained
    assert "did you mean float-sum?" in smdi("review", "--explain", "floatsum").err


def test_callers_by_function(application: Path) -> None:
    """Of the functions that call a query those are named that did not go with its change."""
    movers = application / "sql" / "movers.sql"
    movers.write_text(GAINERS.replace("day", "since"), encoding="utf-8")
    (application / "app.py").write_text("# Moved.\n\n" + CODE.replace("day=day", "since=day"))
    (application / "new.py").write_text(CODE.replace("day=", "since="), encoding="utf-8")
    report = read(application)
    (found,) = report.queries
    assert "--- name: gainers(day)\n+-- name: gainers(since)" in found.change.diffs["both engines"]
    assert [(each.what, each.before, each.after) for each in found.differences] == [
        ("parameter", "day: date", "since: date")
    ]
    assert [each.function for each in found.callers] == ["show", "Page.body"] * 2
    told = [each.message for each in report.open if each.rule == "breaks-callers"]
    assert len(told) == 1
    assert all("Page.body is as it was" in each for each in told)
    git(application, "add", ".")
    check_sarif(review.written(report, "sarif"), report)
    git(application, "commit", "--quiet", "--all", "--message", "Since")
    (application / "app.py").write_text("", encoding="utf-8")
    assert read(application, "main~1", "main").queries[0].callers == found.callers


def test_files_that_cannot_be_read(application: Path) -> None:
    """A file that the loader refuses is named, and no query is taken for removed by it."""
    sql = application / "sql"
    (sql / "losers.sql").write_text(GAINERS.replace("gainers", "losers"), encoding="utf-8")
    (sql / "linked.sql").symlink_to("losers.sql")
    git(application, "add", ".")
    git(application, "commit", "--quiet", "--message", "More of it")
    assert not read(application).changed
    (sql / "losers.sql").write_bytes(b"\xff")
    (sql / "gone.sql").symlink_to("nowhere.sql")
    (sql / os.fsdecode(b"\xfe.sql")).write_text(GAINERS, encoding="utf-8")
    (sql / "movers.sql").write_text(GAINERS + "\n-- name: broken\nSELECT 1;\n", encoding="utf-8")
    report = read(application)
    assert [str(each.change.kind) for each in report.queries] == ["added"]
    assert {*errors(report)} == {"contract", "duplicate-query"}
    files = {each.file.name: each.message for each in report.open if each.rule == "contract"}
    assert len(files) == 4
    assert "is not a regular file" in files["gone.sql"]
    for form in ("markdown", "comment", "json", "github", "sarif"):
        assert "movers.sql" in review.written(report, form).encode().decode()
    (application / "schema" / "sqlite").mkdir(parents=True)
    (application / "schema" / "sqlite" / "0002_late.sql").write_bytes(b"-- \xff")
    assert "failing-migration" in errors(read(application))
    git(application, "add", ".")
    git(application, "commit", "--quiet", "--message", "Broken")
    git(application, "rm", "--quiet", "sql/losers.sql")
    assert any("At main" in note and "losers.sql" in note for note in read(application).notes)


def test_any_base(application: Path, tmp_path: Path) -> None:
    """The base may be before the queries, of origin alone, or cut off; the head may be no branch."""
    git(application, "switch", "--quiet", "--orphan", "before")
    git(application, "commit", "--quiet", "--allow-empty", "--message", "Nothing")
    git(application, "switch", "--quiet", "--create", "change")
    git(application, "checkout", "--quiet", "main", ".")
    git(application, "commit", "--quiet", "--message", "All of it")
    git(application, "switch", "--quiet", "--detach")
    report = read(application, "before")
    assert {each.change.name: str(each.change.kind) for each in report.queries} == {
        "movers.gainers": "added"
    }
    assert errors(report) == []
    clone = tmp_path / "clone"
    url = application.as_uri()
    git(tmp_path, "clone", "--quiet", "--branch", "change", url, str(clone))
    assert len(read(clone, "before").queries) == 1
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--no-single-branch", url, str(shallow))
    for base in ("before", "before~1"):
        with pytest.raises(repo.ConfigurationError, match="fetch --unshallow, or fetch-depth: 0"):
            read(shallow, base)


def test_merge_as_of_a_pull_request(application: Path, tmp_path: Path) -> None:
    """The merge that GitHub makes of a pull request is held against the branch that it goes into."""
    movers = application / "sql" / "movers.sql"
    git(application, "switch", "--quiet", "--create", "change")
    movers.write_text(GAINERS.replace("t.symbol;", "t.symbol DESC;"), encoding="utf-8")
    git(application, "commit", "--quiet", "--all", "--message", "Turn it round")
    git(application, "switch", "--quiet", "main")
    (application / "sql" / "others.sql").write_text(GAINERS, encoding="utf-8")
    git(application, "add", ".")
    git(application, "commit", "--quiet", "--message", "Meanwhile")
    git(application, "switch", "--quiet", "--detach")
    git(application, "merge", "--quiet", "--message", "Merge", "change")
    git(application, "update-ref", "refs/pull/1/merge", "HEAD")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--no-checkout", application.as_uri(), str(clone))
    git(clone, "fetch", "--quiet", "--depth", "2", "origin", "+refs/pull/1/merge:refs/remotes/pull")
    git(clone, "checkout", "--quiet", "refs/remotes/pull")
    for base in ("origin/main", "HEAD^1"):
        assert [each.change.name for each in read(clone, base).queries] == ["movers.gainers"]


def test_odd_checkouts(application: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worktree, a hook's, a submodule and a sparse checkout are read as what they are, or refused."""
    for dialect in ("sqlite", "postgresql"):
        (application / "schema" / dialect).mkdir(parents=True)
        for name in ("0001_w", "0001_w.undo"):
            (application / "schema" / dialect / f"{name}.sql").write_text("SELECT 1;\n")
    (application / "lib").mkdir()
    (application / "lib" / "code.py").touch()
    git(application, "add", ".")
    git(application, "commit", "--quiet", "--message", "Migrations")
    tree = tmp_path / "tree"
    git(application, "worktree", "add", "--quiet", str(tree))
    (tree / "sql" / "movers.sql").write_text(GAINERS.replace("t.symbol;", "t.symbol DESC;"))
    assert [each.change.name for each in read(tree).queries] == ["movers.gainers"]
    git_dir = git(tree, "rev-parse", "--absolute-git-dir").strip()
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", git_dir)
        hook.setenv("GIT_INDEX_FILE", f"{git_dir}/index")
        assert [each.change.name for each in read(tree).queries] == ["movers.gainers"]
        assert not read(application).changed
    above = tmp_path / "above"
    above.mkdir()
    git(above, "init")
    allowed = ("-c", "protocol.file.allow=always")
    git(above, *allowed, "submodule", "--quiet", "add", application.as_uri(), "db")
    assert not read(above / "db").changed
    shutil.copytree(application / "sql", above / "sql")
    with pytest.raises(repo.ConfigurationError, match="db is not in the repository"):
        review.review("HEAD", queries=above / "sql", schema=above / "db", bars=None)
    sparse = tmp_path / "sparse"
    git(tmp_path, "clone", "--quiet", "--no-checkout", application.as_uri(), str(sparse))
    git(sparse, "sparse-checkout", "set", "--cone", "sql")
    git(sparse, "checkout", "--quiet", "main")
    with pytest.raises(repo.ConfigurationError, match="git sparse-checkout add schema/"):
        read(sparse)
    git(sparse, "sparse-checkout", "add", "schema")
    (sparse / "sql" / "movers.sql").write_text(GAINERS.replace("t.symbol;", "t.symbol DESC;"))
    assert "1 Python files are not checked out: what they call is not known." in read(sparse).notes


def test_variants(application: Path) -> None:
    """A query that becomes two variants, and back, is shown for each engine."""
    sql = application / "sql"
    (sql / "movers.sql").unlink()
    for dialect in ("sqlite", "postgresql"):
        (sql / dialect).mkdir()
        (sql / dialect / "movers.sql").write_text(GAINERS, encoding="utf-8")
    (found,) = read(application).queries
    assert str(found.change.kind) == "moved only"
    text = GAINERS.replace("t.symbol;", "t.symbol NULLS LAST;")
    (sql / "sqlite" / "movers.sql").write_text(text, encoding="utf-8")
    (found,) = read(application).queries
    assert str(found.change.kind) == "changed"
    assert [*found.change.diffs] == ["sqlite"]


def test_many_queries(application: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many queries are new, each is read once to find those that say the same."""
    monkeypatch.setattr("repo.review.comparison.installed", lambda: False)
    names = [f"q{number}" for number in range(40)]
    text = "\n".join(GAINERS.replace("gainers", name).replace("day", f"a{name}") for name in names)
    (application / "sql" / "more.sql").write_text(text, encoding="utf-8")
    asked: list[str] = []
    tokenize = sqlglot.tokenize

    def counted(sql: str, **options: Any) -> Any:
        asked.append(sql)
        return tokenize(sql, **options)

    monkeypatch.setattr("repo.review.changes.sqlglot.tokenize", counted)
    assert errors(read(application)) == []
    assert len(asked) <= 5 * len(names)
    twice = GAINERS.replace("gainers", "again").replace("day", "aq7")
    (application / "sql" / "more.sql").write_text(f"{text}\n{twice}", encoding="utf-8")
    assert "duplicate-query" in errors(read(application))


def test_layout_where_it_is_configured(application: Path) -> None:
    """How SQL is laid out is looked at where the repository configures sqlfluff, and as it does so."""
    movers = application / "sql" / "movers.sql"
    movers.write_text(GAINERS.replace("FROM tickers AS t", "from   tickers AS t"), encoding="utf-8")
    git(application, "commit", "--quiet", "--all", "--message", "Loud")

    def found(head: str | None = None) -> set[str]:
        report = read(application, first, head)
        notes.append(
            any("nothing in the repository configures sqlfluff" in each for each in report.notes)
        )
        return {each.message[:4] for each in report.findings if each.rule == "layout"}

    first, notes = git(application, "rev-parse", "main~1").strip(), list[bool]()
    assert found() == set()
    config = application / "pyproject.toml"
    config.write_text('[tool.sqlfluff.core]\nexclude_rules = "AL09"\n[project]\nname = "x"\n')
    assert found() == {"LT01", "CP01"}
    config.write_text('[tool.sqlfluff.core]\nrules = "CP01"\n')
    git(application, "add", ".")
    git(application, "commit", "--quiet", "--message", "Configured")
    config.unlink()
    assert found("main") == {"CP01"}
    assert notes == [True, False, False]


def test_comment_is_whole(application: Path) -> None:
    """A report that is longer than a comment may be is cut between its sections, and says so."""
    movers = application / "sql" / "movers.sql"
    movers.write_text(GAINERS.replace("t.symbol;", "t.symbol DESC;"), encoding="utf-8")
    report = read(application)
    (query,) = report.queries
    long = replace(query.change, diffs={"sqlite": "+``` é | <b>\n" * 1500})
    named = [
        replace(query, change=replace(long, before={}, after=_named(query.change.after, f"q{number}")))
        for number in range(30)
    ]
    large = replace(report, queries=[query, *named, query], findings=list(report.findings) * 2000)
    text = review.written(large, "comment")
    assert len(text.encode()) < 65_536 < len(review.written(large, "markdown"))
    assert text.count("<details") == text.count("</details>") > 0
    assert text.count("````diff") == text.count("````\n") == 1
    assert "left out: more findings, " in text.splitlines()[-1]
    assert "and " in text.splitlines()[-1]
    assert review.written(report, "comment") == review.written(report, "markdown")


def _named(variants: Variants, name: str) -> Variants:
    return {dialect: replace(query, name=name) for dialect, query in variants.items()}


def test_one_sample_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: servers.Server
) -> None:
    """A second review waits for the first, and what a killed one left half built is built anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("repo.review.samples.find_spec", lambda name: None)
    asked, notes = samples.Asked(1000), list[str]()

    def use() -> int:
        with samples.samples(asked, 1, note=notes.append) as found:
            return len(found["sqlite"].tickers.all())

    assert use() == 10
    (kept,) = (each for each in (tmp_path / "smdi" / "review").iterdir() if each.is_dir())
    (kept / "filled").unlink()
    (kept / "sample.db").write_bytes(b"half")
    assert use() == 10
    built = len(notes)
    with ThreadPoolExecutor(1) as pool, samples.samples(asked, 1):
        other = pool.submit(use)
        while len(notes) == built:
            time.sleep(0.01)
        assert not other.done()
    assert other.result() == 10
    assert notes[built:] == ["waiting for another review to end"]
    url = server.url_of(server.create(), min_size="1")
    with samples.samples(asked, 1, postgresql=url) as found:
        assert len(found["postgresql"].tickers.all()) == 10
    with (
        pytest.raises(repo.ConfigurationError, match="name an empty database"),
        samples.samples(replace(asked, seed=2), 1, postgresql=url),
    ):
        pass
