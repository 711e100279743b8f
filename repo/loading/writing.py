"""Files written into a database, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from operator import attrgetter
from typing import Any

from repo.batches import RepeatedKeys, RowEncoder, Tally, Unfit
from repo.database import Database
from repo.delimited.rejects import Rejects
from repo.delimited.source import FileSource
from repo.errors import PROBLEM_LIMIT, InvalidRecord, RepoError, UniqueViolation, UnknownTicker
from repo.records import Ticker
from repo.repositories.cusips import Clash, clashes
from repo.tables import TABLES


class Load:
    """Files to be written in order, all or nothing.

    On an engine with one writer, as many files as possible are read before the transaction begins,
    because all others would wait meanwhile. The result depends on the stored tickers and institutions;
    if those have changed when the transaction begins, the files are read again inside it.
    """

    def __init__(
        self,
        db: Database,
        sources: Sequence[FileSource],
        symbol: str | None,
        outboxes: Sequence[Rejects],
        *,
        strict: bool,
    ) -> None:
        self._db = db
        self._sources = sources
        self._symbol = symbol
        self._outboxes = outboxes
        self._strict = strict
        self._ready: list[RowEncoder] = []
        self._failed: RepoError | None = None
        self._tickers: list[Ticker] = []
        self._known: dict[str, set[Any]] = {}

    def write(self) -> list[int]:
        """Write every file's rows or none; returns how many of each were new or different.

        A load that is a transaction of its own is repeated after a deadlock.
        """
        return self._db._session.until_no_deadlock(self._write, lambda: self._read_again_from(0))

    def _write(self) -> list[int]:
        written: list[int] = []
        try:
            with ExitStack() as stack:
                self._read_ahead(stack)
                # Writes deal with conflicts themselves; at a stricter level they would fail instead.
                with self._db.transaction(isolation="read committed"):
                    for number in range(len(self._sources)):
                        written.append(self._write_one(number))  # noqa: PERF401  # asked for after errors
        except RepeatedKeys as repeated:
            raise InvalidRecord(self._sources[len(written)].repeated(repeated.rows)) from repeated
        except InvalidRecord as invalid:
            if self._outboxes:
                raise
            # upsert stops early and knows no lines, so the file is read again for all its problems.
            problems = self._sources[len(written)].diagnose()
            raise InvalidRecord(problems or invalid.problems) from invalid
        return written

    def _read_ahead(self, stack: ExitStack) -> None:
        """Read the files up to the first that fails; its error is raised when its turn comes."""
        if not self._db._session.reads_ahead():
            return
        if self._outboxes:
            self._tickers = self._db.tickers.all()
            self._known = self._stored()
        try:
            for number, source in enumerate(self._sources):
                if self._outboxes and self._has_earlier(number) and source.layout.kind == "tickers":
                    return  # its clashes are known only once the earlier files are written
                self._prepare(number, self._known)
                table = source.layout.table
                batches = stack.enter_context(RowEncoder(table, source))
                batches.ahead(keys=bool(self._outboxes))
                self._ready.append(batches)
                name = table.key[0]
                if table.surrogate and name in self._known:
                    self._known[name] = self._known[name] | batches.keys
        except RepoError as error:
            self._failed = error

    def _stored(self) -> dict[str, set[Any]]:
        """The stored keys of tickers and institutions, by the field that refers to them."""
        return {
            table.key[0]: set(map(attrgetter(table.key[0]), getattr(self._db, table.aggregate).all()))
            for table in TABLES.values()
            if table.surrogate
        }

    def _has_earlier(self, number: int) -> bool:
        """Whether the load has an earlier file of tickers."""
        return any(other.layout.kind == "tickers" for other in self._sources[:number])

    def _prepare(self, number: int, known: Mapping[str, set[Any]]) -> None:
        """Set what a source is to leave out."""
        source = self._sources[number]
        source.tally = Tally(strict=self._strict)
        if not self._outboxes:
            return
        references = source.layout.table.references
        if references and self._symbol is not None and self._symbol not in known["symbol"]:
            raise UnknownTicker([self._symbol])
        source.refuse({})
        source.reject_to(self._outboxes[number], {name: known[name] for name in references})
        if source.layout.kind == "tickers":
            source.refuse(_clashing(self._db, source, earlier=self._has_earlier(number)))

    def _write_one(self, number: int) -> int:
        """Write the rows of a file, which may have been read ahead."""
        source = self._sources[number]
        rows: RowEncoder | FileSource = source
        if not self._unchanged(number):
            self._read_again_from(number)
        if number < len(self._ready):
            rows = self._ready[number]
        elif number == len(self._ready) and self._failed is not None:
            raise self._failed
        else:
            self._prepare_inside(number)
        refused: dict[int, tuple[str, str]] = {}
        while True:
            try:
                written: int = getattr(self._db, source.layout.kind).upsert(rows)
                return written  # noqa: TRY300  # in a loop
            except UniqueViolation as error:
                earlier = self._has_earlier(number)
                found = _clashing(self._db, source, earlier=earlier) if error.problems else {}
                named = source.located(found)
                raise (UniqueViolation.of(named) if named else error) from error.__cause__
            except Unfit as unfit:
                unfitting = unfit.rows if self._outboxes else unfit.rows[:PROBLEM_LIMIT]
                numbers = source.numbers({row for row, *_ in unfitting})
                found = {numbers[row]: (field, reason) for row, field, _, reason in unfitting}
                if not self._outboxes:
                    raise InvalidRecord(source.located(found)) from unfit
                # They are left out; an earlier row of the same key may then count in place of one.
                refused.update(found)
                self._read_again_from(number)
                self._prepare_inside(number)
                source.refuse(refused)
                rows = source

    def _read_again_from(self, number: int) -> None:
        """Forget what was read ahead of this file and those after it."""
        for other in reversed(self._sources[number : len(self._ready) + 1]):
            other.forget_rejects()
        del self._ready[number:]
        self._failed = None

    def _prepare_inside(self, number: int) -> None:
        """Set what a source is to leave out, by the rows that are stored now."""
        references = self._sources[number].layout.table.references
        self._prepare(number, self._stored() if self._outboxes and references else {})

    def _unchanged(self, number: int) -> bool:
        """Whether the stored rows that decided which rows to leave out are still the same."""
        if not self._outboxes or number > len(self._ready):
            return True
        layout = self._sources[number].layout
        if layout.kind == "tickers":
            return self._db.tickers.all() == self._tickers
        return not layout.table.references or self._stored() == self._known


def _clashing(db: Database, source: FileSource, *, earlier: bool) -> dict[int, tuple[str, str]]:
    """The field and the reason for each row of tickers with another's CUSIP, by its number.

    If a row is left out, an earlier row of its ticker becomes the last one, and may clash too.

    :param earlier: whether the load has an earlier file of tickers, whose rows are stored by then.
    """
    if "cusip" in source.absent:
        return {}
    stored = db.tickers.all()
    rows = [(number, values[0], values[2]) for number, values in source.numbered()]
    found: dict[int, Clash] = {}
    while more := clashes(stored, rows, found):
        found.update((clash.row, clash) for clash in more)
        if source.rejects is None:  # rows are not left out
            break
    lines = source.lines({clash.owner_row for clash in found.values() if clash.owner_row is not None})
    reasons = {}
    elsewhere = "in the database" + (" or an earlier file" if earlier else "")
    for row, clash in sorted(found.items()):
        where = elsewhere if clash.owner_row is None else f"on line {lines[clash.owner_row]}"
        reasons[row] = ("cusip", clash.reason(where))
    return reasons
