"""The check list for a database in production."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from repo import backup, introspection, migrations
from repo.database import Database, connect
from repo.engine.backend import taken
from repo.engine.maintenance import Check, Status, checked
from repo.errors import ConfigurationError, RepoError
from repo.settings import database_url, split_url

_DAILY: Final = timedelta(hours=26)
_LONG_AGO: Final = timedelta(days=7)
_SHORTEST: Final = 4
"""Shorter passwords are found in every file."""
_LARGEST_FILE: Final = 1 << 20


def doctor(
    url: str | None = None, *, backups: Path | None = None, schema: migrations.Folders = ()
) -> list[Check]:
    """Check whether a database is fit for production; nothing is written.

    Settings of the server, the file and the machine, privileges, the schema and the last backup; rows
    and indexes are checked by :func:`repo.maintenance.health`.

    :param url: None takes DATABASE_URL from the environment.
    :param backups: the folder that backups are written to.
    :param schema: the folders of an application's own migrations, as :func:`repo.connect` takes them.
    :raises ConfigurationError: for a URL that cannot be used.
    """
    address = database_url(url)
    found = [
        checked(
            "URL",
            [] if url is not None or os.environ.get("DATABASE_URL") else [f"not set: {address}"],
            "set DATABASE_URL where the programs run, from a file that they alone can read",
            otherwise=str(address),
        ),
        _in_files(address.secret),
    ]
    try:
        db = connect(address.secret, read_only=True, schema=schema)
    except ConfigurationError:
        raise
    except RepoError as error:
        advice = "start the server, or mend the URL"
        return [*found, Check(Status.FAIL, "reachable", str(error), advice)]
    with db:
        found.append(Check(Status.PASS, "reachable", "yes"))
        found += db._backend.maintenance(db._session.read).deployment()
        found += _schema(db, address.secret, schema)
        found.append(_last_backup(db, backups))
    return found


def _in_files(secret: str) -> Check:
    """Whether the password of a URL is in a file that git keeps."""
    name = "password in files"
    _, credentials, _, query = split_url(secret)
    given = [credentials.partition(":")[2]]
    given += [each[9:] for each in query.split("&") if each.startswith("password=")]
    passwords = {text.encode() for each in given for text in (each, unquote(each))}
    wanted = [each for each in passwords if len(each) >= _SHORTEST]
    if not wanted:
        return Check(Status.PASS, name, "the URL has none")
    git = shutil.which("git")
    listed = git and subprocess.run([git, "ls-files", "-z"], capture_output=True, check=False)  # noqa: S603
    if not listed or listed.returncode:
        return Check(Status.PASS, name, "not checked: this folder is not in a git repository")
    holding = []
    for each in filter(None, listed.stdout.split(b"\0")):
        path = Path(os.fsdecode(each))
        if path.is_file() and path.stat().st_size <= _LARGEST_FILE:
            content = path.read_bytes()
            if any(password in content for password in wanted):
                holding.append(str(path))
    advice = "change the password, and keep the new one out of git: .pgpass, PGPASSFILE or DATABASE_URL"
    return checked(name, holding, advice, otherwise="in none that git keeps", status=Status.FAIL)


def _schema(db: Database, url: str, folders: migrations.Folders) -> Iterator[Check]:
    try:
        at, head = db.version(), len(migrations.load(db.dialect))
        states = [each for each in db.migrations() if each.state not in ("applied", "other")]
    except RepoError as error:
        yield Check(Status.FAIL, "schema", str(error), "see smdi migrate --help")
        return
    yield checked(
        "schema",
        ([] if at == head else [f"at migration {at} of {head}"]) + [each.meaning for each in states],
        "smdi migrate" if at <= head else "upgrade this package",
        otherwise=f"at migration {at}, the newest",
        status=Status.FAIL,
    )
    try:
        # A schema is built and rolled back for the comparison, which takes more rights than reading.
        with connect(url, schema=folders) as writing:
            altered = [str(each) for each in introspection.differences(writing)]
    except RepoError as error:
        found = f"not compared with the migrations: {error}"
        yield Check(
            Status.WARN, "schema as migrated", found, "run this as the role that owns the tables"
        )
        return
    yield checked(
        "schema as migrated",
        altered,
        "undo it by hand, or write a migration that does the same",
        otherwise="as the migrations make it",
        status=Status.FAIL,
    )


def _last_backup(db: Database, folder: Path | None) -> Check:
    name = "last proven backup"
    advice = "smdi backup FOLDER, every night: see the README"
    if folder is None:
        return Check(Status.WARN, name, "no folder was named", "smdi doctor --backups FOLDER")
    with taken(db._backend, write=False) as connection:
        source = db._backend.backup(db._session.executor.queries).origin(connection).source
    proven = [
        each.manifest.made_at
        for each in backup.backups(folder)
        if each.manifest.proven and each.manifest.source == source
    ]
    if not proven:
        return Check(Status.FAIL, name, f"there is none of {source} in {folder}", advice)
    age = datetime.now(UTC) - max(proven)
    status = Status.FAIL if age > _LONG_AGO else Status.WARN if age > _DAILY else Status.PASS
    shown = f"{age / timedelta(hours=1):,.0f} hours ago"
    return Check(status, name, shown, "" if status is Status.PASS else advice)
