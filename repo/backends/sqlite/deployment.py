"""The check list of a SQLite file in production."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from repo.engine.backend import Backend, taken
from repo.engine.maintenance import Check, Status, checked

_NETWORK: Final = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "fuse.sshfs",
    "glusterfs",
    "ceph",
}
_MOUNTS: Final = Path("/proc/self/mounts")


def checks(backend: Backend, path: Path | None) -> Iterator[Check]:
    """The engine's lines of the check list."""
    with taken(backend, write=False) as connection:
        (journal,), (synchronous,), (page,), (cache,), (keys,) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("journal_mode", "synchronous", "page_size", "cache_size", "foreign_keys")
        )
    yield Check(Status.PASS, "SQLite", sqlite3.sqlite_version)
    yield checked(
        "foreign keys enforced",
        [] if keys else ["off"],
        "let nothing else write to the file",
        otherwise="on",
        status=Status.FAIL,
    )
    if path is None:
        yield Check(Status.FAIL, "file", "the database is in memory", "name a file in the URL")
        return
    yield checked(
        "journal mode",
        [] if journal == "wal" else [journal],
        "open it once for writing: smdi migrate",
        otherwise="wal",
        status=Status.FAIL,
    )
    yield checked(
        "synchronous",
        [] if synchronous else ["off"],
        "PRAGMA synchronous = NORMAL",
        otherwise="on: a power cut may take the last commits, and leaves the file whole",
        status=Status.FAIL,
    )
    kept = -cache >> 10 if cache < 0 else cache * page >> 20
    yield Check(Status.PASS, "pages", f"{page:,} bytes, {kept:,} MB of them kept for each connection")
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    yield checked(
        "file mode",
        [f"{mode:o}: others may {'write' if mode & 0o022 else 'read'} it"] if mode & 0o077 else [],
        f"chmod 600 {path}, unless they are meant to",
        otherwise=f"{mode:o}",
        status=Status.FAIL if mode & 0o002 else Status.WARN,
    )
    own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    yield checked(
        "file owner",
        [] if own else [f"user {found.st_uid}"],
        "run this as the user whose file it is: files beside it belong to the user who opens it",
        otherwise="who asks",
    )
    kind = _file_system(path.resolve())
    yield checked(
        "file system",
        [f"{kind}, a network's"] if kind in _NETWORK else [],
        "move it to a disk of this machine: locks and WAL do not work over a network",
        otherwise=kind or "not known here",
        status=Status.FAIL,
    )
    free, size = shutil.disk_usage(path.resolve().parent).free, found.st_size
    yield checked(
        "free disk",
        [f"{free >> 20:,} MB beside {size >> 20:,}"] if free < 2 * size else [],
        "add disk: a VACUUM writes the file twice",
        otherwise=f"{free >> 20:,} MB",
    )


def _file_system(path: Path) -> str:
    """The kind of file system of a file; empty if it is not known."""
    try:
        mounts = [line.split()[1:3] for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return ""
    over = [(len(mount), kind) for mount, kind in mounts if path.is_relative_to(mount)]
    return max(over)[1] if over else ""
