"""The rounds: every contestant in turn at every job, each round beginning with another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tests.bench import contestants
from tests.bench.contestants import OURS, Contestant, NotOffered
from tests.bench.data import Data
from tests.bench.jobs import CONCURRENT, OPEN_CLOSE, READERS, READS, WRITES, Read, Write, symbol_of
from tests.bench.measure import in_child, rotated, timed
from tests.bench.places import Place, digest, expected
from tests.bench.results import Result, Results

SHORT_ROUNDS: Final = 5
"""How many rounds of reads there are for one of writes: they are short, and much comes between."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """What is measured on one engine: the jobs of these names, by these contestants.

    ``read_url`` is a database with all the rows, which is read and not written; ``template`` one with
    tickers only, which is copied.
    """

    place: Place
    data: Data
    names: Sequence[str]
    jobs: Sequence[str]
    rounds: int
    read_url: str
    template: str

    def run(self, say: Callable[[str], None]) -> Results:
        """Measure all of it, each kind of job in a process of its own."""
        results = Results()
        reads = [job for job in READS if job.name in self.jobs]
        if reads or OPEN_CLOSE in self.jobs:
            say("reads")
            results.take(in_child(partial(self._reads, reads)))
        if self._steps():
            say("writes")
            results.take(in_child(self._writes))
        if CONCURRENT in self.jobs:
            say("threads")
            results.take(in_child(self._concurrent))
        return results

    def _steps(self) -> int:
        """How many of the chain of writes have to be done."""
        wanted = [number for number, job in enumerate(WRITES, 1) if job.name in self.jobs]
        return max(wanted, default=0)

    @contextmanager
    def _open(self, name: str, url: str, jobs: Iterable[str], results: Results) -> Iterator[Any]:
        """A contestant, or None with the reason noted at each job."""
        try:
            made = contestants.load(name, self.place.backend)(url)
        except NotOffered as missing:
            for job in jobs:
                results.at(self.place.backend, job, name).reason = str(missing)
            yield None
            return
        with closing(made):
            yield made

    def _reads(self, reads: Sequence[Read]) -> Results:
        results, data, backend = Results(), self.data, self.place.backend
        names = [job.name for job in reads]
        with ExitStack() as stack:
            seats = {
                name: stack.enter_context(self._open(name, self.read_url, names, results))
                for name in self.names
            }
            there = [name for name, contestant in seats.items() if contestant is not None]
            for job in reads:
                chosen = {name: seats[name] for name in there}
                results.wrong += compare(backend, job, chosen, data)
            for number in range(self.rounds * SHORT_ROUNDS):
                for job in reads:
                    calls = min(job.calls(data.sizes), data.sizes.days)
                    for name in rotated(there, number):
                        seconds = timed(partial(job.run, seats[name], data), calls)
                        results.at(backend, job.name, name).seconds.append(seconds)
                if OPEN_CLOSE in self.jobs and number < self.rounds:
                    for name in rotated(there, number):
                        seconds = timed(partial(self._open_close, name), 1)
                        results.at(backend, OPEN_CLOSE, name).seconds.append(seconds)
        return results

    def _open_close(self, name: str, _: int) -> None:
        contestants.load(name, self.place.backend)(self.read_url).close()

    def _writes(self) -> Results:
        results, place, data = Results(), self.place, self.data
        steps = WRITES[: self._steps()]
        names = [job.name for job in steps]
        digests = [expected(job.after(data)) for job in steps]
        for number in range(self.rounds):
            with ExitStack() as stack:
                seats: dict[str, tuple[str, Any]] = {}
                for name in self.names:
                    url = place.copy(self.template)
                    stack.callback(place.drop, url)
                    contestant = stack.enter_context(self._open(name, url, names, results))
                    if contestant is not None:
                        seats[name] = (url, contestant)
                for job, wanted in zip(steps, digests, strict=True):
                    for name in rotated(list(seats), number):
                        url, contestant = seats[name]
                        result = results.at(place.backend, job.name, name)
                        wrong = self._write(job, contestant, url, result)
                        if number == 0 and digest(place.bars(url)) != wanted:
                            wrong = "left other rows than it should"
                        if wrong:
                            results.wrong.append(f"{place.backend}, {job.name}: {name} {wrong}")
        return results

    def _write(self, job: Write, contestant: Contestant, url: str, result: Result) -> str | None:
        """Do one write and time it; what was wrong with its count."""
        place, data = self.place, self.data
        written: list[int | None] = []
        place.quiet(url)
        before = place.wal()
        result.seconds.append(timed(lambda _: written.append(job.run(contestant, data)), 1))
        after = place.wal()
        if before is not None and after is not None:
            result.wal.append(after - before)
        if job is WRITES[0]:
            place.settle(url)  # the only step after which autovacuum would have come by
        if written[0] is None or written[0] == job.count(data):
            return None
        return f"counts {written[0]} rows, not {job.count(data)}"

    def _concurrent(self) -> Results:
        results, place = Results(), self.place
        with ExitStack() as stack:
            seats: dict[str, Any] = {}
            urls: dict[str, str] = {}
            for name in self.names:
                urls[name] = place.copy(self.read_url)
                stack.callback(place.drop, urls[name])
                contestant = stack.enter_context(self._open(name, urls[name], [CONCURRENT], results))
                if contestant is not None:
                    seats[name] = contestant
            for number in range(self.rounds):
                for name in rotated(list(seats), number):
                    place.quiet(urls[name])
                    wrong: list[str] = []
                    run = partial(_together, seats[name], self.data, wrong, number)
                    seconds = timed(run, 1)
                    results.at(place.backend, CONCURRENT, name).seconds.append(seconds)
                    results.wrong += wrong
            last = self.data.one_day((self.rounds + 1) * self.data.sizes.writes - 1)
            wanted = expected([*self.data.bars, *last])
            for name in seats:
                if digest(place.bars(urls[name])) != wanted:
                    results.wrong.append(
                        f"{place.backend}, {CONCURRENT}: {name} left other rows than it should"
                    )
        return results


def compare(backend: str, job: Read, seats: Mapping[str, Contestant], data: Data) -> list[str]:
    """Hold every contestant's answers against ours; what differs, in words."""
    wrong: list[str] = []
    for number in range(min(3, job.calls(data.sizes))):
        symbol = symbol_of(data, number)
        wanted = job.plain(seats[OURS], job.run(seats[OURS], data, number), symbol)
        if not wanted:
            wrong.append(f"{backend}, {job.name}: nothing was found")
        for name, contestant in seats.items():
            found = job.plain(contestant, job.run(contestant, data, number), symbol)
            if found != wanted:
                told = _difference(found, wanted)
                wrong.append(f"{backend}, {job.name}: {name} differs from {OURS}: {told}")
    return wrong


