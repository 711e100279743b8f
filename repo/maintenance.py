"""The maintenance of a database: tasks and doing them, its sizes, and its health.

What each engine is asked, and the thresholds of what is worth doing, are in
``repo/backends/<engine>/maintenance.py``. Autovacuum and SQLite's own checkpoints do most of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from repo.engine.maintenance import Check, Relation, Task
from repo.errors import ConfigurationError, RepoError
from repo.sessions import READ_ONLY

if TYPE_CHECKING:
    from repo.database import Database
    from repo.engine.maintenance import Maintenance

_WHOLE: Final = "(all)"
_STATE_FOLDER: Final = "smart-money-repo"


class Done(NamedTuple):
    """The outcome of a task: the seconds it took, and why it was not done (empty if it was)."""

    statement: str
    reason: str
    seconds: float
    left: str


def _engine(db: Database) -> Maintenance:
    if db._session.in_transaction():
        raise ConfigurationError("maintenance runs outside of transactions; leave this one first")
    return db._backend.maintenance(db._session.read)


def plan(db: Database) -> list[Task]:
    """The tasks that are worth doing, in order, each with its reason; nothing is done.

    :raises DatabaseUnavailable: for a file that is damaged beyond its indexes.
    :raises ConfigurationError: inside a transaction.
    """
    return _engine(db).tasks()


def maintain(db: Database, note: Callable[[Task], object] = lambda task: None) -> list[Done]:
    """Do the tasks of :func:`plan` while others read and write.

    A task that would wait long for others is not done, and leaves nothing behind; the next run does it.
    On SQLite writers wait for a VACUUM, which rewrites the file: a second or two for 100 MB.

    :param note: called with each task before it is begun.
    :returns: every task, with its outcome.
    :raises DatabaseUnavailable: for a file that is damaged beyond its indexes.
    :raises ConfigurationError: inside a transaction, and for a database that was opened read only.
    """
    engine = _engine(db)
    if db._backend.read_only:
        raise ConfigurationError(READ_ONLY)
    found: list[Done] = []
    # A VACUUM may show that an index is mostly empty, which is another task.
    while tasks := [
        task for task in engine.tasks() if all(task.statement != each.statement for each in found)
    ]:
        for task in tasks:
            note(task)
            began = time.monotonic()
            try:
                left = engine.perform(task)
            except RepoError as error:
                left = str(error)
            found.append(Done(*task, time.monotonic() - began, left))
    return found


def health(db: Database) -> list[Check]:
    """The health of a database: a line for each check, the gravest first.

    Tables and indexes are read whole.

    :raises ConfigurationError: inside a transaction.
    """
    return [*_engine(db).checks()]


class Size(NamedTuple):
    """The size of a table, an index or the whole database (``kind``): see :class:`Relation`.

    ``share`` is its part of the whole, ``grown`` how many bytes it has grown since the record of
    ``since``; None is not known.
    """

    name: str
    owner: str
    kind: str
    rows: int | None
    bytes: int | None
    free: int | None
    share: float | None
    grown: int | None
    since: datetime | None


def record_of(db: Database) -> Path:
    """The file in the user's state folder with the last sizes of a database.

    :raises ConfigurationError: for a user without a home.
    """
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigurationError("there is no home for a record of sizes; name a file") from error
    folder = (
        os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA") or home / ".local" / "state"
    )
    name = hashlib.sha256(_engine(db).identity().encode(errors="surrogateescape")).hexdigest()[:16]
    return Path(folder) / _STATE_FOLDER / f"sizes-{name}.json"


def sizes(db: Database, record: Path | None = None) -> list[Size]:
    """The sizes of a database, its tables and its indexes, and their growth since the last record.

    The record is replaced. It is a file of the caller's and no table, so that a role that only reads can
    keep one, and a restored backup does not bring an old one back.

    :param record: the file to keep it in; None keeps none, and growth is not known.
    :returns: the whole, then the largest table first, each followed by its indexes.
    :raises ConfigurationError: inside a transaction, and for a file that is no record.
    """
    engine = _engine(db)
    space, relations = engine.space(), engine.relations()
    owned: dict[str, int] = {}
    for each in relations:
        owned[each.owner] = owned.get(each.owner, 0) + (each.bytes or 0)
    relations.sort(key=lambda each: (-owned[each.owner], each.owner, each.kind == "index", each.name))
    whole = Relation(_WHOLE, "", "database", None, space.bytes, space.free)
    before = {} if record is None else _read(record)
    since = datetime.fromisoformat(before["at"]) if before else None
    found = []
    for each in (whole, *relations):
        share = None if each.bytes is None or not space.bytes else each.bytes / space.bytes
        grown = None
        if each.bytes is not None and before:
            grown = each.bytes - before["bytes"].get(each.name, 0)
        found.append(Size(*each, share, grown, since))
    if record is not None:
        _write(record, found)
    return found


def _read(record: Path) -> dict[str, Any]:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
        if not all(type(each) is int for each in found["bytes"].values()):
            raise TypeError
        datetime.fromisoformat(found["at"])
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(f"{record} is no record of sizes: name another, or delete it") from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {record}: {error.strerror}") from error
    return dict(found)


def _write(record: Path, found: list[Size]) -> None:
    text = json.dumps(
        {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "bytes": {each.name: each.bytes for each in found if each.bytes is not None},
        }
    )
    new = record.with_name(f"{record.name}.{os.getpid()}.new")
    try:
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(record)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise ConfigurationError(
            f"cannot write {record}: {error.strerror}; name another by --record"
        ) from error
