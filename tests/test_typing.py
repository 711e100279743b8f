"""What type checkers see: they take every use that is right and refuse every use that is wrong."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli_helpers import ROOT, environment, smdi

HERE = Path(__file__).parent
USES = [HERE / "typing_uses.py", HERE / "stub_uses.py"]
WRONG = {
    (file.name, number)
    for file in USES
    for number, line in enumerate(file.read_text().splitlines(), 1)
    if line.endswith("# WRONG")
}
LEFT_OUT = """[mypy]
[mypy-sqlalchemy.*,numpy.*,hypothesis.*,pydantic.*,rich.*,markdown_it.*]
follow_imports = skip
"""
"""What polars and the commands import: no use is of theirs, and reading it takes longest."""
GAINERS = """
-- name: gainers(as_of, symbols, limit)
-- record_class: Gain(symbol: str, change: float)
-- The tickers whose close rose, or the \\ of "these".
SELECT t.symbol AS symbol, 1.0 AS change FROM tickers AS t WHERE t.symbol {}
AND CAST(:as_of AS date) IS NOT NULL ORDER BY symbol LIMIT CAST(:limit AS bigint);
"""
SQL = {
    "sqlite/movers.sql": GAINERS.format("IN (SELECT value FROM json_each(:symbols))"),
    "postgresql/movers.sql": GAINERS.format("= ANY(CAST(:symbols AS text []))"),
    "movers.sql": """
-- name: share(symbol)$
-- record_class: Share(share: float)
-- One value.
SELECT 1.0 AS share FROM tickers AS t WHERE t.symbol = CAST(:symbol AS text);
""",
    "market.sql": """
-- name: last(symbol)^
-- record_class: Gain(symbol: str, close: float)
-- Another record of the name, in a file that the package has too.
SELECT t.symbol AS symbol, 1.0 AS close FROM tickers AS t WHERE t.symbol = CAST(:symbol AS text);
""",
    "odd.sql": """
-- name: list(since, date)
-- record_class: date(date: date, until: date | None, count: int, index: int | None)
-- Names that annotations use as well, and those of a tuple's methods.
SELECT CAST(:since AS date) AS date, CAST(:date AS date) AS until, 1 AS count, 2 AS index;

-- name: date()$
-- record_class: Queries(int: int)
-- No parameters, and one value.
SELECT 1 AS int;

-- name: int(symbols)^
-- record_class: Bar
-- A row of the package's record, which has a date too.
SELECT 1 AS symbol WHERE CAST(:symbols AS text) IS NOT NULL;

-- name: put(date, at)*!
-- Rows with a date.
INSERT INTO odd VALUES (CAST(:date AS date), CAST(:at AS timestamptz));
""",
    "watch.sql": """
-- name: put(symbol, target)*!
-- Rows.
INSERT INTO watch VALUES (CAST(:symbol AS text), CAST(:target AS double precision));

-- name: drop(symbol)!
-- A number of rows.
DELETE FROM watch WHERE symbol = CAST(:symbol AS text);
""",
}


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A folder with the uses, an application's queries, and the stub that was made of them."""
    for name, text in SQL.items():
        file = tmp_path / "sql" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert smdi("stubs", "--queries", tmp_path / "sql").code == 0
    for file in USES:
        shutil.copy(file, tmp_path)
    return tmp_path


def mypy(folder: Path) -> set[tuple[str, int]]:
    """The lines with errors."""
    settings = folder / "mypy.ini"
    settings.write_text(LEFT_OUT)
    command = ["mypy", "--strict", "--ignore-missing-imports", *(file.name for file in USES)]
    ran = subprocess.run(
        [sys.executable, "-m", *command, "--config-file", str(settings), "--output=json"],
        cwd=folder,
        env=environment(MYPYPATH=ROOT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    return {(each["file"], each["line"]) for each in found if each["severity"] == "error"}


def pyright(folder: Path) -> set[tuple[str, int]]:
    """The lines with errors."""
    settings = folder / "pyrightconfig.json"
    include = [file.name for file in USES]
    told = {"typeCheckingMode": "standard", "include": include, "extraPaths": [ROOT]}
    settings.write_text(json.dumps(told))
    command = ["basedpyright", "--level=error", "--outputjson", "--project", str(settings)]
    ran = subprocess.run(
        [sys.executable, "-m", *command, "--pythonpath", sys.executable],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(ran.stdout)
    assert told["summary"]["filesAnalyzed"] == len(USES)
    errors = told["generalDiagnostics"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in errors}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_wrong_uses_are_refused_and_right_ones_taken(
    checker: Callable[[Path], set[tuple[str, int]]], application: Path
) -> None:
    """Line by line, by both checkers, of the package's names and of an application's queries."""
    assert len(WRONG) > 25
    assert checker(application) == WRONG


def test_a_stub_that_is_not_current_is_told_of(application: Path) -> None:
    """With what differs; the package's own is current."""
    folder = application / "sql"
    assert smdi("stubs", "--queries", folder, "--check").code == 0
    (folder / "watch.sql").write_text(SQL["watch.sql"].replace("drop", "remove"), encoding="utf-8")
    told = smdi("stubs", "--queries", folder, "--check")
    assert told.code == 1
    assert "-    def drop(" in told.out
    assert "+    def remove(" in told.out
    assert "not current" in told.err
    (folder / "queries.pyi").unlink()
    assert smdi("stubs", "--queries", folder, "--check").code == 1
    assert smdi("stubs", "--check").code == 0


def test_stubs_that_cannot_be_made(application: Path) -> None:
    """What is wrong is named: a folder, a file that cannot be written, a name that cannot be called."""
    folder = application / "sql"
    assert smdi("stubs", "--queries", application / "none", "--check").code == 2
    unwritable = smdi("stubs", "--queries", folder, "--output", folder)
    assert (unwritable.code, unwritable.err) == (1, f"error: {folder}: Is a directory\n")
    for name, text in (("class.sql", "x()"), ("x.sql", "from()")):
        (folder / name).write_text(f"-- name: {text}!\n-- Nothing.\nDELETE FROM tickers;\n")
        told = smdi("stubs", "--queries", folder)
        assert told.code == 1
        assert f"{name}:1: '" in told.err
        assert "is a keyword of Python" in told.err
        (folder / name).unlink()
