"""The statements of savepoints, which the engines write alike."""

from __future__ import annotations

from abc import ABC, abstractmethod

from repo.engine.connection import Connection


class Savepoints(ABC):
    """The part of a backend that sets savepoints; an engine runs their statements."""

    @abstractmethod
    def _execute(self, connection: Connection, statement: str) -> None:
        """Run a statement; an error is the package's own."""

    def savepoint(self, connection: Connection, depth: int) -> None:
        self._execute(connection, f"SAVEPOINT level_{depth:d}")

    def release_savepoint(self, connection: Connection, depth: int) -> None:
        self._execute(connection, f"RELEASE SAVEPOINT level_{depth:d}")

    def rollback_to(self, connection: Connection, depth: int) -> None:
        self.rewind(connection, depth)
        self.release_savepoint(connection, depth)

    def rewind(self, connection: Connection, depth: int) -> None:
        """Undo the changes since the savepoint, and leave it set."""
        self._execute(connection, f"ROLLBACK TO SAVEPOINT level_{depth:d}")
