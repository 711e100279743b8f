"""The linter of SQL reads every statement to its end, by the grammar of each dialect that it is for."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
GRAMMARS = {"sqlite": "sqlite", "postgresql": "postgres"}
FILES = [
    (dialect, file)
    for dialect in GRAMMARS
    for folder in ("queries", f"queries/{dialect}", f"queries/{dialect}/engine", f"schema/{dialect}")
    for file in sorted((ROOT / folder).glob("*.sql"))
]
KEYWORD = re.compile(
    r"\b(?:SELECT|INSERT|DELETE|FROM|WHERE|ORDER BY|AS|IS|AND|SET|CREATE|DROP|ON|NULL|COPY)\b"
)


def statements(file: Path) -> list[str]:
    """The statements of a file, each with its comments."""
    ends = r"^(?!--)[^\n]*;\s*\n"  # a comment may end with a semicolon too
    found = re.findall(f".*?{ends}", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert "".join(found) == file.read_text(encoding="utf-8")
    return found


def keywords(statement: str) -> Iterator[re.Match[str]]:
    """The keywords of a statement, without those of its comments."""
    plain = re.sub(r"--[^\n]*", lambda comment: " " * len(comment[0]), statement)
    return KEYWORD.finditer(plain)


@cache
def linter(dialect: str) -> Any:
    """The linter as it is set up here, with one rule of many: no keyword is in small letters."""
    from sqlfluff.core import FluffConfig, Linter

    config = FluffConfig.from_path(str(ROOT), overrides={"dialect": GRAMMARS[dialect], "rules": "CP01"})
    return Linter(config=config)


def lint(dialect: str, text: str) -> list[tuple[str, int]]:
    """Codes and lines of what the linter finds in letters and grammar, whatever the layout."""
    violations = linter(dialect).lint_string(text).get_violations()
    return [(violation.rule_code(), violation.line_no) for violation in violations]


@pytest.mark.parametrize(("dialect", "file"), FILES, ids=lambda each: getattr(each, "name", each))
def test_a_broken_statement_is_noticed(dialect: str, file: Path) -> None:
    """Of a statement that breaks off in nonsense the linter says so, wherever in its file it stands.

    A keyword in small letters at both ends of each statement shows that all of the file is read. What is
    wrong with the grammar is looked for statement by statement, for it hides what stands below it. A
    comment that tells the linter to look away would hide it too, and there is none.
    """
    assert "noqa" not in file.read_text(encoding="utf-8")
    small, wanted, line = "", set(), 1
    for statement in statements(file):
        found = list(keywords(statement))
        for keyword in (found[0], found[-1]):
            start, end = keyword.span()
            statement = statement[:start] + keyword[0].lower() + statement[end:]
            wanted.add(("CP01", line + statement.count("\n", 0, start)))
        small += statement
        line += statement.count("\n")
        lines = [each for each in statement.splitlines() if not re.match(r"--|\s*$", each)]
        mangled = "\n".join([*lines[:4], "WHERE AND;\n"])
        assert "PRS" in {code for code, _ in lint(dialect, mangled)}, mangled
    assert set(lint(dialect, small)) == wanted
