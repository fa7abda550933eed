"""The ends of columns, of every type that has them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.errors import DataError
from pipeline.values.digest import canonical_json, parse_json
from pipeline.values.extremes import Extreme, Extremes

TABLE = pa.table(
    {
        "number": pa.array([3, None, -4], pa.int8()),
        "text": pa.array(["b", "é", "a"], pa.dictionary(pa.int8(), pa.string())),
        "day": pa.array([date(2026, 3, 1), None, date(2025, 12, 31)]),
        "at": pa.array([datetime(2026, 3, 1, 12, tzinfo=UTC)] * 3).cast(pa.timestamp("ns", "Europe/Berlin")),
        "none": pa.array([None, None, None], pa.int64()),
    }
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_ends_of_each_type() -> None:
    found = Extremes.of(TABLE, TABLE.column_names)

    assert found.columns == {
        "number": Extreme("integer", -4, 3),
        "text": Extreme("text", "a", "é"),
        "day": Extreme("date", date(2025, 12, 31), date(2026, 3, 1)),
        "at": Extreme("instant", NOON, NOON),
        "none": Extreme("integer", None, None),
    }
    assert Extremes.from_state(parse_json(canonical_json(found.state()))) == found
    assert found.digest().short == "2df67a8d693e"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (pa.array([1.5]), "is double, expected"),
        (pa.array([datetime(2026, 3, 1)]), "time zone"),  # noqa: DTZ001 - what is refused
        (pa.array([1], pa.timestamp("ns", "UTC")), "beyond microseconds"),
    ],
)
def test_other_columns_are_refused(values: Any, why: str) -> None:
    with pytest.raises(DataError, match=why):
        Extremes.of(pa.table({"x": values}), ["x"])


def test_columns_of_other_types_do_not_merge() -> None:
    one, other = (Extremes.of(pa.table({"x": [value]}), ["x"]) for value in (1, "a"))
    with pytest.raises(ValueError, match="integer and text"):
        one.merge(other)
