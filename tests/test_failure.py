"""What a failure says: an expected one its own words, any other also the line of the user's code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.build import failure
from pipeline.errors import DataError
from pipeline.values.digest import parse_json


@dataclasses.dataclass
class Named:
    name: str


def raised(call: Callable[[], Any]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError(f"{call} raised nothing")


def compiled() -> None:
    pa.table({"a": [1]})["b"]


def interpreted() -> None:
    json.loads("{")


def framework() -> None:
    parse_json(b"{")


def generated() -> None:
    Named()  # type: ignore[call-arg]


@pytest.mark.parametrize("call", [compiled, interpreted, framework, generated])
def test_the_place_is_the_users_line_and_not_the_librarys(call: Callable[[], None]) -> None:
    line = call.__code__.co_firstlineno + 1

    assert failure.cause(raised(call)).endswith(f" (test_failure.py:{line} in {call.__name__})")


def test_an_expected_failure_says_all_by_itself() -> None:
    def refuse() -> None:
        raise DataError("sales.csv is empty; drop it again")

    assert failure.fields(raised(refuse))["expected"]
    assert failure.cause(raised(refuse)) == "DataError: sales.csv is empty; drop it again"


def test_what_was_noted_on_its_way_is_told_beside_the_place() -> None:
    def refuse() -> None:
        error = DataError("sales.csv is empty")
        error.add_note("in the step of 2013-05-01")
        raise error

    assert failure.cause(raised(refuse)) == "DataError: sales.csv is empty (in the step of 2013-05-01)"


def test_an_error_without_words_is_its_name() -> None:
    assert failure.cause(AssertionError()) == "AssertionError"


def test_an_error_that_passed_no_code_of_the_user_has_no_place() -> None:
    error = ValueError("x")
    with pytest.raises(ValueError, match="x"):
        exec(compile("raise error", "<string>", "exec"), {"error": error, "__name__": "generated"})
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next

    assert failure.cause(error) == "ValueError: x"
