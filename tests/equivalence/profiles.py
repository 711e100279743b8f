"""How hard Hypothesis tries: ``quick`` seconds, ``ci``, the default, minutes, ``thorough`` an hour.

``pytest tests/equivalence --hypothesis-profile=thorough`` chooses. What failed is kept in
``.hypothesis`` and tried first the next time; the blob that is printed reproduces it elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings

__all__ = ["DEFAULT", "examples", "register"]

DEFAULT: Final = "ci"

_SHARED: Final[dict[str, Any]] = {
    "deadline": None,  # machines differ, and a server may pause
    "print_blob": True,
    # Not explain: it runs a failing test many times more, to comment what is printed.
    "phases": (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
    "suppress_health_check": (HealthCheck.too_slow, HealthCheck.data_too_large),
}


def register() -> None:
    """Make the profiles known to Hypothesis."""
    settings.register_profile("quick", max_examples=6, stateful_step_count=20, **_SHARED)
    settings.register_profile("ci", max_examples=45, stateful_step_count=30, **_SHARED)
    settings.register_profile("thorough", max_examples=1500, stateful_step_count=50, **_SHARED)


def examples(share: float = 1.0) -> settings:
    """Settings with a share of the profile's examples: less for tests whose examples are dear."""
    chosen = settings.default
    assert chosen is not None
    return settings(chosen, max_examples=max(1, round(chosen.max_examples * share)))
