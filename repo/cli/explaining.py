"""The commands that ask a database about queries: check and explain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo.cli.options import QueryFolders, SchemaFolders, Url, opened
from repo.cli.output import say
from repo.errors import ConfigurationError, DatabaseUnavailable
from repo.parameters import PYTHON_TYPES

if TYPE_CHECKING:
    from repo.database import Database
    from repo.engine.plans import Plan, Step
    from repo.queries import Query


class _Form(StrEnum):
    TREE = "tree"
    JSON = "json"


def check(
    ctx: typer.Context, queries: QueryFolders = None, schema: SchemaFolders = None, url: Url = None
) -> None:
    """Have the database prepare every query, and list those that do not fit its schema.

    Each with its name, file, line and the engine's words. Nothing is run or written. If the database
    takes no writes, queries that write are left out. Exits with 1 when there is one.
    """
    folders = queries or ()
    # Read only at first, so that no file is made.
    with opened(ctx, url, queries=folders, schema=schema) as db:
        found = db.check()
        behind = db.version() == 0
    looked_at = "query that reads"
    with (
        suppress(DatabaseUnavailable),
        opened(ctx, url, read_only=False, queries=folders, schema=schema) as db,
    ):
        found = db.check()
        looked_at = "query"
    for misfit in found:
        say(str(misfit), err=False)
    if found:
        hint = "; the database has no tables yet: smdi migrate" if behind else ""
        noun = "query does" if len(found) == 1 else "queries do"
        typer.echo(f"{len(found)} {noun} not fit the database{hint}", err=True)
        raise typer.Exit(1)
    typer.echo(f"every {looked_at} fits the database")


def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A query, such as market.history.")],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--arg",
            metavar="NAME=VALUE",
            help="A parameter's value; may be given again. An empty value is NULL, a list is separated "
            "by commas.",
        ),
    ] = None,
    analyze: Annotated[
        bool,
        typer.Option("--analyze", help="Run it too, and show what it reads; what it writes is undone."),
    ] = False,
    queries: QueryFolders = None,
    form: Annotated[_Form, typer.Option("--format", help="tree is for reading, json for scripts.")] = (
        _Form.TREE
    ),
    schema: SchemaFolders = None,
    url: Url = None,
) -> None:
    """Show how the database runs a query, step by step.

    A step shows its table, index and condition, and takes its rows from the steps below it. At the end
    is what to look at first: tables that are read from end to end, and sorts. Every parameter must be
    given, because the plan depends on it; without any, they are listed.
    """
    from repo import plans

    folders = queries or ()
    with opened(ctx, url, queries=folders, schema=schema) as db:  # read only, so that no file is made
        query = _query(db, name)
    writes = query.aside or (analyze and query.writes)
    with opened(ctx, url, read_only=not writes, queries=folders, schema=schema) as db:
        plan = plans.explain(db, name, _arguments(query, given or []), analyze=analyze)
    if form is _Form.JSON:
        facts = {
            "whole": sorted(plan.whole),
            "indexes": sorted(plan.indexes),
            "sorts": plan.sorts,
            "on_disk": plan.on_disk,
            "rows_read": plan.rows_read,
        }
        typer.echo(json.dumps({**asdict(plan), **facts}, indent=2))
        return
    say("\n".join([_headline(plan), *_lines(plan.steps, ""), *_facts(plan)]), err=False)


def _query(db: Database, name: str) -> Query:
    session = db._session
    names = session.catalogue.names(dialect=session.dialect)
    if name not in names:
        near = get_close_matches(name, names, 3)
        also = f"; did you mean {' or '.join(near)}?" if near else "; smdi check names those that misfit"
        raise ConfigurationError(f"there is no query {name}{also}")
    return session.catalogue.query(name, session.dialect)


def _arguments(query: Query, given: list[str]) -> dict[str, Any]:
    from repo.plans import parameters

    found: dict[str, Any] = {}
    for each in given:
        name, sign, text = each.partition("=")
        if not sign or name not in query.parameters or name in found:
            raise ConfigurationError(
                f"--arg {each}: {query.full_name} takes {parameters(query) or 'no parameters'}, "
                "each once, as NAME=VALUE"
            )
        found[name] = _value(query, name, text)
    if missing := [each for each in query.parameters if each not in found]:
        raise ConfigurationError(
            f"{query.full_name} takes {parameters(query)}; missing: "
            f"{' '.join(f'--arg {each}=...' for each in missing)}"
        )
    return found


def _value(query: Query, name: str, text: str) -> Any:
    """The value as the type that the query declares, or else as what it looks like."""
    if not text:
        return None
    declared = query.types.get(name)
    if declared is None:
        for read in (int, float, date.fromisoformat):
            try:
                return read(text)
            except ValueError:
                continue
        return text
    kind = PYTHON_TYPES[declared.type]
    read = getattr(kind, "fromisoformat", kind)
    try:
        return [read(each) for each in text.split(",")] if declared.array else read(text)
    except ValueError:
        raise ConfigurationError(f"--arg {name}={text}: {name} is of type {declared}") from None


def _amount(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _headline(plan: Plan) -> str:
    took = [
        _amount(number, noun)
        for number, noun in (
            (plan.rows, "row"),
            (plan.pages, "page"),
            (plan.instructions, "instruction"),
        )
        if number is not None
    ]
    return f"{plan.query} on {plan.dialect}" + (f": {', '.join(took)}" if took else "")


def _lines(steps: tuple[Step, ...], indent: str) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        last = number == len(steps)
        yield f"{indent}{'└─' if last else '├─'} {_line(step)}"
        yield from _lines(step.steps, indent + ("   " if last else "│  "))


def _line(step: Step) -> str:
    text = step.does
    if step.table is not None:
        text += f" of {step.table}"
    if step.index is not None:
        text += f" by {step.index}"
    if step.condition is not None:
        text += f", where {step.condition}"
    numbers = []
    if step.rows is not None:
        numbers.append(_amount(step.rows, "row"))
    if step.estimated_rows is not None:
        each = " a loop" if (step.loops or 1) > 1 else ""
        numbers.append(f"about {step.estimated_rows:,} expected{each}")
    if step.removed:
        numbers.append(f"{step.removed:,} dropped")
    if (step.loops or 1) > 1:
        numbers.append(_amount(step.loops or 0, "loop"))
    if step.pages is not None:
        numbers.append(_amount(step.pages, "page"))
    if step.on_disk:
        numbers.append("on disk")
    return f"{text} [{', '.join(numbers)}]" if numbers else text


def _facts(plan: Plan) -> Iterator[str]:
    if plan.whole:
        yield f"read from end to end: {', '.join(sorted(plan.whole))}"
    if plan.indexes:
        yield f"indexes: {', '.join(sorted(plan.indexes))}"
    if plan.sorts:
        yield f"{_amount(plan.sorts, 'sort')}{', on disk' if plan.on_disk else ''}"
