"""The findings of sqlfluff on the lines that changed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from repo.review.findings import Finding, Level
from repo.review.tables import GRAMMARS

__all__ = ["CONFIGURATIONS", "changed_lines", "configured", "installed", "layout", "text_of"]

_CODE: Final = "layout"
_CONTRARY: Final = frozenset({"AL09"})
"""Codes that refuse what the rule ``alias`` asks for."""


CONFIGURATIONS: Final = frozenset({".sqlfluff", "pyproject.toml", "setup.cfg", "tox.ini", "pep8.ini"})
"""The files in which sqlfluff looks for its configuration."""


def installed() -> bool:
    """Whether sqlfluff is there."""
    return find_spec("sqlfluff") is not None


def configured(folder: Path, root: Path) -> bool:
    """Whether a folder of a repository, or one above it, configures sqlfluff."""
    above = [each for each in (folder, *folder.parents) if each.is_relative_to(root)]
    files = [each / name for each in above for name in CONFIGURATIONS]
    return any("sqlfluff" in line for file in files for line in text_of(file))


def text_of(file: Path) -> list[str]:
    """The lines of a file; none where there is no such file."""
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []


def changed_lines(before: Path, after: Path) -> set[int]:
    """The numbers of the lines of a file that it did not have before."""
    old, new = (text_of(file) for file in (before, after))
    found: set[int] = set()
    for tag, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("replace", "insert"):
            found.update(range(start + 1, end + 1))
    return found


def layout(
    file: Path, dialect: str, within: tuple[int, int], lines: set[int], query: str
) -> Iterator[Finding]:
    """What sqlfluff says of some lines of a file, by a dialect's grammar and the configuration there.

    :param within: the first and the last line of what is read, which is all that is about those lines.
    :param query: which query they belong to; empty for a migration.
    """
    if not lines:
        return
    from sqlfluff.core import FluffConfig, Linter

    found: set[tuple[int, str, str]] = set()
    first, last = within
    config = FluffConfig.from_path(str(file), overrides={"dialect": GRAMMARS[dialect]})
    part = "".join(f"{line}\n" for line in text_of(file)[first - 1 : last])
    name = str(file).encode(errors="replace").decode()  # sqlfluff's lexer refuses what is no UTF-8
    for each in Linter(config=config).lint_string(part, fname=name).get_violations():
        found.add((each.line_no + first - 1, each.rule_code(), each.desc()))
    for line, code, words in sorted(found):
        if line in lines and code not in _CONTRARY:
            yield Finding(file, line, query, _CODE, f"{code}: {words}", Level.WARNING)
