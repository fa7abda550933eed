"""What a build may hand back besides a bare value: an account of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Conserved:
    """A value with an account of the rows of the task's first input: in = out + rejected + filtered.

    The framework holds the account to the row. `filtered` counts by reason what was left out on purpose,
    `rejected` holds what can't be used (a table with a column `reason`), and goes to the quarantine.
    `used` is for a value that isn't a table: how many rows went into it.
    """

    value: object
    filtered: Mapping[str, int] = field(default_factory=dict)
    rejected: pa.Table | None = None
    used: int | None = None


@dataclass(frozen=True)
class Made:
    """What came of one build, with its rows counted."""

    value: object
    rows_in: int | None = None
    rows_out: int | None = None
    rejected: pa.Table | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> dict[str, object]:
        """The account as a record keeps it."""
        return {
            "in": self.rows_in,
            "out": self.rows_out,
            "rejected": self.rejected.num_rows if self.rejected is not None else 0,
            "filtered": dict(self.filtered),
        }


def account(result: object, rows_in: int | None) -> Made:
    """Count a build's rows; DataError where a declared account does not add up."""
    if not isinstance(result, Conserved):
        return Made(result, rows_in, getattr(result, "num_rows", None))
    out = getattr(result.value, "num_rows", None) if result.used is None else result.used
    made = Made(result.value, rows_in, out, result.rejected, result.filtered)
    rejected = result.rejected.num_rows if result.rejected is not None else 0
    if rows_in is None or out is None or rows_in != out + rejected + sum(result.filtered.values()):
        raise DataError(
            f"rows don't add up: {rows_in} in, but {out} out + {rejected} rejected + "
            f"{dict(result.filtered)} filtered; count what the build leaves out in Conserved(filtered=...)"
        )
    return made
