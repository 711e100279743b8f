"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the total.

A total of 0 is not known; where both are 0 nothing is counted.
"""


def no_progress(doing: str, done: int, of: int) -> None:
    """A :data:`Progress` that tells nobody."""
