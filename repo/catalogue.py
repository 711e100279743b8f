"""All queries of some folders, held to the contract of both dialects.

A folder has ``<aggregate>.sql`` for what runs unchanged on both engines, and ``sqlite/<aggregate>.sql``
and ``postgresql/<aggregate>.sql`` for what must differ. A name has one portable statement or exactly one
in each dialect; anything else is refused, naming both files: in an application's files by :func:`load`,
in the package's own when a query of the file is first used. Queries for one engine alone are in
``<dialect>/engine/<noun>.sql``, have no counterpart, and are for that engine's backend.
:mod:`repo.query_files` says how a query is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial, reduce
from pathlib import Path
from typing import Final

from repo.errors import QueryContractError
from repo.parameters import Declared, agreed, list_form
from repo.queries import DIALECTS, Query, shipped
from repo.query_files import QueryFile, files_of, read, split
from repo.statements import misuse

_FILES_REMEMBERED: Final = 128


@lru_cache(maxsize=_FILES_REMEMBERED)
def _queries_of(files: tuple[QueryFile, ...]) -> Mapping[str, Mapping[str, Query]]:
    """The queries of one aggregate by full name and dialect, held to the contract.

    The cache's key is the text of the files: reading is much quicker than parsing, and sizes and times
    could miss a change. The result is never changed, and so can be shared.
    """
    found = [(file, query) for file in files for query in read(file)]
    grouped = _check(query for _, query in found)
    for name in dict.fromkeys(query.full_name for file, query in found if not file.own):
        for query in grouped[name].values():
            _hold(query)
    return grouped


def _check(queries: Iterable[Query]) -> dict[str, dict[str, Query]]:
    """Group by full name and dialect; raise for what breaks the contract."""
    grouped: dict[str, dict[str, Query]] = {}
    for query in queries:
        variants = grouped.setdefault(query.full_name, {})
        for dialect in DIALECTS if query.dialect is None else (query.dialect,):
            if dialect in variants:
                raise QueryContractError(
                    f"{query.full_name} is there twice for {dialect}: "
                    f"{variants[dialect].location} and {query.location}"
                )
            variants[dialect] = query
    for name, variants in grouped.items():
        first, *rest = _in_every_dialect(name, variants)
        for other in rest:
            for what, value in first.contract.items():
                if value != other.contract[what]:
                    verb = "differ" if what.endswith("s") else "differs"
                    raise QueryContractError(
                        f"{name}: the {what} {verb}: {value!r} in {first.location}, "
                        f"{other.contract[what]!r} in {other.location}"
                    )
        types = _types([first, *rest])
        grouped[name] = {
            dialect: query if query.types == types else replace(query, types=types)
            for dialect, query in variants.items()
        }
    return grouped


def _in_every_dialect(name: str, variants: Mapping[str, Query]) -> list[Query]:
    """The variants of a query in the order of the dialects."""
    alone = [each for each in variants.values() if each.engine_only]
    if alone and len(variants) == 1:
        return alone
    if alone:
        where = " and ".join(each.location for each in variants.values())
        raise QueryContractError(
            f"{name} is in {where}: what is there in every dialect is written as variants, "
            f"in {', '.join(f'{each}/*.sql' for each in DIALECTS)}"
        )
    for dialect in DIALECTS:
        if dialect not in variants:
            other = next(iter(variants.values()))
            wanted = other.file.parent.parent / dialect / other.file.name
            raise QueryContractError(f"{name} is in {other.location}, but not in {wanted}")
    return [variants[dialect] for dialect in DIALECTS]


def _types(variants: Sequence[Query]) -> dict[str, Declared]:
    """The types of the parameters, on which all variants must agree."""
    types = {}
    for name in variants[0].parameters:
        found = [each.types[name] for each in variants if name in each.types]
        if not found:
            continue
        try:
            types[name] = reduce(partial(agreed, name), found)
        except ValueError as error:
            where = " and ".join(dict.fromkeys(each.location for each in variants))
            raise QueryContractError(f"{where}: {error}") from None
        if not types[name].type:
            raise QueryContractError(
                f"{variants[-1].location}: :{name} is a list on SQLite; cast it on PostgreSQL, as in "
                f"= ANY(CAST(:{name} AS text []))"
            )
    return types


def _hold(query: Query) -> None:
    """Check what holds for an application's queries only."""
    for name in query.parameters:
        if name not in query.types:
            listed = re.search(rf"\bIN\s*\(\s*:{name}\s*\)", query.sql, re.IGNORECASE)
            form = f"write CAST(:{name} AS type), for calls are held to that type"
            if listed:
                form = list_form(name, "text")
            raise QueryContractError(f"{query.location}: :{name} has no type; {form}")
    if query.answers and query.record is None:
        raise QueryContractError(
            f"{query.location}: a query that returns rows says of which columns: "
            f"-- record_class: Name(column: type, other: type | None)"
        )
    columns = [(column.name, column.type) for column in query.columns]
    if wrong := misuse(query.sql, columns, answers=query.answers):
        raise QueryContractError(f"{query.location}: {wrong}")


