"""The commands that read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo.cli.options import As, End, Source, Start, Symbol, Url, day, opened
from repo.cli.output import Format, say, show
from repo.records import Bar, Coverage, Divergence, Holding, Point, Summary, Ticker

if TYPE_CHECKING:
    from repo.database import Database


def _list(form: Format, record: Any, rows: Sequence[Any], if_empty: str) -> None:
    if not rows:
        say(if_empty)
    show(form, record, rows, upright=record is Summary)


def tickers(ctx: typer.Context, form: As = Format.TABLE, url: Url = None) -> None:
    """List all tickers, by symbol.

    With the company's name, and the CUSIP where it is known.
    """
    with opened(ctx, url) as db:
        _list(form, Ticker, db.tickers.all(), "there are no tickers")


def history(
    ctx: typer.Context,
    symbol: Symbol,
    start: Start = None,
    end: End = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """List a ticker's daily bars, by date.

    Prices are in dollars, volume is in shares.
    """
    with opened(ctx, url) as db:
        _list(form, Bar, db.market.history(symbol, start, end), f"{symbol.upper()} has no bars there")


def summary(
    ctx: typer.Context,
    symbol: Symbol,
    start: Start = None,
    end: End = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Sum up a ticker's bars in a range.

    The first open, the highest high, the lowest low and the last close, with the mean of the closes, in
    dollars; the sum and the mean of the volumes, in shares.
    """
    with opened(ctx, url) as db:
        row = db.market.summary(symbol, start, end)
        _list(form, Summary, [row] if row else [], f"{symbol.upper()} has no bars there")


def coverage(ctx: typer.Context, form: As = Format.TABLE, url: Url = None) -> None:
    """List which days each ticker has bars for.

    The first day, the last day and the number of bars, of each ticker that has any.
    """
    with opened(ctx, url) as db:
        _list(form, Coverage, db.market.coverage(), "there are no bars")


def holdings(
    ctx: typer.Context,
    symbol: Symbol,
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of",
            parser=day,
            metavar="DATE",
            help="Only each institution's last filing for the newest quarter known then, YYYY-MM-DD.",
        ),
    ] = None,
    start: Start = None,
    end: End = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """List what institutions hold of a ticker.

    In shares, whole dollars and percent of the company, as filed: all filings by quarter end, of which
    --start and --end are the first and the last, or with --as-of what was known on a day.
    """
    if as_of is not None and (start is not None or end is not None):
        raise typer.BadParameter("--as-of goes without --start and --end")
    with opened(ctx, url) as db:
        if as_of is not None:
            rows = db.holdings.known(symbol, as_of)
        else:
            rows = db.holdings.history(symbol, start, end)
        _list(form, Holding, rows, f"nothing was filed about {symbol.upper()} there")


def ranking(
    ctx: typer.Context,
    as_of: Annotated[
        date,
        typer.Argument(
            parser=day, metavar="DATE", help="The day, YYYY-MM-DD; only what was known then counts."
        ),
    ],
    source: Source = None,
    window: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="DAYS",
            help="Interest of so many days is compared with that of as many before.",
        ),
    ] = 90,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Only the first N tickers; all without it.")
    ] = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Rank tickers by how the two groups disagree.

    divergence runs from +1 (institutions bought while nobody looked) to -1 (crowded by retail): it is
    the rank by flow, the change of the shares that institutions hold over the newest quarter filed,
    minus the rank by interest change, both from 0 to 1.
    """
    with opened(ctx, url) as db:
        rows = db.divergence.ranking(as_of, source, window, limit)
        if not rows and limit != 0:
            _explain_empty(db, as_of, source, window)
    show(form, Divergence, rows, hide=["as_of"])


def _explain_empty(db: Database, as_of: date, source: str | None, window: int) -> None:
    """Say on stderr what a ranking would need."""
    sources = db.sentiment.sources()
    lines = [f"the ranking of {as_of} is empty:"]
    if source is not None and source not in sources:
        there = f"there are: {', '.join(sources)}" if sources else "there are none"
        lines.append(f"- there is no source {source!r}; {there}")
    elif not sources:
        lines.append("- there is no retail interest at all")
    else:
        recent, before = (max(1, as_of.toordinal() - days) for days in (window - 1, 2 * window - 1))
        lines += [
            f"- it takes filings for two quarters, both filed by {as_of}, by one institution at least",
            f"- it takes interest of {source or sources[0]} from {date.fromordinal(recent)} to {as_of}, "
            f"and from {date.fromordinal(before)} to the day before; --window sets how long",
        ]
    say("\n".join(lines))


def timeline(
    ctx: typer.Context,
    symbol: Symbol,
    start: Start = None,
    end: End = None,
    source: Source = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """List a ticker's price, interest and holdings.

    The close in dollars of each bar's day, beside retail interest in its source's unit and the shares
    that institutions were known to hold; each day shows only what was known that day.
    """
    with opened(ctx, url) as db:
        rows = db.divergence.timeline(symbol, start, end, source)
        _list(form, Point, rows, f"{symbol.upper()} has no bars there")
