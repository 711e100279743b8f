"""Histories of calls on both engines and a model; and that what is printed of them can be run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.equivalence import machine
from tests.equivalence.engines import Engines
from tests.equivalence.machine import EngineMachine
from tests.equivalence.model import AGGREGATES
from tests.equivalence.pool import bad_questions, bad_rows
from tests.equivalence.profiles import examples

SCRIPT_NAMES = {name: getattr(machine, name) for name in machine.__all__}
"""What ``from tests.equivalence.machine import *`` gives."""


def test_histories(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done, in whatever order, both engines and the model agree after each step."""
    monkeypatch.setattr(EngineMachine, "engines", engines)
    run_state_machine_as_test(EngineMachine, settings=examples(0.5))


class WithoutBars(EngineMachine):
    """A machine that holds, in error, that there are never bars."""

    @invariant()
    def there_are_no_bars(self) -> None:
        """Fail once bars were written."""
        assert not self.rows.market, "there are bars"


def _printed(error: BaseException) -> str:
    """The script in what Hypothesis says about a failure."""
    lines = [line for note in error.__notes__ for line in note.splitlines()]
    first = next(number for number, line in enumerate(lines) if line.startswith("state = "))
    last = next(number for number, line in enumerate(lines) if line.startswith("state.teardown"))
    return "\n".join(lines[first : last + 1])


def test_the_printed_script_fails_the_same(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls that are printed of a failure are Python, and fail in the same way."""
    monkeypatch.setattr(EngineMachine, "engines", engines)
    once = settings(
        examples(), max_examples=100, stateful_step_count=15, phases=[Phase.generate], database=None
    )
    with pytest.raises(AssertionError, match="there are bars") as failed:
        run_state_machine_as_test(WithoutBars, settings=once)
    names = {**SCRIPT_NAMES, "WithoutBars": WithoutBars}
    with pytest.raises(AssertionError, match="there are bars"):
        exec(_printed(failed.value), names)  # noqa: S102  # what is tested
    names["state"].teardown()


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_bad_rows_print_as_python(aggregate: str) -> None:
    """A bad row in a printed script is the bad row."""
    for row in bad_rows(aggregate):
        assert repr(eval(repr(row), dict(SCRIPT_NAMES))) == repr(row)  # noqa: S307  # what is tested


def test_bad_arguments_print_as_python() -> None:
    """A bad argument in a printed script is the bad argument."""
    for question in bad_questions():
        made: Any = eval(repr(question), dict(SCRIPT_NAMES))  # noqa: S307  # what is tested
        assert repr(made) == repr(question)
