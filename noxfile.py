"""What a contributor runs: plain ``nox`` is what CI runs; ``nox --list`` names the rest."""

from __future__ import annotations

import atexit
import os
import tempfile
import time
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "demo", "wheel", "suite"]
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "uv|virtualenv"  # uv, where it is there, installs in a second

PROJECT = nox.project.load_toml("pyproject.toml")
TEST = nox.project.dependency_groups(PROJECT, "test")
COVERAGE = nox.project.dependency_groups(PROJECT, "coverage")
LINT = nox.project.dependency_groups(PROJECT, "lint")
BENCH = nox.project.dependency_groups(PROJECT, "bench")
EXTRAS = ".[cli,review,arrow]"
# The tests start hundreds of interpreters, and without bytecode each compiles the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# More processes than most machines have cores, for many tests wait; each has a PostgreSQL server of its
# own; ``-- -n 0`` is one after another.
SIDE_BY_SIDE = ("--numprocesses=4", "--dist=worksteal")
# What sessions of their own run.
OTHERS = ("--ignore=tests/faults",)
# The tests that most mistakes are caught by: what is written, read, refused and undone, on both engines.
SHARPEST = (
    *("rows", "market", "holdings", "sentiment", "tickers", "institutions", "divergence", "oracle"),
    *("transactions", "safety", "records", "many_rows", "loading_counts", "contract", "imports"),
)
STARTED = time.monotonic()


@atexit.register
def _say_how_long_it_took() -> None:
    minutes, seconds = divmod(round(time.monotonic() - STARTED), 60)
    if minutes or seconds > 1:  # a list of the sessions is no run
        print(f"nox took {minutes} min {seconds} s")


@nox.session
def suite(session: nox.Session) -> None:
    """Run what ``tests`` and ``equivalence`` run, all at once."""
    session.install("-e", EXTRAS, *TEST)
    session.run("pytest", *SIDE_BY_SIDE, *OTHERS, *session.posargs)


@nox.session
@nox.parametrize("backend", ["sqlite", "postgresql"], ids=["sqlite", "postgresql"])
def tests(session: nox.Session, backend: str) -> None:
    """Run the behaviour suite on one engine; ``nox -s 'tests(sqlite)' -- -k name`` picks tests."""
    session.install("-e", EXTRAS, *TEST)
    others = (*OTHERS, "--ignore=tests/equivalence")
    session.run("pytest", *SIDE_BY_SIDE, f"--backend={backend}", *others, *session.posargs)


@nox.session
def quick(session: nox.Session) -> None:
    """Run what most mistakes are caught by, on both engines, in less than a minute; no linter."""
    session.install("-e", EXTRAS, *TEST)
    files = [f"tests/test_{name}.py" for name in SHARPEST]
    short = ("--hypothesis-profile=quick", "-k", "not killed and not memory", "--maxfail=10")
    others = "--ignore=tests/equivalence/test_real_data.py"
    session.run("pytest", *SIDE_BY_SIDE, *short, *files, "tests/equivalence", others, *session.posargs)


@nox.session
def equivalence(session: nox.Session) -> None:
    """Compare the engines on generated data; ``-- --hypothesis-profile=thorough`` takes an hour."""
    session.install("-e", EXTRAS, *TEST)
    session.run("pytest", *SIDE_BY_SIDE, "tests/equivalence", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests of all these on both engines, and show what of ``repo`` none comes by."""
    session.install("-e", EXTRAS, *TEST, *COVERAGE)
    every = ("tests", "tests/equivalence", "--ignore=tests/faults", "--hypothesis-profile=quick")
    session.run("pytest", *SIDE_BY_SIDE, "--cov", *every, *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Try PgBouncer, which has to be installed, and a server that is away: a minute and a half."""
    session.install("-e", EXTRAS, *TEST)
    session.run("pytest", "tests/faults", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Kill writers, sessions and the server for an hour; ``-- --minutes 5`` for less."""
    session.install("-e", EXTRAS, *TEST)
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session
def killing(session: nox.Session) -> None:
    """Kill copies of a million bars, ten times each way; ``-- --seed 2`` for other moments."""
    session.install("-e", EXTRAS, *TEST)
    session.run("python", "-m", "tests.killing", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the layout of SQL by the grammar of each dialect."""
    session.install("-e", EXTRAS, *LINT)
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    for dialect, grammar in (("sqlite", "sqlite"), ("postgresql", "postgres")):
        portable = sorted(map(str, Path("queries").glob("*.sql")))
        own = [f"queries/{dialect}", f"schema/{dialect}"]
        session.run("sqlfluff", "lint", "--processes=0", "--dialect", grammar, *portable, *own)


@nox.session
def pages(session: nox.Session) -> None:
    """Make anew what is made from SQL: the queries' stub and page, and the page of the schema."""
    session.install("-e", EXTRAS, *TEST)
    session.run("smdi", "stubs")
    listed = str(session.run("smdi", "queries", "--format", "markdown", silent=True))
    Path("queries/README.md").write_text(listed, encoding="utf-8")
    session.run("python", "-m", "tests.schema_page")


@nox.session
def review(session: nox.Session) -> None:
    """Compare the SQL with that of main, on both engines; ``-- --base REF`` compares with another."""
    session.install("-e", EXTRAS, *TEST)
    session.run("smdi", "review", "--base", "main", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Do what the README's first command does, in a folder of its own."""
    session.install(".[cli]")
    with tempfile.TemporaryDirectory() as folder, session.chdir(folder):
        session.run("smdi", "demo")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it, and run tests from outside the checkout."""
    session.install("build")
    installed = Path("tests/installed.py").absolute()
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder, silent=True)
        (built,) = Path(folder).glob("*.whl")
        session.install("--force-reinstall", "--no-deps", str(built))
        session.install(f"{built}[cli,review]")
        with session.chdir(folder):
            session.run("smdi", "--version")
            session.run("smdi", "demo")
            session.run("python", str(installed))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the bare drivers and the rivals; ``-- --quick`` takes a minute or two.

    ``-- copying`` measures a copy from SQLite to PostgreSQL.
    """
    session.install("-e", EXTRAS, *TEST, *BENCH)
    copying = session.posargs[:1] == ["copying"]
    module = "tests.bench.copying" if copying else "tests.bench"
    session.run("python", "-m", module, *session.posargs[copying:])


@nox.session
def scale(session: nox.Session) -> None:
    """Ask the same questions of 100 thousand, 1 million and 10 million bars."""
    session.install("-e", EXTRAS, *TEST, *BENCH)
    session.run("python", "-m", "tests.bench.scale", *session.posargs)
