"""Values and names for messages: short, and safe to print on a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

_OF_A_VALUE: Final = 80
_OF_A_NAME: Final = 40
_NAMES: Final = 20
_OBEYED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that a terminal acts upon, and those that change the direction of text."""


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def short(value: Any) -> str:
    """The ``repr`` of a value, cut if it is long."""
    if type(value) is str:
        value = value[:_OF_A_VALUE]
    try:
        text = repr(value)
    except Exception:  # an int too long for Python to write out, or a repr of the caller's own
        bits = f" of {value.bit_length():,} bits" if type(value) is int else ""
        return f"<{type(value).__name__}{bits}>"
    return _cut(text, _OF_A_VALUE)


def short_name(name: str) -> str:
    """A name, cut if it is long."""
    return _cut(name, _OF_A_NAME)


def listed(names: Sequence[str]) -> str:
    """Names in a list, only the first if there are many."""
    more = len(names) - _NAMES
    shown = ", ".join(map(short_name, names[:_NAMES]))
    return shown + (f" and {more:,} more" if more > 0 else "")


def visible(text: str, keep: str = "") -> str:
    r"""Text whose control characters are written out, as ``\x1b`` is; those in ``keep`` stay."""

    def written(found: re.Match[str]) -> str:
        letter = found[0]
        return letter if letter in keep else letter.encode("unicode_escape").decode("ascii")

    return _OBEYED.sub(written, text)
