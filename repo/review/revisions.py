"""SQL folders as they are at a revision of git, read without touching the user's tree."""

from __future__ import annotations

import os
import posixpath
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from repo.errors import ConfigurationError

__all__ = [
    "SHORT",
    "Revision",
    "commit_of",
    "edited",
    "exported",
    "merge_base",
    "root_of",
    "working_tree",
]

WORKING_TREE: Final = "the working tree"
SHORT: Final = 9
"""How much of a commit's name is shown."""

_OF_A_HOOK: Final = frozenset({"GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"})
_LINK: Final = "120000"
_UNSHALLOW: Final = (
    "this clone has only the last commits: git fetch --unshallow, or fetch-depth: 0 of actions/checkout"
)
_OUTSIDE: Final = "outside of the repository"


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of the files: what it is called, and the folder in which they lie as in the repository.

    ``code`` are the Python files, by their paths in the repository; ``absent`` is how many more there
    are that a sparse checkout leaves out.
    """

    name: str
    root: Path
    code: Sequence[Path]
    absent: int = 0

    def folder(self, place: str) -> Path:
        """A folder of the repository at this revision; it may be missing."""
        return self.root / place

    def shown(self, file: Path) -> str:
        """A file's path in the repository."""
        return file.relative_to(self.root).as_posix() if file.is_relative_to(self.root) else str(file)

    def same(self, other: Revision, places: Sequence[str]) -> bool:
        """Whether the SQL files of some folders are the same at both."""
        return all(self._contents(place) == other._contents(place) for place in places)

    def _contents(self, place: str) -> dict[str, bytes | None]:
        folder = self.folder(place)
        files = [file for below in ("", "*/", "*/*/") for file in folder.glob(f"{below}*.sql")]
        return {file.relative_to(folder).as_posix(): _bytes(file) for file in files}


def _bytes(file: Path) -> bytes | None:
    """What a file holds; None for what cannot be read, such as a link to nowhere."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def _git(root: Path, *arguments: str, given: bytes | None = None) -> bytes:
    """What git answers.

    :raises ConfigurationError: with git's own words.
    """
    command = ["git", "-C", str(root), *arguments]
    # Of the hook that this may be run by: it may be another repository's, or the folder not its top.
    settings = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        ran = subprocess.run(  # noqa: S603  # no shell
            command, input=given, capture_output=True, check=False, env=settings
        )
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
    return Path(os.fsdecode(_git(folder, "rev-parse", "--show-toplevel")).rstrip("\n")).resolve()


def commit_of(root: Path, name: str) -> str:
    """The commit that a revision names: a branch that is not here is looked for at origin.

    Before the first commit, ``HEAD`` is a tree without files.

    :raises ConfigurationError: when there is none.
    """
    for each in (name, f"origin/{name}"):
        with suppress(ConfigurationError):
            found = _git(
                root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{each}^{{commit}}"
            )
            return found.decode().strip()
    if name == "HEAD":  # before the first commit: the tree without files, which git always knows
        return _git(root, "hash-object", "-t", "tree", "--stdin", given=b"").decode().strip()
    raise ConfigurationError(
        f"git knows no revision {name!r} here; {_UNSHALLOW}"
        if _shallow(root)
        else f"git knows no revision {name!r} here; fetch it, or name another with --base"
    )


def _shallow(root: Path) -> bool:
    return _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def merge_base(root: Path, base: str, head: str) -> str:
    """The commit at which a head left a base, both given as commits.

    So what was added to the base since is not taken for something that the head takes away.

    :raises ConfigurationError: when they have nothing in common.
    """
    if base == head:
        return base
    try:
        return _git(root, "merge-base", base, head).decode().strip()
    except ConfigurationError:
        raise ConfigurationError(
            f"{base[:SHORT]} and {head[:SHORT]} have no commit in common"
            + (f"; {_UNSHALLOW}" if _shallow(root) else "")
        ) from None


def _paths(listed: bytes) -> list[str]:
    return list(filter(None, os.fsdecode(listed).split("\0")))


def edited(root: Path, base: str, head: str | None) -> frozenset[str]:
    """The paths of the files that differ between a base and a head, or the working tree."""
    revisions = [base] if head is None else [base, head]
    found = _paths(_git(root, "diff", "--name-only", "-z", *revisions, "--"))
    if head is None:
        found += _paths(_git(root, "ls-files", "-z", "--others", "--exclude-standard"))
    return frozenset(found)


def working_tree(root: Path, wanted: Callable[[str], bool]) -> Revision:
    """The files as they are, those included that are new and not ignored.

    :param wanted: tells by their paths which have to be there.
    :raises ConfigurationError: when a sparse checkout leaves one of those out.
    """
    listed = _git(root, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")
    files = {path: tag == "S" for tag, _, path in (each.partition(" ") for each in _paths(listed))}
    for path, absent in files.items():
        if absent and wanted(path):
            raise ConfigurationError(
                f"{path} is not checked out: git sparse-checkout add {posixpath.dirname(path)}, or name "
                "a commit to review with --head"
            )
    code = [path for path in sorted(files) if path.endswith(".py")]
    there = [Path(path) for path in code if not files[path]]
    return Revision(WORKING_TREE, root, there, len(code) - len(there))


@contextmanager
def exported(root: Path, commit: str, name: str, wanted: Callable[[str], bool]) -> Iterator[Revision]:
    """Some files of a repository as they are at a commit, in a temporary folder.

    :param name: what the revision is called in the report.
    :param wanted: tells by their paths which files; what they are links to comes with them.
    """
    with tempfile.TemporaryDirectory(prefix="smdi-review-") as temporary:
        folder = Path(temporary).resolve()
        entries = _entries(root, commit)
        paths = [path for path in entries if wanted(path)]
        contents = _blobs(root, {entries[path] for path in paths})
        for path in paths:  # which grows
            entry = entries[path]
            if entry not in contents:
                contents |= _blobs(root, {entry})
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if not entry.link:
                file.write_bytes(contents[entry])
                continue
            target = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), os.fsdecode(contents[entry]))
            )
            paths += [
                each
                for each in entries
                if (each == target or each.startswith(f"{target}/")) and each not in paths
            ]
            inside = not target.startswith(("/", "../"))
            file.symlink_to(folder / target if inside else folder / _OUTSIDE)
        yield Revision(name, folder, [Path(path) for path in sorted(paths) if path.endswith(".py")])


class _Entry(NamedTuple):
    """A file in git: its contents, by name, and whether they are what it is a link to."""

    blob: str
    link: bool


def _entries(root: Path, commit: str) -> dict[str, _Entry]:
    """The files of a commit by path; what is in a submodule is not among them."""
    found = {}
    for listed in _paths(_git(root, "ls-tree", "-r", "-z", "--full-tree", commit)):
        about, _, path = listed.partition("\t")
        mode, kind, blob = about.split()
        if kind == "blob" and ".." not in PurePosixPath(path).parts:
            found[path] = _Entry(blob, mode == _LINK)
    return found


def _blobs(root: Path, entries: Collection[_Entry]) -> dict[_Entry, bytes]:
    """What files hold."""
    asked = list(entries)
    given = "".join(f"{entry.blob}\n" for entry in asked).encode()
    answer = _git(root, "cat-file", "--batch", given=given) if asked else b""
    found, at = {}, 0
    for entry in asked:
        start = answer.index(b"\n", at) + 1
        at = start + int(answer[at:start].split()[2])
        found[entry] = answer[start:at]
        at += 1
    return found
