"""Programs and files of SQL in the README and the guides, which begin with a comment of their name."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["PAGES", "block", "code", "module", "names"]

_ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [_ROOT / "README.md", *sorted(_ROOT.glob("repo/guides/*.md"))]
_BLOCK: Final = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"(?:#|--) (?P<name>[\w./]+)\n")


def _blocks(language: str) -> list[str]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    return [
        found["text"]
        for text in texts
        for found in _BLOCK.finditer(text)
        if found["language"] == language
    ]


def _name(program: str) -> str:
    found = _NAME.match(program)
    return "" if found is None else found["name"]


def block(language: str) -> str:
    """The only block of a language that is no file."""
    (one,) = [text for text in _blocks(language) if not _name(text)]
    return one


def names() -> list[str]:
    """The files that its programs are, an empty text for one that does not say."""
    return [_name(program) for program in _blocks("python")]


def code(name: str) -> str:
    """The text of a program or file of SQL, by its name."""
    (one,) = [
        text for language in ("python", "sql") for text in _blocks(language) if _name(text) == name
    ]
    return one


def module(name: str) -> ModuleType:
    """A program, run as a module of its own."""
    made = ModuleType(name.removesuffix(".py"))
    exec(compile(code(name), name, "exec"), made.__dict__)  # noqa: S102
    return made
