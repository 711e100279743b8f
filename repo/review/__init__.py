"""The SQL review of a pull request: what makes two engines give different answers, found by reading.

``check()`` reads a folder of queries as the loader does, parses portable statements by the grammars of
both engines and variants by their own, and holds each against :data:`RULES`. It needs sqlglot, which
the extra ``review`` brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from repo.errors import ConfigurationError
from repo.review.findings import Finding

_missing: ModuleNotFoundError | None = None
_reasons: Mapping[str, str] = {}
try:
    from repo.review import folders
except ModuleNotFoundError as error:
    if error.name != "sqlglot":
        raise
    _missing = error
else:
    _reasons = folders.REASONS

__all__ = ["RULES", "Finding", "check"]

RULES: Final[Mapping[str, str]] = MappingProxyType(_reasons)
"""The rules by name, each with its reason; empty where sqlglot is not installed."""


def check(folder: Path | str | None = None) -> list[Finding]:
    """Review the SQL of a folder laid out as ``queries/``.

    :param folder: an application's folder; None is the package's own. Its queries may refer to the
        package's tables, and to those that they create themselves; of other tables nothing is known,
        so what is computed from their columns has to be cast.
    :returns: what to mend, by file and line; empty when there is nothing.
    :raises ConfigurationError: when sqlglot is not installed.
    :raises QueryContractError: when the files break the loader's contract.
    """
    if _missing is not None:
        raise ConfigurationError(
            "the review needs sqlglot: pip install 'smart-money-repo[review]'"
        ) from _missing
    return folders.findings_in(folder)
