"""The reject file: rows that a load left out, and why."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Final

from repo.errors import ConfigurationError, Problem, RepoError
from repo.workplace import PRIVATE, keep_names

_OF_THE_NAME: Final = 100
_ANY_NAME: Final = "backslashreplace"
"""How a file name is written that is not UTF-8."""

_HEADER: Final = ("file", "line", "column", "value", "reason", "row")


class Rejects:
    """Problems on their way to a reject file.

    Until :meth:`publish` they are in a file without a name, which is gone with the process: there is a
    reject file only once the other rows are loaded. It is a CSV with a line for each problem; ``row`` is
    the row as it was written in its file.

    :raises ConfigurationError: if the reject file cannot be written, or its path leads to another file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = 0
        with self._writing():
            if os.path.lexists(path) and not _is_reject_file(path):
                raise ConfigurationError(f"{path} is there and is no reject file; it is left as it is")
            self._spool = _nameless(path.absolute().parent)
        self._write(_HEADER)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(f"cannot write {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Forget what was not published."""
        with suppress(OSError):  # a full disk: the data that could not be written is not needed
            self._spool.close()

    def mark(self) -> tuple[int, int]:
        """A point for :meth:`rewind` to come back to."""
        with self._writing():
            return self._spool.tell(), self._lines

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was added after a mark."""
        with self._writing():
            self._spool.seek(mark[0])
            self._spool.truncate()
        self._lines = mark[1]

    def add(self, problem: Problem, cells: Sequence[object], delimiter: str) -> None:
        """Note one problem, and the row it is in."""
        self._write(
            (
                problem.file,
                problem.line,
                problem.column or problem.field,
                problem.value,
                problem.reason,
                _joined(cells, delimiter),
            )
        )
        self._lines += 1

    def _write(self, cells: Iterable[object]) -> None:
        with self._writing():
            self._spool.write(_joined(cells, ",") + "\n")

    def publish(self, *, if_empty: bool) -> None:
        """Write the file, over an earlier one.

        If nothing was added, there is a file only with ``if_empty``; an earlier one is deleted, because
        it would seem to be of this load.

        :raises RepoError: if that fails; nothing half-written is left.
        """
        try:
            if self._lines or if_empty:
                self._spool.seek(0)  # which writes out what is in memory
                self._put()
            else:
                self.path.unlink(missing_ok=True)
            keep_names(self.path.absolute().parent)
        except OSError as error:
            raise RepoError(
                f"the rows are loaded, but the rejected ones could not be written to {self.path}: "
                f"{error.strerror}"
            ) from error

    def _put(self) -> None:
        """Write the file under another name, for its owner alone, and rename it once it is on disk.

        The other name is random and must be new, so it cannot be a link that somebody prepared. If the
        path is a link, the link is replaced, and not the file it leads to.
        """
        name = f".{self.path.name[:_OF_THE_NAME]}.{token_hex(8)}.partial"
        partial = self.path.absolute().with_name(name)
        try:
            if not self._named(partial):
                self._copied(partial)
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)

    def _named(self, partial: Path) -> bool:
        """Give the spool itself a name if the system can, so that the disk does not hold it twice."""
        spool = self._spool.fileno()
        os.fsync(spool)
        try:
            # Python follows links only if given a descriptor, which an absolute path does not need.
            os.link(f"/proc/self/fd/{spool}", partial, src_dir_fd=spool, follow_symlinks=True)
        except (OSError, NotImplementedError):
            return False
        return True

    def _copied(self, partial: Path) -> None:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8", errors=_ANY_NAME, newline="") as target:
            shutil.copyfileobj(self._spool, target)
            target.flush()
            os.fsync(handle)


def _nameless(folder: Path) -> IO[str]:
    """A file without a name, which can get one later if the system supports it."""
    how: dict[str, Any] = {"encoding": "utf-8", "errors": _ANY_NAME, "newline": ""}
    try:
        file: IO[str] = os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR, PRIVATE), "w+", **how)
    except (AttributeError, OSError):
        file = tempfile.TemporaryFile("w+", dir=folder, **how)  # noqa: SIM115  # it lives until close()
    return file


def _is_reject_file(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():  # to open a pipe would be to wait for its other end
        return False
    with path.open(encoding="utf-8", errors="replace") as text:
        return text.readline().rstrip("\n") == ",".join(_HEADER)


def _joined(cells: Iterable[object], delimiter: str) -> str:
    """A row as text, without a line end."""
    row = io.StringIO()
    # Before Python 3.13, the writer quotes a cell for a line end only if it is the writer's own.
    csv.writer(row, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return row.getvalue().removesuffix("\r\n")
