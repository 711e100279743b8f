"""The README's programs, which begin with a comment that names their file."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["code", "module"]

_README: Final = Path(__file__).parent.parent / "README.md"
_BLOCK: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code(name: str) -> str:
    """The text of a program, by its file's name or how it begins."""
    found = [
        block
        for block in _BLOCK.findall(_README.read_text(encoding="utf-8"))
        if block.startswith((f"# {name}\n", name))
    ]
    (one,) = found
    return str(one)


def module(name: str) -> ModuleType:
    """A program, run as a module of its own."""
    made = ModuleType(name.removesuffix(".py"))
    exec(compile(code(name), name, "exec"), made.__dict__)  # noqa: S102
    return made
