"""A check is a bound on a named number."""

import math

import pytest

from pipeline.errors import ConfigurationError
from pipeline.values.check import Check


@pytest.mark.parametrize(
    ("observed", "status", "why"),
    [
        (0.0, "pass", "share is 0, within 0 to 0.05"),
        (0.05, "pass", "share is 0.05, within 0 to 0.05"),
        (0.051, "fail", "share is 0.051, above 0.05"),
        (-1.0, "fail", "share is -1, below 0"),
        (math.inf, "fail", "share is inf, above 0.05"),
    ],
)
def test_both_bounds_belong_to_the_allowed_range(observed: float, status: str, why: str) -> None:
    outcome = Check("share", low=0, high=0.05).apply(observed)

    assert (status, why) == (outcome.status, outcome.why)
    assert ("share", observed, "0 to 0.05") == (outcome.name, outcome.observed, outcome.bound)


@pytest.mark.parametrize(
    ("check", "bound"),
    [
        (Check("rows", low=1), "at least 1"),
        (Check("rows", high=9), "at most 9"),
        (Check("rows"), "any number"),
    ],
)
def test_an_open_bound_is_said_in_words(check: Check, bound: str) -> None:
    assert bound == check.apply(3).bound
    assert check.apply(3).status == "pass"


def test_a_warning_check_warns_where_another_fails() -> None:
    assert Check("PSI", high=0.2, severity="warn").apply(0.3).status == "warn"
    assert Check("PSI", high=0.2, severity="warn").apply(0.1).status == "pass"


@pytest.mark.parametrize("unobserved", [None, math.nan])
@pytest.mark.parametrize("check", [Check("AUC"), Check("AUC", low=0.6, severity="warn")])
def test_a_number_that_was_not_observed_fails(check: Check, unobserved: float | None) -> None:
    outcome = check.apply(unobserved)

    assert (outcome.status, outcome.why) == ("fail", "AUC was not observed")


def test_a_check_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="low 2 lies above high 1"):
        Check("x", low=2, high=1)
    with pytest.raises(ConfigurationError, match="a bound is NaN"):
        Check("x", low=math.nan)
    with pytest.raises(ConfigurationError, match="severity 'loud' is neither"):
        Check("x", severity="loud")  # type: ignore[arg-type]
