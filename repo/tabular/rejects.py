"""The reject file: rows that a load left out, and why."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from repo.errors import ConfigurationError, Problem, RepoError

__all__ = ["Rejects"]

_HEADER: Final = ("file", "line", "column", "value", "reason", "row")


class Rejects:
    """Problems on their way to a reject file.

    Until :meth:`publish` they are in a file without a name, which vanishes with the process: a reject
    file is there only when what it speaks of was loaded without the rows in it. It is a CSV with a
    line for each problem; ``row`` is the row as it stands in the file it came from.

    :raises ConfigurationError: when the reject file cannot be written where it is wanted, or
        something else is there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = 0
        try:
            if path.exists() and not _is_reject_file(path):
                raise ConfigurationError(f"{path} is there and is no reject file; it is left as it is")
            self._spool = tempfile.TemporaryFile(  # noqa: SIM115  # it lives until close()
                "w+", encoding="utf-8", newline="", dir=path.absolute().parent
            )
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
        self._write(_HEADER)

    def close(self) -> None:
        """Forget what was not published."""
        self._spool.close()

    def mark(self) -> tuple[int, int]:
        """Where :meth:`rewind` can come back to."""
        return self._spool.tell(), self._lines

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was added after a mark."""
        self._spool.seek(mark[0])
        self._spool.truncate()
        self._lines = mark[1]

    def add(self, problem: Problem, cells: Sequence[str], delimiter: str) -> None:
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
        self._spool.write(_joined(cells, ",") + "\n")

    def publish(self, *, if_empty: bool) -> None:
        """Write the file, over an earlier one.

        When nothing was added there is a file only ``if_empty``; an earlier one goes, for it would
        speak of this load.

        :raises RepoError: when that fails; nothing half-written is left.
        """
        partial = self.path.with_name(f"{self.path.name}.partial")
        try:
            if not self._lines and not if_empty:
                self.path.unlink(missing_ok=True)
                return
            self._spool.seek(0)
            try:
                with partial.open("w", encoding="utf-8", newline="") as target:
                    shutil.copyfileobj(self._spool, target)
                partial.replace(self.path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise RepoError(
                f"the rows are loaded, but the rejected ones could not be written to {self.path}: "
                f"{error.strerror}"
            ) from error


def _is_reject_file(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as text:
        return text.readline().rstrip("\n") == ",".join(_HEADER)


def _joined(cells: Iterable[object], delimiter: str) -> str:
    """A row as text, without a line end."""
    row = io.StringIO()
    # The writer quotes cells for the characters of its line end, and for no others before Python 3.13.
    csv.writer(row, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return row.getvalue().removesuffix("\r\n")
