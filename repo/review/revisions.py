"""SQL folders as they are at a revision of git, read without touching the user's tree."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from repo.errors import ConfigurationError

__all__ = [
    "WORKING_TREE",
    "Revision",
    "edited",
    "exported",
    "merge_base",
    "root_of",
    "tracked",
    "working_tree",
]

WORKING_TREE: Final = "the working tree"


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of the files: what it is called, and the folder in which they lie as in the repository."""

    name: str
    root: Path

    def folder(self, place: str) -> Path:
        """A folder of the repository at this revision; it may be missing."""
        return self.root / place

    def shown(self, file: Path) -> str:
        """A file's path in the repository."""
        return file.relative_to(self.root).as_posix() if file.is_relative_to(self.root) else str(file)

    def same(self, other: Revision, places: Sequence[str]) -> bool:
        """Whether the SQL files of some folders are the same at both."""
        return all(self._contents(place) == other._contents(place) for place in places)

    def _contents(self, place: str) -> dict[str, bytes]:
        folder = self.folder(place)
        files = sorted(folder.rglob("*.sql")) if folder.is_dir() else []
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _git(root: Path, *arguments: str, given: bytes | None = None) -> bytes:
    """What git answers.

    :raises ConfigurationError: with git's own words.
    """
    command = ["git", "-C", str(root), *arguments]
    try:
        ran = subprocess.run(command, input=given, capture_output=True, check=False)  # noqa: S603  # no shell
    except FileNotFoundError:
        raise ConfigurationError("the review needs git, which is not installed") from None
    if ran.returncode:
        words = ran.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise ConfigurationError(f"git {arguments[0]}: {words.removeprefix('fatal: ')}")
    return ran.stdout


def root_of(folder: Path) -> Path:
    """The top of the repository in which a folder is.

    :raises ConfigurationError: when it is in none.
    """
    return Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())


def merge_base(root: Path, base: str, head: str | None) -> str:
    """The commit at which a head (None is the working tree's) left a base.

    So what was added to the base since is not taken for something that the head takes away.

    :raises ConfigurationError: when a revision is not there, or they have nothing in common.
    """
    for name in (base, head or "HEAD"):
        try:
            _git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except ConfigurationError:
            raise ConfigurationError(
                f"git knows no revision {name!r} here; fetch it, or name another with --base"
            ) from None
    try:
        return _git(root, "merge-base", base, head or "HEAD").decode().strip()
    except ConfigurationError:
        raise ConfigurationError(
            f"{base} and {head or 'HEAD'} have no commit in common; fetch the whole history "
            "(git fetch --unshallow)"
        ) from None


def tracked(root: Path, pattern: str) -> list[str]:
    """The files that git knows by a pattern, in the working tree, and those new and not ignored."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern)
    return sorted(set(filter(None, listed.decode(errors="surrogateescape").split("\0"))))


def edited(root: Path, base: str, head: str | None) -> frozenset[str]:
    """The paths of the files that differ between a base and a head, or the working tree."""
    revisions = [base] if head is None else [base, head]
    listed = _git(root, "diff", "--name-only", "-z", *revisions, "--")
    return frozenset(filter(None, listed.decode(errors="surrogateescape").split("\0")))


def working_tree(root: Path) -> Revision:
    """The files as they are."""
    return Revision(WORKING_TREE, root)


@contextmanager
def exported(root: Path, reference: str, name: str, places: Sequence[str]) -> Iterator[Revision]:
    """Some folders of a repository as they are at a revision, in a temporary folder.

    :param name: what the revision is called in the report.
    """
    with tempfile.TemporaryDirectory(prefix="smdi-review-") as temporary:
        folder = Path(temporary).resolve()
        listed = _git(root, "ls-tree", "-r", "-z", reference, "--", *places)
        entries = [entry.partition("\t") for entry in listed.decode().split("\0") if entry]
        blobs = [(about.split()[2], path) for about, _, path in entries if about.split()[1] == "blob"]
        names = "".join(f"{blob}\n" for blob, _ in blobs).encode()
        contents = _git(root, "cat-file", "--batch", given=names) if blobs else b""
        at = 0
        for _, path in blobs:
            end = contents.index(b"\n", at)
            size = int(contents[at:end].split()[2])
            if ".." not in PurePosixPath(path).parts:
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(contents[end + 1 : end + 1 + size])
            at = end + 1 + size + 1
        yield Revision(name, folder)
