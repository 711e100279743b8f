"""The SQL review: every rule finds what it is there for, and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import repo
from repo import review
from repo.queries import shipped
from repo.review.explaining import EXAMPLES, example
from repo.review.tables import migrated

NAMES = sorted(
    {
        f"{file.stem}.{name}"
        for file in EXAMPLES.rglob("*.sql")
        for name in re.findall(r"^-- name: (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
)
COMMENT = "What it answers, for whom. Index: its own."


def write(folder: Path, sql: str, operator: str = "", name: str = "app", comment: str = COMMENT) -> None:
    """Put one query ``q`` without parameters into a file of its own."""
    folder.mkdir(exist_ok=True)
    column = next(iter(re.findall(r" AS (\w+)(?: FROM|$)", sql)), "x")
    record = "" if operator == "!" else f"-- record_class: Row({column}: int)\n"
    text = f"-- name: q(){operator}\n{record}-- {comment}\n{sql};\n"
    (folder / f"{name}.sql").write_text(text, encoding="utf-8")


def rules(folder: Path) -> list[str]:
    """The rules that a folder breaks."""
    return [each.rule for each in review.check(folder)]


@pytest.fixture(scope="module")
def broken() -> dict[str, set[str]]:
    """The rules that each example breaks, by the example's full name."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for finding in review.check(EXAMPLES):
        found[finding.query].add(finding.rule)
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if ".bad_" in name])
def test_rule_finds_what_breaks_it(name: str, broken: dict[str, set[str]]) -> None:
    """A rule finds the SQL that breaks it."""
    assert name.partition(".")[0].replace("_", "-") in broken[name]


@pytest.mark.parametrize("name", [name for name in NAMES if ".good_" in name])
def test_rules_let_sound_sql_through(name: str, broken: dict[str, set[str]]) -> None:
    """The same SQL, mended, breaks no rule at all."""
    assert broken[name] == set()


def test_every_rule_has_a_reason_and_examples() -> None:
    """No rule is without its sentence, nor without SQL that breaks it and SQL that does not."""
    wanted = {name.replace("-", "_") for name in review.RULES}
    for kind in ("bad", "good"):
        assert {name.partition(".")[0] for name in NAMES if f".{kind}_" in name} == wanted
    for name, reason in review.RULES.items():
        assert reason.endswith("."), name
        assert len(reason.split()) > 5, name
    for code in [*review.RULES, *review.CODES]:
        refused, right = example(code)
        assert "" != refused != right != ""
        assert all(f"    {line}" in review.explain(code) for line in refused.splitlines() if line)


def test_own_queries_have_no_findings() -> None:
    """The package's own SQL passes its own review, asked for by default or by its folder."""
    assert review.check() == []
    assert review.check(shipped("queries")) == []


def test_finding_names_its_place(tmp_path: Path) -> None:
    """A finding has the file, the line of the offence in it, the query, the rule and what to do."""
    file = tmp_path / "app.sql"
    file.write_text(
        "-- Queries of an application.\n\n"
        "-- name: first()^\n-- record_class: One(x: int)\n-- The first. Index: none.\nSELECT 1 AS x;\n\n"
        "-- name: second()^\n-- record_class: Two(x: int, y: float)\n-- The second. Index: none.\n"
        "SELECT\n    -- It is divided so because it is.\n    1 AS x,\n    m.close / 2 AS y\n"
        "FROM market_data AS m\nORDER BY m.ticker_id, m.date;\n",
        encoding="utf-8",
    )
    (finding,) = review.check(str(tmp_path))
    assert finding[:4] == (file, 14, "app.second", "division")
    assert str(finding) == (
        f"{file}:14: app.second: CAST both sides of a division AS double precision [division]"
    )


def test_tables_of_an_application(tmp_path: Path) -> None:
    """The types of a table that the application's own queries create are known, others are not."""
    total = "SELECT CAST(SUM(g.points) AS bigint) AS points FROM games AS g"
    write(tmp_path, total, "^")
    assert rules(tmp_path) == ["float-sum"]
    write(tmp_path, "CREATE TABLE games (points bigint DEFAULT (1 +))", "!", "setup")
    assert rules(tmp_path) == ["float-sum"], "a definition that cannot be read says nothing"
    (tmp_path / "setup.sql").unlink()
    games = "CREATE TABLE IF NOT EXISTS games (game bigint PRIMARY KEY, points bigint)"
    write(tmp_path / "postgresql", games, "!", "setup")
    write(tmp_path / "sqlite", games.replace("bigint", "INTEGER") + " STRICT", "!", "setup")
    assert rules(tmp_path) == []
    write(tmp_path, "SELECT g.points AS points FROM games AS g ORDER BY g.game", name="keyed")
    assert rules(tmp_path) == []
    write(tmp_path, "SELECT g.points AS points FROM games AS g WHERE g.game > 1", "^", name="first")
    assert rules(tmp_path) == ["total-order"]


def test_tables_that_migrations_leave() -> None:
    """Columns are known whatever else a migration says, and in which words."""
    scripts = (
        "CREATE TABLE t (a integer NOT NULL, b text, d real, CONSTRAINT t_pkey PRIMARY KEY (a));",
        "ALTER TABLE t ADD COLUMN c text; ALTER TABLE t DROP COLUMN b; ALTER TABLE t RENAME d TO e;",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c;",
        "ALTER TABLE t SET (fillfactor = 70); ALTER TABLE t ALTER COLUMN e TYPE text; TRUNCATE t;",
        "CREATE VIEW v (x) AS SELECT a FROM t; ALTER TABLE gone DROP COLUMN a; 'not closed",
    )
    tables = migrated(scripts, "postgresql")
    assert {name: [*table.columns] for name, table in tables.items()} == {"t": ["a", "e", "c"]}
    assert tables["t"].columns["e"] == tables["t"].columns["c"]
    views = migrated((*scripts, "CREATE VIEW v (x) AS SELECT a FROM t;"), "postgresql")
    assert [*views["v"].columns] == ["x"]


def test_contract_comes_first(tmp_path: Path) -> None:
    """A folder that the loader refuses is refused by the review."""
    (tmp_path / "app.sql").write_text("-- name: q()\nSELECT 1 AS x;\n", encoding="utf-8")
    with pytest.raises(repo.QueryContractError, match=r"app\.sql:1: a comment must say"):
        review.check(tmp_path)


def test_without_sqlglot() -> None:
    """Without the extra the review says which one to install, and nothing else is in its way."""
    script = (
        "import sys; sys.modules['sqlglot'] = None\n"
        "import repo.review\n"
        "assert repo.review.RULES == {}\n"
        "try: repo.review.check()\n"
        "except repo.ConfigurationError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "smart-money-repo[review]" in ran.stdout
