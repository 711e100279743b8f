"""Fixtures: a database on each engine, empty and migrated, and the real data where it is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import repo
from tests import servers
from tests.builders import seed
from tests.equivalence import profiles

BACKENDS = ("sqlite", "postgresql")
REAL_DATA = Path(__file__).parent.parent.parent / "shared" / "data"


profiles.register()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        choices=BACKENDS,
        action="append",
        help="run the tests of this engine only; both by default",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis' own option chooses the profile; without it, it is ours for CI."""
    settings.load_profile(config.getoption("--hypothesis-profile") or profiles.DEFAULT)
    # The threads of psycopg's pool roll dice, at times while a strategy draws.
    warning = "hypothesis.errors.HypothesisDeprecationWarning"
    config.addinivalue_line("filterwarnings", f"ignore:Do not use the `random` module:{warning}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for an engine on each, or on those that it or its module is about."""
    if "backend" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        about = only.args if only else getattr(metafunc.module, "BACKENDS", BACKENDS)
        chosen = metafunc.config.getoption("--backend") or BACKENDS
        both = [each for each in about if each in chosen]
        metafunc.parametrize("backend", both or about[:1], scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give a test that asks for no engine to one of them: to PostgreSQL if it needs a server."""
    chosen = set(config.getoption("--backend") or BACKENDS)
    if len(chosen) != 1:
        return
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        names = getattr(item, "fixturenames", ())
        wanted = "postgresql" if "server" in names else "sqlite"
        if "backend" in names:
            wanted = item.callspec.params["backend"]  # type: ignore[attr-defined]  # a function's
        (kept if wanted in chosen else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Server]:
    """A PostgreSQL server; one that does not work fails the tests."""
    with servers.running() as running:
        yield running


@pytest.fixture(scope="session")
def file_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy; nothing connects to it after this."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    with repo.connect(f"sqlite:///{path}") as db:
        db.migrate()
    return path


@pytest.fixture(scope="session")
def template(server: servers.Server) -> str:
    """A migrated PostgreSQL database to copy; nothing connects to it after this."""
    name = server.create()
    with repo.connect(server.url_of(name), min_size=1) as db:
        db.migrate()
    return name


class Databases:
    """Migrated PostgreSQL databases without rows: emptied and given out again, where that will do."""

    def __init__(self, server: servers.Server, template: str) -> None:
        self.server = server
        self._template = template
        self._free: list[str] = []

    def take(self) -> str:
        """The name of a database that nobody else uses."""
        return self._free.pop() if self._free else self.server.create(self._template)

    def give_back(self, name: str) -> None:
        """Empty it for the next test, or drop it where a test has changed more than rows."""
        if self.server.clear(name, self._template):
            self._free.append(name)
        else:
            self.server.drop(name)


@pytest.fixture(scope="session")
def databases(server: servers.Server, template: str) -> Databases:
    """Where tests get their PostgreSQL databases from."""
    return Databases(server, template)


@pytest.fixture
def empty_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without tables on the engine under test."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: servers.Server = request.getfixturevalue("server")
    name = server.create()
    yield server.url_of(name, min_size="1")
    server.drop(name)


@pytest.fixture
def url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated database without rows on the engine under test."""
    if backend == "sqlite":
        shutil.copyfile(request.getfixturevalue("file_template"), tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    databases: Databases = request.getfixturevalue("databases")
    name = databases.take()
    yield databases.server.url_of(name, min_size="1")
    databases.give_back(name)


@pytest.fixture
def db(url: str) -> Iterator[repo.Database]:
    """A migrated database without rows on the engine under test."""
    with repo.connect(url) as opened:
        yield opened


@pytest.fixture
def seeded(url: str) -> Iterator[repo.Database]:
    """A migrated database with two tickers and two institutions on the engine under test."""
    with repo.connect(url) as opened:
        seed(opened)
        yield opened


@pytest.fixture
def pair(
    tmp_path: Path, file_template: Path, databases: Databases
) -> Iterator[tuple[repo.Database, repo.Database]]:
    """Two migrated databases without rows: one on SQLite, one on PostgreSQL."""
    shutil.copyfile(file_template, tmp_path / "pair.db")
    name = databases.take()
    with (
        repo.connect(f"sqlite:///{tmp_path / 'pair.db'}") as sqlite,
        repo.connect(databases.server.url_of(name, min_size="1")) as postgresql,
    ):
        yield sqlite, postgresql
    databases.give_back(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one, and no DATABASE_URL."""
    made = tmp_path / "here"
    made.mkdir()
    monkeypatch.chdir(made)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return made


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data beside the project."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real data is not beside the project (../shared/data)")
    return REAL_DATA
