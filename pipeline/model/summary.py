"""The three kinds of summaries of what a model said, behind one name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.model.binary import Binary
from pipeline.model.classes import Classes
from pipeline.model.regression import Regression

Summary = Binary | Classes | Regression

_KINDS: dict[str, type[Binary] | type[Classes] | type[Regression]] = {
    kind.kind: kind for kind in (Binary, Classes, Regression)
}


def from_state(kind: str, state: Sequence[Any]) -> Summary:
    """Read what the `state` of a summary of some kind gave."""
    return _KINDS[kind].from_state(state)
