"""What a run over several sizes says, in Markdown and as an object for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.bench.questions import QUESTIONS, Filled
from tests.bench.report import duration, machine, of_settings, of_targets, table
from tests.bench.results import Results
from tests.bench.targets import Reached

__all__ = ["as_json", "as_markdown"]


def _of_sizes(filled: Sequence[Filled]) -> list[str]:
    rows = [
        [
            f"{one.size:,}",
            f"{len(one.symbols):,}",
            f"{len(one.days):,}",
            f"{one.holdings:,}",
            f"{one.disk / 2**20:,.1f}",
            duration(one.fill_seconds),
            f"{one.size / one.fill_seconds:,.0f}",
        ]
        for one in filled
    ]
    header = ("bars", "tickers", "days", "holdings", "on disk, MiB", "loaded in", "bars a second")
    return table(header, rows)


def _of_questions(results: Results, backend: str, filled: Sequence[Filled]) -> list[str]:
    rows = []
    for name in QUESTIONS:
        found = [results.at(backend, name, str(one.size)) for one in filled]
        spread = [min(found[-1].seconds), max(found[-1].seconds)]
        growth = results.ratio_of((backend, name, "largest"), (backend, name, "smallest"))
        rows.append(
            [
                name,
                *(duration(one.median) for one in found),
                " .. ".join(map(duration, spread)),
                "-" if growth is None else f"{growth:.2f}",
            ]
        )
    sizes = [f"{one.size:,} bars" for one in filled]
    return table(["", *sizes, "min .. max of the largest", "growth"], rows)


def _of_plans(filled: Sequence[Filled]) -> list[str]:
    """Every plan at the largest size, and at the smallest where it is another one."""
    lines: list[str] = []
    for name, plan in filled[-1].plans.items():
        lines += [f"`{name}` at {filled[-1].size:,} bars:", "", "```", *plan, "```", ""]
        first = filled[0].plans[name]
        if _shape(first) != _shape(plan):
            lines += [f"`{name}` at {filled[0].size:,} bars:", "", "```", *first, "```", ""]
    return lines


def _shape(plan: Sequence[str]) -> list[str]:
    """A plan without its estimates."""
    return [line.partition("  (cost=")[0] for line in plan]


def as_markdown(
    results: Results,
    targets: Sequence[Reached],
    settings: Mapping[str, Mapping[str, str]],
    filled: Mapping[str, Sequence[Filled]],
    sizes: str,
) -> str:
    """The report of a run; ``sizes`` says whether they are those of the targets."""
    lines = ["# Growth with size", ""]
    lines += of_settings("machine and versions", machine())
    for backend, found in settings.items():
        lines += of_settings(backend, found)
    lines += [
        "- times are medians over the rounds, growth the median of the rounds' ratios of the largest "
        "size to the smallest; a history has as many bars at every size, a day has one of every ticker; "
        "every round asks for the same tickers and days, and one round came before",
        "",
        *of_targets(targets, sizes),
    ]
    for backend, databases in filled.items():
        lines += [f"## {backend}", "", *_of_sizes(databases)]
        lines += _of_questions(results, backend, databases)
        lines += ["### Plans", "", *_of_plans(databases)]
    if results.wrong:
        lines += ["## Wrong results", "", *(f"- {wrong}" for wrong in results.wrong), ""]
    return "\n".join(lines)


def as_json(
    results: Results,
    targets: Sequence[Reached],
    settings: Mapping[str, Mapping[str, str]],
    filled: Mapping[str, Sequence[Filled]],
) -> dict[str, Any]:
    """The same as an object."""
    return {
        "machine": machine(),
        "settings": settings,
        "databases": {
            backend: [
                {
                    "bars": one.size,
                    "tickers": len(one.symbols),
                    "days": len(one.days),
                    "holdings": one.holdings,
                    "bytes": one.disk,
                    "fill_seconds": one.fill_seconds,
                    "plans": one.plans,
                }
                for one in databases
            ]
            for backend, databases in filled.items()
        },
        "results": [result.as_dict() for result in results.found.values()],
        "targets": [asdict(target) | {"met": target.met} for target in targets],
        "wrong": results.wrong,
    }
