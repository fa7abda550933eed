"""The backtest asks for months to learn from and one to judge, at the least."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.build.request import require_sound
from pipeline.errors import ConfigurationError
from tasks.backtest import Backtest


def months(first: str, last: str, **parameters: Any) -> set[str]:
    """Which months are judged, by models of which age."""
    asked = Backtest(dates=f"{first}-{last}", **parameters).requires()
    return {name for name in asked if not name.startswith("scores of ")}


def test_each_month_is_judged_by_the_models_of_the_months_before() -> None:
    assert months("2013-01-01", "2013-06-01") == {
        "2013-04 by a model of age 1",
        "2013-05 by a model of age 1",
        "2013-05 by a model of age 2",
    }


@pytest.mark.parametrize(
    ("dates", "parameters", "says"),
    [
        ("2013-01-01-2013-04-01", {}, "found 3 whole months in .*, first_months = 3 .*; expected 4 months"),
        ("2013-01-02-2013-05-01", {}, "found 3 whole months"),
        ("2013-01-10-2013-01-20", {}, "found 0 whole months"),
        ("2013-01-01-2014-01-01", {"first_months": 12}, "expected 13 months or more"),
        ("2013-01-01-2014-01-01", {"first_months": 0}, "first_months = 0"),
        ("2013-01-01-2014-01-01", {"ages": 0}, "ages = 0; .* 1 or more of the others"),
    ],
)
def test_a_backtest_that_would_judge_nothing_is_refused(
    dates: str, parameters: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        require_sound(Backtest(dates=dates, **parameters))
