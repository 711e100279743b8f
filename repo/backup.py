"""Backups that are proven by a restore, and the restore.

A backup is a file that the engine's own tools read without this package (a database file, or pg_dump's
custom format), and a manifest beside it, ``FILE.json``: when and of which database it was made, the
digest of each table, an application's own included, and the file's SHA-256. The manifest does not name
the file, so the two may be moved and renamed together; its last line is a SHA-256 of those above it.
The file gets its name last.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from repo.database import Database, connect
from repo.digests import TableDigest, digests, other_digests
from repo.engine.backup import Restoring
from repo.engine.connection import Connection
from repo.errors import BackupError, ConfigurationError, MigrationError, QueryContractError
from repo.progress import Progress, no_progress
from repo.settings import DatabaseURL, database_url
from repo.showing import short
from repo.workplace import PRIVATE, keep_names, workplace

_SUFFIX: Final = ".json"
_FORMAT: Final = 2
_NOT_IN_NAMES: Final = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Manifest:
    """When and of what a backup was made, and what it holds."""

    format: int
    made_at: datetime
    """When its snapshot was taken, UTC."""
    engine: str
    source: str
    """The database: the path of its file, or host, port and name."""
    server: str
    made_with: str
    schema_version: int
    tables: tuple[TableDigest, ...]
    others: tuple[TableDigest, ...]
    """The tables that are not the package's: an application's, and the records of migrations."""
    size: int
    sha256: str
    proven: bool
    """Whether it was restored into a scratch database and found to hold the same rows."""

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON has them, the time in ISO's form."""
        return {**asdict(self), "made_at": self.made_at.isoformat()}


class Backup(NamedTuple):
    """A backup's file, and its manifest."""

    file: Path
    manifest: Manifest


def backup(
    db: Database,
    file: Path | str,
    *,
    verify: bool = True,
    scratch: str | None = None,
    keep: int | None = None,
    keep_days: int | None = None,
    progress: Progress = no_progress,
) -> Backup:
    """Write a backup of one consistent state, while others write, and prove it by a restore.

    :param file: a new name, or a folder, in which the file is named for the database and the time.
    :param verify: restore it into a scratch database, on the same server or beside the file, and compare
        the digests of the tables.
    :param scratch: the URL of another PostgreSQL server to do that on.
    :param keep, keep_days: delete older backups of this database in the folder; see :func:`thin`.
    :raises BackupError: when it cannot be written or is not proven; there is no file then.
    :raises ConfigurationError: for a name that is taken, a missing program, and inside a transaction.
    """
    _check_limits(keep, keep_days)
    if db._session.in_transaction():
        raise ConfigurationError("a backup has a transaction of its own; leave this one first")
    target = Path(file)
    if os.fspath(file).endswith(("/", os.sep)) and not target.is_dir():
        raise ConfigurationError(f"there is no folder {target}: make it, or mount it")
    folder = target if target.is_dir() else target.parent
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}")
    engine = db._backend.backup(db._session.executor.queries)
    with workplace(folder, BackupError) as work:
        copy = work / "copy"
        copy.touch(PRIVATE)
        with (
            db.transaction(read_only=True, isolation="repeatable read") as tx,
            tx._session.connection() as connection,
        ):
            made_at = datetime.now(UTC)
            origin = engine.origin(connection)
            if target.is_dir():
                stem = _NOT_IN_NAMES.sub("_", origin.name)
                target = target / f"{stem}-{made_at:%Y%m%dT%H%M%SZ}{engine.suffix}"
            _make_way(target)
            version = tx.version()
            if version == 0:
                raise BackupError("the database has no tables yet: there is nothing to back up")
            with engine.dump(connection, copy, progress) as made_with:
                tables = tuple(digests(tx).values())
                others = tuple(other_digests(tx).values())
        size, digest = _of_file(copy, progress)
        manifest = Manifest(
            format=_FORMAT,
            made_at=made_at,
            engine=db.dialect,
            source=origin.source,
            server=origin.server,
            made_with=made_with,
            schema_version=version,
            tables=tables,
            others=others,
            size=size,
            sha256=digest,
            proven=False,
        )
        if verify:
            with engine.scratch(work, scratch) as url:
                _restore(copy, url, manifest, Restoring(privileges=False, progress=progress))
            manifest = replace(manifest, proven=True)
        _publish(copy, target, manifest, work)
    made = Backup(target, manifest)
    if keep is not None or keep_days is not None:
        thin(made, keep=keep, keep_days=keep_days)
    return made


