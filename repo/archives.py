"""What a backup needs of an engine: a dump of a snapshot, a scratch database, an atomic restore."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Connection = Any
"""A driver's connection; only its backend looks inside."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much; 0 where nobody knows."""


def quiet(doing: str, done: int, of: int) -> None:
    """A :data:`Progress` that tells nobody."""


class Origin(NamedTuple):
    """What a backup is of: a database, without user or password; its name; the engine's version."""

    source: str
    name: str
    server: str


class Archive(Protocol):
    """One engine's way to write a database into a file and back."""

    suffix: str
    """How the names of its files end."""

    def origin(self, connection: Connection) -> Origin:
        """What a connection speaks of."""

    def dump(
        self, connection: Connection, file: Path, progress: Progress
    ) -> AbstractContextManager[str]:
        """Write a file of what the transaction of a connection sees, by the end of the block.

        The block is given the name and version of what writes. The transaction was begun just now, as a
        repeatable read, and stays open until the file is written; others write meanwhile.

        :raises BackupError: where it cannot be written.
        :raises ConfigurationError: where there is no program to write it.
        """

    def scratch(self, place: Path, server: str | None) -> AbstractContextManager[str]:
        """The URL of a new empty database, gone after the block.

        :param place: a folder for its files, if it has any.
        :param server: the URL of another server to make it on.
        :raises BackupError: where none can be made.
        """

    def restore(
        self,
        file: Path,
        *,
        writing: Callable[[], AbstractContextManager[Connection]],
        check: Callable[[str | None], None],
        force: bool,
        privileges: bool,
        progress: Progress,
    ) -> None:
        """Make the database that of the file, wholly or not at all, however it ends.

        Its connections are of no use after that: their settings are no longer this package's.

        :param writing: gives the connection of a transaction that is committed at the end of its block.
        :param check: raises what is wrong with the rows that are there now, or with those of another
            URL; called before anything is committed.
        :param force: to replace rows that are there.
        :param privileges: to restore grants as well, to roles that have to be there.
        :raises BackupError: where there are rows that are not to be replaced, or the file is unsound.
        """