def _together(contestant: Contestant, data: Data, wrong: list[str], number: int, _: int) -> None:
    """Eight threads that read while one writes; ``wrong`` takes what went wrong in them."""
    sizes = data.sizes

    def guarded(work: Callable[[Contestant], None]) -> None:
        try:
            with contestant.thread() as mine:
                work(mine)
        except Exception as error:
            wrong.append(f"{CONCURRENT}: {type(contestant).__name__}: {error!r}")

    def reader(first: int, mine: Contestant) -> None:
        for read in range(sizes.reads):
            symbol = data.symbols[(first * sizes.reads + read) % len(data.symbols)]
            rows = mine.history(symbol, data.history_start, data.days[-1])
            if len(rows) != sizes.history_days:
                wrong.append(f"{CONCURRENT}: {type(mine).__name__} read {len(rows)} bars")

    def writer(mine: Contestant) -> None:
        for write in range(sizes.writes):
            mine.load(data.one_day((number + 1) * sizes.writes + write))

    works = [partial(reader, first) for first in range(READERS)]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in [*works, writer]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _difference(found: Any, wanted: Any) -> str:
    """The first thing that differs, in short."""
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return f"{len(found)} rows, not {len(wanted)}"
        found, wanted = next(pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1])
    return f"{found!r}, not {wanted!r}"
