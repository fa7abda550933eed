"""What a build may hand back besides a bare value: an account of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

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


class Made(NamedTuple):
    """What came of one build, with its rows counted."""

    value: object
    rows_in: int | None = None
    rows_out: int | None = None
    rejected: pa.Table | None = None
    filtered: Mapping[str, int] = MappingProxyType({})

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
    from pipeline.values.codec import as_table, is_tabular

    declared = result if isinstance(result, Conserved) else Conserved(result)
    value = as_table(declared.value) if is_tabular(declared.value) else declared.value
    out = getattr(value, "num_rows", None) if declared.used is None else declared.used
    made = Made(value, rows_in, out, declared.rejected, declared.filtered)
    if declared is result:
        _require_conserved(made)
    return made


def _require_conserved(made: Made) -> None:
    rejected = made.rejected.num_rows if made.rejected is not None else 0
    left_out = rejected + sum(made.filtered.values())
    if made.rows_in is None or made.rows_out is None or made.rows_in != made.rows_out + left_out:
        raise DataError(
            f"rows don't add up: {made.rows_in} in, but {made.rows_out} out + {rejected} rejected + "
            f"{dict(made.filtered)} filtered; count what the build leaves out in Conserved(filtered=...)"
        )