def check(file: Path | str, progress: Progress = no_progress) -> Manifest:
    """The manifest of a backup, if every byte of both files is as it was written.

    :raises BackupError: with what is wrong.
    """
    path = Path(file)
    manifest = _manifest_of(path)
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    size = path.stat().st_size
    if size != manifest.size:
        what = "truncated" if size < manifest.size else "longer than it was"
        raise BackupError(f"{path} is {what}: it has {size:,} bytes of {manifest.size:,}")
    if _of_file(path, progress)[1] != manifest.sha256:
        raise BackupError(f"{path} was altered: its SHA-256 is not that of {path.name}{_SUFFIX}")
    return manifest


def restore(
    file: Path | str,
    url: str,
    *,
    force: bool = False,
    privileges: bool = True,
    progress: Progress = no_progress,
) -> Manifest:
    """Replace a database by a backup, wholly or not at all; a new SQLite file is made.

    Those who have it open see the old rows until it is done, or wait. However it ends, even by a kill,
    the database is the old one or the new one.

    :param force: replace a database that holds rows, with all of its tables.
    :param privileges: restore PostgreSQL's grants as well; the roles that they name must exist.
    :raises BackupError: when the backup was altered, the database holds rows, or the restore failed,
        which leaves the database as it was.
    :raises ConfigurationError: for a URL of the other engine, or of a file that is a backup itself.
    """
    manifest = check(file, progress)
    address = database_url(url)
    if address.engine != manifest.engine:
        raise ConfigurationError(
            f"{file} is a backup of {manifest.engine}, and the URL is of {address.engine}"
        )
    _refuse_backup(address, Path(file))
    _restore(Path(file), url, manifest, Restoring(force, privileges, progress))
    return manifest


def backups(folder: Path | str) -> list[Backup]:
    """The backups with manifests in a folder, the newest first; only the manifests are read."""
    found = []
    for path in Path(folder).glob(f"*{_SUFFIX}"):
        file = path.with_name(path.name.removesuffix(_SUFFIX))
        if file.is_file():
            with suppress(BackupError):
                found.append(Backup(file, _manifest_of(file)))
    return sorted(found, key=lambda each: each.manifest.made_at, reverse=True)


def thin(made: Backup, *, keep: int | None = None, keep_days: int | None = None) -> list[Path]:
    """Delete the older backups of the same database in a backup's folder.

    A database is known by its path, or by its host, port and name, so a folder is for one machine. That
    backup stays, and so do the newest, the newest that is proven, and files without a manifest.

    :param keep: how many of the newest stay.
    :param keep_days: those younger than so many days stay; with both, what either keeps.
    :returns: what was deleted, the newest first.
    :raises BackupError: when one cannot be deleted.
    """
    _check_limits(keep, keep_days)
    if keep is None and keep_days is None:
        return []
    of_it = [
        each
        for each in backups(made.file.parent)
        if (each.manifest.engine, each.manifest.source) == (made.manifest.engine, made.manifest.source)
    ]
    kept = {made.file, *(each.file for each in of_it[: keep or 1])}
    kept.update([each.file for each in of_it if each.manifest.proven][:1])
    if keep_days is not None:
        since = datetime.now(UTC) - timedelta(days=keep_days)
        kept.update(each.file for each in of_it if each.manifest.made_at >= since)
    gone = [each.file for each in of_it if each.file not in kept]
    for path in gone:
        try:
            for each in (path, _beside(path)):
                each.unlink(missing_ok=True)  # another process may thin as well
        except OSError as error:
            raise BackupError(
                f"{made.file} is there, and the older {path} cannot be deleted: {error.strerror}"
            ) from error
    return gone


def _check_limits(keep: int | None, keep_days: int | None) -> None:
    for name, value in (("keep", keep), ("keep_days", keep_days)):
        if value is not None and value < 1:
            raise ConfigurationError(f"{name} must be at least 1, not {short(value)}")


def _refuse_backup(address: DatabaseURL, file: Path) -> None:
    """Refuse to restore into a backup's file: opening it for writing would already change its bytes."""
    if address.file is None or not address.file.exists():
        return
    target = address.file.resolve()
    if not target.samefile(file):
        try:
            _manifest_of(target)
        except BackupError:
            return
    raise ConfigurationError(f"{target} is a backup itself: restore into another file")


