"""A check: a bound on a named number, and what came of it.

A contract's rule, a release gate and a monitoring alert are all this one thing. Pure: it knows
neither where the number came from nor what a failure leads to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipeline.errors import ConfigurationError

Severity = Literal["fail", "warn"]
Status = Literal["pass", "warn", "fail"]


class Outcome(NamedTuple):
    """What a check found: *bound* is what was asked, *why* one sentence for people."""

    name: str
    status: Status
    observed: float | None
    bound: str
    why: str


@dataclass(frozen=True)
class Check:
    """A named number must lie in [*low*, *high*]; both ends belong to it, None means open.

    A number outside gets the *severity* as its status. A number that could not be had (None, NaN)
    always fails, warning or not: nobody may take "we did not look" for "it was fine".

    >>> Check("AUC", low=0.65).apply(0.71).status
    'pass'
    >>> Check("AUC", low=0.65).apply(0.6).why
    'AUC is 0.6, below 0.65'

    Raises:
        ConfigurationError: a bound is NaN, the bounds cross, or the severity is unknown.
    """

    name: str
    low: float | None = None
    high: float | None = None
    severity: Severity = "fail"

    def __post_init__(self) -> None:
        if any(bound is not None and math.isnan(bound) for bound in (self.low, self.high)):
            raise ConfigurationError(f"check {self.name}: a bound is NaN; give a number or None")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ConfigurationError(
                f"check {self.name}: low {self.low} lies above high {self.high}; swap them"
            )
        if self.severity not in ("fail", "warn"):
            raise ConfigurationError(
                f"check {self.name}: severity {self.severity!r} is neither 'fail' nor 'warn'"
            )

    @property
    def bound(self) -> str:
        """The bound in words: "at least 1", "at most 0.05", "0 to 1", or "any number"."""
        if self.low is not None and self.high is not None:
            return f"{self.low:.6g} to {self.high:.6g}"
        if self.low is not None:
            return f"at least {self.low:.6g}"
        if self.high is not None:
            return f"at most {self.high:.6g}"
        return "any number"

    def apply(self, observed: float | None) -> Outcome:
        """Judge the *observed* number."""
        if observed is None or math.isnan(observed):
            return self._outcome("fail", observed, "was not observed")
        if self.low is not None and observed < self.low:
            return self._outcome(self.severity, observed, f"below {self.low:.6g}")
        if self.high is not None and observed > self.high:
            return self._outcome(self.severity, observed, f"above {self.high:.6g}")
        return self._outcome("pass", observed, f"within {self.bound}")

    def _outcome(self, status: Status, observed: float | None, verdict: str) -> Outcome:
        seen = observed is not None and not math.isnan(observed)
        why = f"{self.name} is {observed:.6g}, {verdict}" if seen else f"{self.name} {verdict}"
        return Outcome(self.name, status, observed, self.bound, why)
