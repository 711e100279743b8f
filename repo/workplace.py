"""A private folder in which files are written before they get their names."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from repo.errors import RepoError

if sys.platform != "win32":
    import fcntl

_PARTIAL: Final = ".smdi-partial"
_NOT_BY_LINK: Final = getattr(os, "O_NOFOLLOW", 0)

_FULL: Final = "; nothing was left there: make room, or name a folder on another disk"
_FORBIDDEN: Final = "; name a folder that you may write to"
_ADVICE: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _FORBIDDEN),
}

PRIVATE: Final = 0o600
"""The mode of a file that its owner alone reads."""


@contextmanager
def workplace(folder: Path, error: type[RepoError]) -> Iterator[Path]:
    """A private folder inside another, deleted after the block; those of killed runs are deleted first.

    :raises error: when it cannot be written to, in the block as well.
    """
    work, lock = None, None
    try:
        for left in folder.glob(f".*{_PARTIAL}"):
            if not left.is_symlink() and (held := _lock(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(held)
        work = Path(tempfile.mkdtemp(prefix=".", suffix=_PARTIAL, dir=folder))
        lock = _lock(work)
        if lock is None or not work.exists():
            raise error(f"something else began to write into {folder} in this moment: try again")
        yield work
    except OSError as reason:
        advice = _ADVICE.get(reason.errno or 0, "")
        raise error(f"cannot write into {folder}: {reason.strerror or reason}{advice}") from reason
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(work: Path) -> int | None:
    """Hold the lock of a workplace, at most as long as the process lives; None if another holds it."""
    try:
        lock = os.open(work / "lock", os.O_RDWR | os.O_CREAT | _NOT_BY_LINK, PRIVATE)
    except OSError:
        return None
    if sys.platform != "win32":
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
    return lock


def keep_names(folder: Path) -> None:
    """Write a folder's names to disk, without which a renamed file may be lost."""
    if sys.platform != "win32":  # where a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # the file system does not support it
                raise
        finally:
            os.close(handle)
