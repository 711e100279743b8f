"""The named queries as functions: ``db.queries.<file>.<name>(...)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from repo.errors import QueryContractError
from repo.parameters import PYTHON_TYPES
from repo.queries import Query
from repo.sessions import Session


class _Signature:
    """The signature of a named query, made when it is asked for; the class has none of its own."""

    def __get__(self, query: NamedQuery | None, owner: type[NamedQuery]) -> inspect.Signature:
        if query is None:
            raise AttributeError("__signature__")
        return _signature(query._query)


class NamedQuery:
    """One named query as a function, with the signature and the documentation of its file.

    It takes its declared parameters by keyword, each of the type that its SQL casts it to; a ``*!``
    query takes an iterable of mappings of them.

    :raises QueryContractError: for other parameters, or if the columns are not those of its record.
    :raises InvalidRecord: for a value of another type, naming query and parameter.
    """

    __signature__ = _Signature()

    def __init__(self, session: Session, query: Query) -> None:
        self._query = query
        self._session = session
        self._run = session.write if query.writes else session.frame if query.framed else session.read
        self.__name__ = query.name
        self.__qualname__ = query.full_name
        self.__doc__ = query.comment

    def __deepcopy__(self, memo: object) -> NamedQuery:
        return NamedQuery(self._session, self._query)

    def __call__(self, *positional: Any, **parameters: Any) -> Any:
        """Run the query; the signature says what it takes and gives."""
        query, session = self._query, self._session
        if query.operator == "*!":
            if len(positional) != 1 or parameters:
                raise QueryContractError(f"{query.full_name} takes rows: an iterable of mappings")
            return session.write_many(query.full_name, positional[0])
        if positional or parameters.keys() != set(query.parameters):
            wanted = ", ".join(query.parameters) or "no parameters"
            given = ", ".join([*parameters, *("one without a name" for _ in positional)]) or "none"
            raise QueryContractError(f"{query.full_name} takes {wanted}; given: {given}")
        return self._run(query.full_name, **parameters)

    def __repr__(self) -> str:
        return f"<query {self.__qualname__}{self.__signature__}>"


class QueryNamespace:
    """The queries of one file, as attributes, each made on first use."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    def __getattr__(self, name: str) -> NamedQuery:
        if name.startswith("__"):  # Python looks for optional methods, when copying for instance
            raise AttributeError(name)
        full_name = f"{self._name}.{name}"
        catalogue = self._session.catalogue
        if full_name not in catalogue or catalogue.query(full_name, self._session.dialect).bare:
            raise AttributeError(f"there is no query {full_name}; there are {', '.join(dir(self))}")
        query = NamedQuery(self._session, catalogue.query(full_name, self._session.dialect))
        setattr(self, name, query)
        return query

    def __deepcopy__(self, memo: object) -> QueryNamespace:
        return QueryNamespace(self._session, self._name)

    def __dir__(self) -> list[str]:
        catalogue = self._session.catalogue
        return [
            name.rpartition(".")[2]
            for name in catalogue.names(self._name, self._session.dialect)
            if not catalogue.query(name, self._session.dialect).bare
        ]

    def __repr__(self) -> str:
        return f"<queries of {self._name}: {', '.join(dir(self))}>"


class NamedQueries:
    """The files of queries, an application's own among them, as attributes, each made on first use."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getattr__(self, name: str) -> QueryNamespace:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in dir(self):
            raise AttributeError(
                f"there is no file {name}.sql among the queries; there are {', '.join(dir(self))}"
            )
        file = QueryNamespace(self._session, name)
        setattr(self, name, file)
        return file

    def __deepcopy__(self, memo: object) -> NamedQueries:
        return NamedQueries(self._session)  # the session is shared

    def __dir__(self) -> list[str]:
        return self._session.catalogue.aggregates(self._session.dialect)

    def __repr__(self) -> str:
        return f"<queries of {', '.join(dir(self))}>"


def _annotation(query: Query, name: str) -> Any:
    kind = query.types[name]
    plain = PYTHON_TYPES[kind.type]
    return list[plain] | None if kind.array else plain | None  # type: ignore[valid-type]  # known at run time


_ANSWERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "": lambda record: list[record],  # type: ignore[valid-type]
    "^": lambda record: record | None,
    "<!": lambda record: record | None,
    "$": lambda record: next(iter(record.__annotations__.values())) | None,
}


def _signature(query: Query) -> inspect.Signature:
    """What a call takes and gives: any parameter may be None, which is NULL."""
    if query.operator == "*!":
        rows = inspect.Parameter(
            "rows", inspect.Parameter.POSITIONAL_ONLY, annotation=Iterable[Mapping[str, Any]]
        )
        return inspect.Signature([rows], return_annotation=int)
    answer = None if query.operator == "!" else _ANSWERS[query.operator](query.record)
    if query.framed:
        answer = "pyarrow.Table"
    return inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=_annotation(query, name))
            for name in query.parameters
        ],
        return_annotation=int if answer is None else answer,
    )
