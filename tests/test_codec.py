"""Few formats, one for each kind of value, and none that runs code when it is read."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from sklearn.tree import DecisionTreeClassifier  # noqa: TID253

from pipeline.errors import FormatMismatch
from pipeline.values.codec import decode, encode
from pipeline.values.tally import Tally
from tests.mill import ROOT

TABLE = pa.table({"shop": ["a", "b"], "amount": [1, None]})


def test_a_table_rests_as_parquet() -> None:
    encoded = encode(TABLE)

    assert (encoded.codec, encoded.rows, encoded.data[:4]) == ("table/1", 2, b"PAR1")
    assert decode(encoded.codec, encoded.data) == TABLE


def test_a_pandas_frame_is_the_table_of_its_columns() -> None:
    frame = TABLE.to_pandas(types_mapper=pd.ArrowDtype)
    frame.index = [7, 9]

    assert encode(frame) == encode(TABLE)


def test_an_aggregate_rests_as_its_state_and_is_read_as_its_class() -> None:
    tally = Tally(("rows",), {("a",): (2,)})
    encoded = encode(tally)

    assert encoded.codec == "aggregate/1"
    assert decode(encoded.codec, encoded.data, Tally) == tally


def test_an_estimator_rests_as_skops() -> None:
    model = DecisionTreeClassifier(random_state=0).fit([[0.0], [1.0]], [0, 1])
    encoded = encode(model)

    assert (encoded.codec, encoded.data[:2]) == ("model/1", b"PK")
    assert list(decode(encoded.codec, encoded.data).predict([[0.9]])) == [1]


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "text", [1, "a"], {"a": {"b": [None]}}, []], ids=str)
def test_a_plain_value_rests_as_json(value: Any) -> None:
    encoded = encode(value)

    assert encoded.codec == "json/1"
    assert decode(encoded.codec, encoded.data) == value


@pytest.mark.parametrize(
    "value",
    [object(), {1: "a"}, {"a", "b"}, float("nan"), [lambda: 0], pa.array([1])],
    ids=["object", "number keys", "set", "nan", "function", "array"],
)
def test_what_can_not_be_kept_is_refused_with_what_can(value: object) -> None:
    with pytest.raises(
        TypeError, match=r"a build returned .*return an Arrow table, a pandas frame, a scikit"
    ):
        encode(value)


def test_a_codec_of_another_version_is_named() -> None:
    with pytest.raises(FormatMismatch, match=r"kept as 'table/2', which this version can't read"):
        decode("table/2", b"")


def test_a_plain_value_is_kept_without_any_library() -> None:
    program = "import sys; from pipeline.values.codec import encode; encode({'a': [1]}); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"pyarrow", "pandas", "numpy", "sklearn", "skops"} & set(loaded)
