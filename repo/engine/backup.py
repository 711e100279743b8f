"""What backups need of an engine: a dump of a snapshot, a scratch database, an atomic restore."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from repo.engine.connection import Connection
from repo.progress import Progress, no_progress

Writing = Callable[[], AbstractContextManager[Connection]]
Compare = Callable[[str | None], None]


class Restoring(NamedTuple):
    """How to restore: ``force`` replaces rows, ``privileges`` restores grants to existing roles."""

    force: bool = False
    privileges: bool = True
    progress: Progress = no_progress


class Origin(NamedTuple):
    """The database that a backup is of, without user or password; its name; the engine's version."""

    source: str
    name: str
    server: str


class DumpRestore(Protocol):
    """One engine's way to write a database into a file and back."""

    suffix: str
    """How the names of its files end."""

    def origin(self, connection: Connection) -> Origin:
        """The database of a connection."""

    def dump(
        self, connection: Connection, file: Path, progress: Progress
    ) -> AbstractContextManager[str]:
        """Write what a transaction sees into a file, which is whole at the end of the block.

        The transaction is a repeatable read that was begun just now, and stays open for the block.

        :returns: the name and version of the program that writes.
        :raises BackupError: when it cannot be written.
        :raises ConfigurationError: when there is no program to write it.
        """

    def scratch(self, folder: Path, server: str | None) -> AbstractContextManager[str]:
        """The URL of a new empty database, which is dropped after the block.

        :param folder: for its files, if it has any.
        :param server: the URL of another server to make it on.
        :raises BackupError: when it cannot be made.
        """

    def restore(self, file: Path, how: Restoring, writing: Writing, compare: Compare) -> None:
        """Replace the database by that of a file, wholly or not at all, however it ends.

        Its connections cannot be used after that: their settings are no longer this package's.

        :param writing: gives the connection of a transaction that is committed at the end of its block.
        :param compare: raises what is wrong with the rows of the database, or of another URL; called
            before anything is committed.
        :raises BackupError: when rows may not be replaced, or the file is damaged.
        """
