"""What a run says: a text for people, in Markdown, and an object for JSON."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any, Final

from tests.bench.contestants import BARE, NAMES, OURS
from tests.bench.data import FULL
from tests.bench.jobs import TITLES
from tests.bench.results import Result, Results
from tests.bench.targets import Reached

_PACKAGES: Final = ("smart-money-repo", "aiosql", "psycopg", "SQLAlchemy", "pandas", "pyarrow")


def machine() -> dict[str, str]:
    """The machine and the versions of what is measured."""
    found = {
        "processor": _processor(),
        "processors": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": sys.version.split()[0],
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "checkout" if package == _PACKAGES[0] else "not installed"
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  # not a file of ours
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"


def duration(seconds: float | None) -> str:
    """Seconds in a unit that suits them."""
    if seconds is None:
        return "-"
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1.0 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}" if seconds < 100 else f"{seconds:.0f} s"
    raise AssertionError("the last unit takes everything")


def _mebibytes(kibibytes: int | None) -> str:
    """KiB as MiB."""
    return "-" if kibibytes is None else f"{kibibytes / 1024:.1f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; every column but the first is of numbers, a dash being none."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' + '---:|' * (len(header) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return [*lines, ""]


def _spread(result: Result) -> str:
    if not result.seconds:
        return "-"
    return f"{duration(min(result.seconds))} .. {duration(max(result.seconds))}"


def _number(value: float | None, form: str = "{:.2f}") -> str:
    return "-" if value is None else form.format(value)


def _row(results: Results, result: Result) -> list[str]:
    key = (result.backend, result.job)
    return [
        result.contestant,
        duration(result.median),
        _spread(result),
        _number(results.ratio(*key, result.contestant, BARE)),
        _number(results.ratio(*key, OURS, result.contestant)),
        _mebibytes(result.memory),
        _mebibytes(result.resident),
        f"{median(result.wal) / 2**20:,.2f}" if result.wal else "-",
    ]


_HEADER: Final = (
    *("", "median", "min .. max", "over bare", "ours over it"),
    *("memory, MiB", "process, MiB", "log, MiB"),
)


def _of_job(results: Results, backend: str, job: str) -> list[str]:
    """A job's table, with empty columns left out, and the reasons for what is not in it."""
    found = [r for r in results.found.values() if (r.backend, r.job) == (backend, job)]
    if not found:
        return []
    order = [*NAMES, "list of records", "pandas"]
    found.sort(key=lambda result: order.index(result.contestant))
    columns = list(zip(_HEADER, *(_row(results, result) for result in found), strict=True))
    header, *rows = zip(*(column for column in columns if {*column[1:]} != {"-"}), strict=True)
    lines = [f"### {job}: {TITLES[job]}", "", *table(header, rows)]
    reasons = [f"- {result.contestant}: {result.reason}" for result in found if result.reason]
    return [*lines, *reasons, *([""] if reasons else [])]


def of_targets(targets: Sequence[Reached], sizes: str) -> list[str]:
    """The table of targets; ``sizes`` is the name of the sizes they were measured with."""
    if not targets:
        return []
    rows = []
    for target in targets:
        form = "{:.4f}" if target.limit < 0.1 else "{:.0f}" if target.unit else "{:.2f}"
        unit = f" {target.unit}" if target.unit else ""
        told = [f"{target.limit:g}{unit}", _number(target.measured, form) + unit]
        rows.append([target.title, target.backend, *told, "met" if target.met else "missed"])
    lines = ["## Targets", ""]
    if sizes != FULL.name:
        lines += ["They are set for the full sizes, which these are not.", ""]
    return [*lines, *table(("", "engine", "at most", "measured", ""), rows)]


def of_settings(title: str, settings: Mapping[str, str]) -> list[str]:
    """Settings as a line of a list."""
    return [f"- {title}: " + ", ".join(f"{name} {value}" for name, value in settings.items())]


def as_markdown(
    results: Results,
    targets: Sequence[Reached],
    settings: Mapping[str, Mapping[str, str]],
    sizes: Mapping[str, Any],
) -> str:
    """The report of a comparison."""
    lines = ["# Side by side", ""]
    lines += of_settings("machine and versions", machine())
    for backend, found in settings.items():
        lines += of_settings(backend, found)
    lines += of_settings("sizes", {name: str(value) for name, value in sizes.items()})
    lines += [
        "- seconds are medians over the rounds, ratios the medians of the rounds' ratios; memory is the "
        "high water above what the process had before the job, process that of all of a fresh one",
        "",
        *of_targets(targets, sizes["name"]),
    ]
    for backend in settings:
        lines += [f"## {backend}", ""]
        for job in TITLES:
            lines += _of_job(results, backend, job)
    if results.wrong:
        lines += ["## Wrong results", "", *(f"- {wrong}" for wrong in results.wrong), ""]
    return "\n".join(lines)


def as_json(
    results: Results,
    targets: Sequence[Reached],
    settings: Mapping[str, Mapping[str, str]],
    sizes: Mapping[str, Any],
) -> dict[str, Any]:
    """The same as an object."""
    return {
        "machine": machine(),
        "settings": settings,
        "sizes": sizes,
        "results": [result.as_dict() for result in results.found.values()],
        "targets": [asdict(target) | {"met": target.met} for target in targets],
        "wrong": results.wrong,
    }