class Catalogue:
    """Every query of some folders; :mod:`repo.binding` makes them callable on an engine.

    A file of the package's own is parsed when one of its queries is first used; those of an application
    are parsed by :func:`load`.
    """

    def __init__(self, files: Iterable[QueryFile]) -> None:
        """Collect the files; those of one name are one aggregate."""
        self._files: dict[str, tuple[QueryFile, ...]] = {}
        for file in files:
            self._files[file.aggregate] = (*self._files.get(file.aggregate, ()), file)
        self._parsed: dict[str, Mapping[str, Mapping[str, Query]]] = {}

    def __contains__(self, full_name: object) -> bool:
        return isinstance(full_name, str) and full_name in self._of(full_name.rpartition(".")[0])

    def _of(self, aggregate: str) -> Mapping[str, Mapping[str, Query]]:
        try:
            return self._parsed[aggregate]
        except KeyError:
            if aggregate not in self._files:
                return {}
            found = self._parsed[aggregate] = _queries_of(self._files[aggregate])
            return found

    def aggregates(self, dialect: str | None = None) -> list[str]:
        """The names of the files that have queries, without their endings, sorted.

        :param dialect: leave out files of other engines only; None is all.
        """
        return sorted(
            each
            for each, files in self._files.items()
            if self._parsed.get(each) != {}
            and (dialect is None or any(file.dialect in (None, dialect) for file in files))
        )

    def names(self, aggregate: str | None = None, dialect: str | None = None) -> list[str]:
        """The full names, sorted; those of one file, or all.

        :param dialect: include the queries of this engine only; None is those that every engine has.
        """
        wanted = self._files if aggregate is None else [aggregate]
        return sorted(
            name
            for each in wanted
            for name, variants in self._of(each).items()
            if (len(variants) > 1 if dialect is None else dialect in variants)
        )

    def query(self, full_name: str, dialect: str) -> Query:
        """One query in a dialect.

        :raises QueryContractError: if there is none of that name, or only another engine's.
        """
        variants = self._of(full_name.rpartition(".")[0]).get(full_name, {})
        if dialect in variants:
            return variants[dialect]
        others = ", ".join(f"{each} has one, in {query.location}" for each, query in variants.items())
        also = f": only {others}" if others else ""
        raise QueryContractError(f"there is no query {full_name} for {dialect}{also}")


def load(folders: Sequence[Path | str] = ()) -> Catalogue:
    """Read the package's queries and those of an application's folders, and check them together.

    The files are read every time, but parsed again only if they changed.

    :raises QueryContractError: naming the files, for a duplicate, a missing variant, variants that
        differ in operator, parameters, their types or record, a parameter without a type, rows without
        a record, a missing comment, a name of the package's own, or SQL that aiosql cannot read.
    """
    own = files_of(shipped("queries"), own=True)
    others = [file for folder in folders for file in files_of(Path(folder))]
    catalogue, package = Catalogue([*own, *others]), Catalogue(own)
    theirs = sorted({file.aggregate for file in others})
    for aggregate in theirs:
        catalogue.names(aggregate)  # which parses and checks them
    if shared := [each for each in theirs if each in package.aggregates()]:
        _refuse_own_names(catalogue, package, shared)
    return catalogue


def survey(
    folder: Path, *, own: bool = False
) -> tuple[dict[str, dict[str, Query]], list[tuple[Path, QueryContractError]]]:
    """A folder's queries by full name and dialect, as far as they can be read, and each file's errors.

    :param own: whether they are the package's own, which are checked for less.
    """
    queries: list[Query] = []
    refused: dict[Path, QueryContractError] = {}
    files = files_of(folder, refused=refused)
    wrong = list(refused.items())
    for file in files:
        try:
            queries.extend(list(read(file)))
        except QueryContractError:
            for each in split(file):
                try:
                    queries.extend(read(each))
                except QueryContractError as error:
                    wrong.append((Path(file.path), error))
    by_name: dict[str, list[Query]] = {}
    for query in queries:
        by_name.setdefault(query.full_name, []).append(query)
    found: dict[str, dict[str, Query]] = {}
    for name, variants in by_name.items():
        try:
            (found[name],) = _check(variants).values()
            for query in () if own else found[name].values():
                _hold(query)
        except QueryContractError as error:
            wrong.append((variants[-1].file, error))
            found[name] = {
                dialect: query
                for query in variants
                for dialect in (DIALECTS if query.dialect is None else (query.dialect,))
            }
    return found, wrong


def _refuse_own_names(catalogue: Catalogue, package: Catalogue, shared: Iterable[str]) -> None:
    """Refuse queries that an application adds to one of the package's files under a reserved name."""
    reserved = {name.rpartition(".")[2] for each in DIALECTS for name in package.names(dialect=each)}
    for aggregate in shared:
        queries = [
            catalogue.query(name, dialect)
            for dialect in DIALECTS
            for name in catalogue.names(aggregate, dialect)
        ]
        for query in queries:
            name = query.full_name
            if name not in package and query.name in reserved:
                raise QueryContractError(
                    f"{query.location}: {name} is a name of the package's own; choose another name, or "
                    "another file"
                )
