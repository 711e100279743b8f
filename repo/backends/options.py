"""The options of ``connect()`` that an engine has."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from repo.errors import ConfigurationError
from repo.showing import short

_OPTION_END: Final = 1_000_000


def refuse_unknown(engine: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse options of ``connect()`` that an engine does not have.

    :raises ConfigurationError: naming the first of them, and the known ones.
    """
    for name in given:
        if name not in known:
            raise ConfigurationError(f"{engine} has no option {name!r}; it has {', '.join(known)}")


def check_option(name: str, value: Any, *, whole: bool = False) -> None:
    """Refuse an option of ``connect()`` that is no number of seconds, or no ``whole`` number.

    :raises ConfigurationError: naming the option.
    """
    number = isinstance(value, int) or (isinstance(value, float) and not whole)
    if not number or isinstance(value, bool) or not 0 <= value < _OPTION_END:
        kind = "a whole number" if whole else "a number of seconds"
        raise ConfigurationError(f"{name} must be {kind} from 0 on, not {short(value)}")