def _restore(file: Path, url: str, manifest: Manifest, how: Restoring) -> None:
    with connect(url) as db:

        @contextmanager
        def writing() -> Iterator[Connection]:
            with (
                db.transaction(isolation="read committed") as tx,
                tx._session.connection() as connection,
            ):
                yield connection

        def compare(of: str | None = None) -> None:
            how.progress("compare", 0, 0)
            try:
                with nullcontext(db) if of is None else connect(of, read_only=True) as there:
                    found = {**digests(there), **other_digests(there)}
            except (QueryContractError, MigrationError) as error:
                raise BackupError(
                    "the backup does not have the tables of this package: they are of another release, "
                    "or in a schema that is not in the role's search_path"
                ) from error
            expected = {each.table: each for each in (*manifest.tables, *manifest.others)}
            if wrong := [
                _difference(name, expected.get(name), found.get(name))
                for name in sorted({*expected, *found})
                if expected.get(name) != found.get(name)
            ]:
                raise BackupError(f"the restored rows are not those of the manifest: {'; '.join(wrong)}")

        db._backend.backup(db._session.executor.queries).restore(file, how, writing, compare)


def _difference(name: str, expected: TableDigest | None, found: TableDigest | None) -> str:
    there, wanted = (0 if each is None else each.rows for each in (found, expected))
    return f"{name} has {there:,} of {wanted:,} rows" if there != wanted else f"{name} has other rows"


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}{_SUFFIX}")


def _as_text(manifest: Manifest) -> str:
    body = json.dumps(manifest.as_json(), indent=2)
    return f"{body[:-2]},\n" + f'  "checksum": "{sha256(body.encode()).hexdigest()}"\n}}\n'


def _manifest_of(file: Path) -> Manifest:
    """The manifest beside a file."""
    path = _beside(file)
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise BackupError(
            f"there is no manifest {path}; it was written beside the backup, and has to move with it"
        ) from error
    except OSError as error:
        raise BackupError(f"cannot read {path}: {error.strerror}") from error
    try:
        fields = json.loads(text)
        if fields["format"] != _FORMAT:
            raise BackupError(f"{path} is of another version of this package")
        del fields["checksum"]
        fields["made_at"] = datetime.fromisoformat(fields["made_at"])
        for name in ("tables", "others"):
            fields[name] = tuple(TableDigest(**each) for each in fields[name])
        manifest = Manifest(**fields)
        whole = _as_text(manifest).encode() == text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BackupError(f"{path} was altered: it is no manifest of a backup") from error
    if not whole:
        raise BackupError(f"{path} was altered: it is not as it was written")
    return manifest


def _of_file(file: Path, progress: Progress) -> tuple[int, str]:
    """The size of a file and its SHA-256."""
    progress("read", 0, 0)
    with file.open("rb") as opened:
        digest = file_digest(opened, "sha256").hexdigest()
        return opened.tell(), digest


def _make_way(target: Path) -> None:
    """Check that a name is free, and delete a manifest whose file is gone."""
    beside = _beside(target)
    if os.path.lexists(target):
        raise ConfigurationError(f"there is a {target} already: name another file, or a folder")
    if os.path.lexists(beside):
        try:
            _manifest_of(target)
        except BackupError:
            raise ConfigurationError(f"there is a {beside} already: name another file") from None
        beside.unlink()


def _publish(copy: Path, target: Path, manifest: Manifest, work: Path) -> None:
    """Give a backup its name once everything is on the disk."""
    written = work / "manifest"
    written.touch(PRIVATE)
    written.write_text(_as_text(manifest), encoding="utf-8")
    for path in (copy, written):
        with path.open("rb+") as opened:
            os.fsync(opened.fileno())
    _rename(written, _beside(target))
    try:
        _rename(copy, target)
    except BaseException:
        _beside(target).unlink()
        raise
    keep_names(target.parent)


def _rename(path: Path, name: Path) -> None:
    """Rename a file, but not over another."""
    try:
        os.link(path, name)
    except FileExistsError:
        raise BackupError(f"there is a {name} now, which was not there before") from None
    except OSError:  # no links on this file system
        path.rename(name)
    else:
        path.unlink()
