"""Histories of calls on both engines and a model; and that what is printed of them can be run."""

from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test

from tests.equivalence.engines import Engines
from tests.equivalence.machine import EngineMachine
from tests.equivalence.profiles import examples


def test_histories(engines: Engines) -> None:
    """Whatever is done, in whatever order, both engines and the model agree after each step."""

    class Machine(EngineMachine):
        pass

    Machine.engines = engines
    run_state_machine_as_test(Machine, settings=examples())
