"""Golden rows: which they are, and that no other model answers them as the one that was released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError, NotReplayed
from pipeline.release import golden
from pipeline.values.contract import Column, Contract
from pipeline.values.digest import canonical_json, parse_json
from pipeline.values.frame import as_frame
from tests import released
from tests.strategies import reproducible, served_contracts, served_rows

ARROW = {
    "int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64(), "string": pa.string(),
    "bool": pa.bool_(), "date": pa.date32(), "instant": pa.timestamp("us", "UTC"),
}  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]], contract: Contract) -> pa.Table:
    schema = pa.schema([(column.name, ARROW[column.type]) for column in contract.columns])
    return pa.Table.from_pylist(list(rows), schema)


def chosen(rows: Sequence[Mapping[str, Any]], *columns: Column) -> list[dict[str, Any]]:
    """The rows at the edges of a contract."""
    contract = Contract(columns=columns)
    found, sampled = golden.choose(table(rows, contract), contract)
    return found[sampled:]


# Which rows.


@given(st.data())
@reproducible
def test_golden_rows_keep_the_contract_and_are_64_to_256(data: st.DataObject) -> None:
    contract = data.draw(served_contracts())
    rows, sampled = golden.choose(table(data.draw(served_rows(contract)), contract), contract)

    assert 64 <= sampled <= len(rows) <= 256
    as_frame(rows, contract)  # who breaks it is refused


@given(st.data())
@reproducible
def test_golden_rows_are_the_same_after_a_trip_through_a_file(data: st.DataObject) -> None:
    contract = data.draw(served_contracts())
    rows, sampled = golden.choose(table(data.draw(served_rows(contract)), contract), contract)
    kept = golden.keep(rows, sampled, np.zeros(len(rows)), contract)

    assert golden.rows_of(parse_json(canonical_json(kept)), contract) == rows


@pytest.mark.parametrize("count", [1, 2, 63, 64, 95, 96, 97, 5000])
def test_sampled_rows_are_spread_evenly_and_repeated_where_there_are_few(count: int) -> None:
    contract = Contract(columns=(Column("n", "int64"),))
    rows, sampled = golden.choose(table([{"n": n} for n in range(count)], contract), contract)

    seen = [row["n"] for row in rows[:sampled]]
    assert sampled == max(64, min(96, count))
    assert set(seen) == set(range(count)) if count <= 96 else seen == [n * count // 96 for n in range(96)]


def test_the_widest_contract_has_no_more_than_256() -> None:
    columns = [Column(f"c{n}", "float64", nullable=True, low=-n, high=n) for n in range(100)]

    assert len(chosen([{}] * 200, *columns)) == 160


def test_without_a_row_there_is_nothing_to_choose_from() -> None:
    with pytest.raises(DataError, match="judge on an interval with data"):
        chosen([], Column("n", "int64"))


def test_edges_are_nulls_unseen_texts_and_extremes() -> None:
    edges = chosen(
        [{"kind": "a", "at": "x", "size": 1.5, "count": 3}],
        Column("kind", "string"), Column("at", "string", among=("x", "y")),
        Column("size", "float64", nullable=True, low=-10, high=10), Column("count", "int64", low=0),
    )  # fmt: skip

    assert {row["kind"] for row in edges} == {"a", golden.UNSEEN}
    assert {row["at"] for row in edges} == {"x", "y"}
    assert {row["size"] for row in edges} >= {None, -10, 10}
    assert {row["count"] for row in edges} == {0, 3}


def test_a_column_of_nulls_has_edges_too() -> None:
    edges = chosen([{"size": None}], Column("size", "float64", nullable=True, high=-5))

    assert {row["size"] for row in edges} == {None, -5}


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-1e30, 1e30), (0.1, 0.1), (1.0, 1.0 + 1e-9), (1e300, 1.7e308), (3.0, 7.0)]
)
def test_one_edge_is_a_number_that_32_bits_can_not_hold(low: float, high: float) -> None:
    edges = chosen([{"size": low}], Column("size", "float64", low=low, high=high))

    with np.errstate(over="ignore"):
        assert [row["size"] for row in edges if float(np.float32(row["size"])) != row["size"]]
    assert all(low <= row["size"] <= high for row in edges)


def test_a_bound_that_leaves_no_choice_is_kept() -> None:
    edges = chosen([{"size": 1.0}], Column("size", "float64", high=1.0))

    assert {row["size"] for row in edges} == {1.0}


# Replay.

SIZES = Contract(columns=(Column("size", "float64", low=0, high=1e9),))


def keep(predict: Any, sampled: int = 70) -> dict[str, Any]:
    rows, sampled = golden.choose(table([{"size": n / 10} for n in range(sampled)], SIZES), SIZES)
    return golden.keep(rows, sampled, predict(rows), SIZES)


def as_size(rows: Sequence[Mapping[str, Any]]) -> Any:
    return as_frame(rows, SIZES)["size"].to_numpy()


def test_the_same_answers_replay_with_no_tolerance() -> None:
    golden.replay(as_size, keep(as_size), SIZES, 0.0)


@pytest.mark.parametrize(("off", "is_told"), [(0.9e-9, False), (1.1e-9, True)])
def test_the_tolerance_is_a_share_of_the_largest_prediction(off: float, is_told: bool) -> None:
    kept = keep(lambda rows: np.linspace(0, 1, len(rows)))
    replay = lambda: golden.replay(  # noqa: E731
        lambda rows: np.linspace(0, 1, len(rows)) + off * (np.arange(len(rows)) == len(rows) - 1),
        kept, SIZES, 1e-9,
    )  # fmt: skip

    if is_told:
        with pytest.raises(NotReplayed, match=r"golden row \d+ is predicted as 1\.\d+, expected 1\.0"):
            replay()
    else:
        replay()


def test_an_extreme_row_does_not_hide_what_happens_to_the_others() -> None:
    """The extreme is 1e9: a billionth of it is more than all that the other rows are predicted to be."""
    kept = keep(as_size)

    with pytest.raises(NotReplayed, match=r"golden row 0 .* \(69 of \d+ rows differ\)"):
        golden.replay(lambda rows: np.where(as_size(rows) < 10, 0.5, as_size(rows)), kept, SIZES, 1e-9)


@pytest.mark.parametrize(
    "predict",
    [
        lambda rows: np.float32(as_size(rows)).astype(np.float64),
        lambda rows: np.full(len(rows), np.nan),
        lambda rows: np.full(len(rows), np.inf),
        lambda rows: as_size(rows)[:-1],
        lambda rows: np.stack([as_size(rows)] * 2, axis=1),
    ],
    ids=["narrowed", "nan", "infinity", "too few", "two columns"],
)
def test_other_answers_do_not_replay(predict: Any) -> None:
    with pytest.raises(NotReplayed):
        golden.replay(predict, keep(as_size), SIZES, 1e-9)


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_an_answer_that_is_no_number_can_not_be_promised(answer: float) -> None:
    with pytest.raises(DataError, match=r"the model predicts (nan|inf) of \{'size': 0\.0\} \(1 such golden"):
        keep(lambda rows: np.where(np.arange(len(rows)) == 0, answer, 0.0))


def test_dates_and_instants_are_asked_for_as_they_were() -> None:
    contract = Contract(columns=(Column("day", "date"), Column("at", "instant", nullable=True)))
    rows: list[dict[str, Any]] = [
        {"day": date(2013, 5, 1), "at": datetime(2013, 5, 1, 23, 59, 59, 999999, UTC)},
        {"day": date(1900, 2, 28), "at": None},
    ]
    found, sampled = golden.choose(table(rows, contract), contract)

    def predict(asked: Any) -> Any:
        return as_frame(asked, contract)["at"].isna().to_numpy().astype(float)

    kept = parse_json(canonical_json(golden.keep(found, sampled, predict(found), contract)))

    golden.replay(predict, kept, contract, 0.0)
    assert golden.rows_of(kept, contract)[:2] == rows


@pytest.mark.parametrize("count", [1, 4])
def test_a_model_is_released_with_few_rows_of_nulls(count: int) -> None:
    from pipeline.release import served

    small = released.small()
    rows = released.rows(days=1, each=count)
    few = rows.set_column(rows.column_names.index("size"), "size", pa.nulls(count, pa.float64()))
    model = served.load(small).model

    bundle = released.assembled(model, few, small.json("metrics.json"), released.PROBLEM)

    served.prove(served.load(bundle), bundle)
    assert 64 <= len(bundle.json("golden.json")["rows"]) <= 256
