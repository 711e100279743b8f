"""Arguments for the parameters of a query, chosen from a sample by their names and types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from repo.errors import ConfigurationError
from repo.parameters import Declared
from repo.queries import Query
from repo.review.changes import block
from repo.review.contract import renamed

__all__ = ["Facts", "alike", "arguments"]

_EXAMPLE: Final = re.compile(r"^\s*--\s*review:\s*example\s+(?P<given>.*)$")
_GIVEN: Final = re.compile(r"(\w+)=(\S+)")
_WINDOW: Final = 90


class Facts(NamedTuple):
    """What a sample holds that arguments are chosen from."""

    symbols: Sequence[str]
    ciks: Sequence[int]
    sources: Sequence[str]
    first: date
    last: date

    def values(self) -> Mapping[str, Any]:
        """What a parameter of a name that the package knows is given: a middle one, a range inside."""
        middle = len(self.symbols) // 2
        within = self.first + (self.last - self.first) / 2
        return {
            "symbol": self.symbols[middle],
            "symbols": list(self.symbols[middle : middle + 3]),
            "cik": self.ciks[len(self.ciks) // 2],
            "ciks": list(self.ciks[:3]),
            "source": self.sources[0],
            "start": self.last - timedelta(days=4 * _WINDOW),
            "end": self.last,
            "as_of": self.last,
            "date": within,
            "last_date": within + timedelta(days=_WINDOW),
            "recent_from": self.last - timedelta(days=_WINDOW),
            "before_from": self.last - timedelta(days=2 * _WINDOW),
            "limit": 10,
            "rows": 100,
            "ticker_id": middle,
            "last_ticker_id": middle + 1,
            "last_source": self.sources[-1],
            "quarter_end": self.last,
            "filing_date": self.last,
        }


def arguments(query: Query, facts: Facts) -> dict[str, Any]:
    """A value for each parameter: what the query's comment says, else by name, else by type.

    :raises ConfigurationError: for an example that is no value of its parameter's type.
    """
    examples = _examples(query)
    known = facts.values()
    found: dict[str, Any] = {}
    for name in query.parameters:
        declared = query.types.get(name, Declared("", False))
        if name in examples:
            found[name] = _read(query, name, declared, examples[name])
        elif name in known and _fits(known[name], declared):
            found[name] = known[name]
        else:
            found[name] = _by_type(declared, facts)
    return found


def alike(old: Query | None, new: Query | None, facts: Facts) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a query before and after a change, such that what it gives can be compared.

    Examples are those after it; a parameter with only another name than before is given what it was.
    """
    before = {} if old is None else arguments(old, facts)
    after = {} if new is None else arguments(new, facts)
    if old is not None and new is not None:
        chosen = _examples(new)
        kept = [name for name in chosen if name in before and old.types.get(name) == new.types.get(name)]
        before |= {name: after[name] for name in kept}
        names = renamed(old, new).items()
        after |= {name: before[was] for name, was in names if name not in chosen}
    return before, after


def _examples(query: Query) -> dict[str, str]:
    """What lines like ``-- review: example symbol=AAPL limit=5`` say."""
    lines = filter(None, map(_EXAMPLE.match, block(query)))
    given = {name: value for line in lines for name, value in _GIVEN.findall(line["given"])}
    unknown = [name for name in given if name not in query.parameters]
    if unknown:
        raise ConfigurationError(
            f"{query.location}: the example names {unknown[0]}, which is no parameter"
        )
    return given


def _fits(value: Any, declared: Declared) -> bool:
    kinds = {"date": date, "text": str, "bigint": int, "integer": int, "": object}
    kind = list if declared.array else kinds.get(declared.type)
    return kind is not None and isinstance(value, kind)


def _by_type(declared: Declared, facts: Facts) -> Any:
    kinds: dict[str, Any] = {
        "date": facts.last,
        "timestamptz": datetime.combine(facts.last, time(), UTC),
        "text": facts.symbols[len(facts.symbols) // 2],
        "double precision": 1.5,
    }
    value = kinds.get(declared.type, 1)
    return [value] if declared.array else value


def _read(query: Query, name: str, declared: Declared, text: str) -> Any:
    if text == "NULL":
        return None
    if declared.array:
        one = Declared(declared.type, array=False)
        return [_read(query, name, one, each) for each in text.split(",")]
    kinds: Mapping[str, Any] = {
        "date": date.fromisoformat,
        "timestamptz": datetime.fromisoformat,
        "bigint": int,
        "integer": int,
        "double precision": float,
    }
    try:
        return kinds.get(declared.type, str)(text)
    except ValueError:
        raise ConfigurationError(
            f"{query.location}: the example {name}={text} is no {declared.type}"
        ) from None
