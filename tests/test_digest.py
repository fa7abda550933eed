"""A value's digest is its identity: what enters it, what doesn't, and the literals that pin it."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
import time
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given

from pipeline.values.digest import (
    Digest,
    canonical_json,
    digest_bytes,
    digest_value,
    parse_json,
)
from tests.strategies import json_values, plain_values

EMPTY = Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

# An accidental change of any of these makes every record of every store unreachable.
GOLDEN: list[tuple[object, str]] = [
    (None, "81de21bfd831"),
    (False, "c67bb18c7402"),
    (True, "9592ed8579f9"),
    (0, "0d08aa4b55ae"),
    (1, "e703f1de7814"),
    (-129, "c4ae0306322d"),
    (2**70, "0f861bc1043d"),
    (0.0, "eb67aaa84798"),
    (-0.0, "58ba0aae74ca"),
    (1.5, "c26adbc59404"),
    (float("nan"), "e4c4e7431ced"),
    ("", "28583edfe545"),
    ("é", "e2e5a6366a36"),
    (b"\0", "382b30ea2703"),
    (date(2013, 5, 1), "1af3e7b1e5a2"),
    (datetime(2013, 5, 1, 12, tzinfo=UTC), "0ac5832faba2"),
    (timedelta(days=1), "693263fff9ee"),
    (Decimal("12.50"), "31949a844136"),
    (Decimal("-0"), "6c74423400fd"),
    (EMPTY, "90dd8da2fc39"),
    ([], "f0de221ea11a"),
    ({}, "e08d796c35e7"),
    (set(), "26c6dc16f460"),
    (("a", [1, 2]), "101a5b135b6f"),
    ({"b": 1, "a": [None]}, "413af0938854"),
    ({"x", "y"}, "658cc1abb1f5"),
]


class Colour(IntEnum):
    RED = 1


def test_a_blobs_digest_is_what_sha256sum_prints() -> None:
    assert digest_bytes(b"headrace").hex == hashlib.sha256(b"headrace").hexdigest()
    assert digest_bytes(b"") == EMPTY


def test_a_digest_reads_back_and_has_a_short_form() -> None:
    assert Digest.parse(str(EMPTY)) == EMPTY
    assert EMPTY.short == "e3b0c44298fc"
    assert type(copy.copy(EMPTY)) is Digest


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", EMPTY.hex, EMPTY + "\n", EMPTY.upper(), "md5:" + EMPTY.hex, EMPTY[:-1], None],
)
def test_other_text_is_not_a_digest(text: Any) -> None:
    with pytest.raises(ValueError, match="expected 'sha256:' and 64 hexadecimal digits"):
        Digest.parse(text)


@pytest.mark.parametrize(("value", "expected"), GOLDEN)
def test_golden(value: object, expected: str) -> None:
    assert digest_value(value).short == expected


NOON = datetime(2013, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, [2]), [1, (2,)]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2, 3}, frozenset([3, 2, 1])),
        (float("nan"), -float("nan")),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal(100), Decimal("1E+2")),
        (Decimal(10) ** 40 + 1, Decimal(10) ** 40 + Decimal("1.0")),
        (NOON, NOON.astimezone(timezone(timedelta(hours=-4)))),
    ],
)
def test_equal_values_have_equal_digests(one: object, other: object) -> None:
    assert digest_value(one) == digest_value(other)


def test_values_that_differ_have_different_digests() -> None:
    values: list[object] = [
        None, False, True, 0, 1, -1, 255, 256, 2**64, -(2**64), 0.0, -0.0, 1.0, float("inf"),
        "", "1", "é", "e\u0301", b"", b"1", Decimal(1), Decimal("-0"), Decimal(0), Decimal("NaN"),
        Decimal("Infinity"), Decimal("-Infinity"), date(2013, 5, 1), "2013-05-01", NOON,
        NOON + timedelta(microseconds=1), timedelta(1), timedelta(microseconds=1), EMPTY,
        str(EMPTY), [], {}, set(), [[]], [None], ["ab"], ["a", "b"], ["a", ["b"]], [["a"], "b"], {"a": 1},
        {"a": "1"}, {1: "a"}, {"a", "b"}, [1, 2], [2, 1],
    ]  # fmt: skip
    assert len({digest_value(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), r"^value has no digest: found builtins\.object"),
        ({"a": [1, {2: object()}]}, r"^value\['a'\]\[1\]\[2\] has no digest"),
        ([{object()}], r"^value\[0\]\{\.\.\.\} has no digest"),
        ([datetime(2013, 5, 1)], r"^value\[0\] .* naive datetime 2013-05-01"),  # noqa: DTZ001
        (["\ud800"], r"^value\[0\] .* not Unicode text"),
        (Colour.RED, "Colour"),
        (OrderedDict(a=1), "OrderedDict"),
    ],
)
def test_anything_else_is_refused_with_its_place(value: object, place: str) -> None:
    with pytest.raises(TypeError, match=place):
        digest_value(value)


@given(plain_values(), plain_values())
def test_two_values_share_a_digest_only_if_they_are_equal(one: object, other: object) -> None:
    if digest_value(one) == digest_value(other):
        assert one == other


def test_a_digest_does_not_depend_on_the_process() -> None:
    code = (
        "from pipeline.values.digest import digest_value as d;"
        "print(d({'b', 'a', 'c', ('x', 1.5)}), d({'z': 1, 'y': {'q', 'p'}}))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


def test_a_year_of_keys_costs_milliseconds() -> None:
    key = {"family": "Daily", "day": date(2013, 5, 1), "inputs": {"x": EMPTY}, "code": EMPTY}

    def year() -> float:
        start = time.process_time()
        for number in range(365):
            digest_value({**key, "number": number})
        return time.process_time() - start

    assert min(year() for _ in range(5)) < 0.010


def test_digests_cost_no_heavy_import() -> None:
    code = (
        "import sys, pipeline.values.digest;"
        "print(*{'numpy', 'pyarrow', 'pandas', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b""


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": (1, 2.5), "a": {"é": None}}) == ('{"a":{"é":null},"b":[1,2.5]}\n'.encode())


@given(json_values())
def test_canonical_json_reads_back(value: object) -> None:
    assert parse_json(canonical_json(value)) == value


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}, "\ud800"], ids=repr)
def test_json_refuses_what_it_cannot_say(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON compliant|surrogates not allowed"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: 2}, [{"a": {None: 1}}], {True: 1}, {b"a"}, b"a"], ids=repr)
def test_json_refuses_other_types(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1,"a":1}\n', "a key twice"),
        (b"NaN\n", "NaN"),
        (b"[Infinity]\n", "Infinity"),
        (b"1e400\n", "not JSON compliant"),
        (b'{"b":1,"a":2}\n', "canonical"),
        (b'{"a": 1}\n', "canonical"),
        (b"[1.50]\n", "canonical"),
        (b'"\\u00e9"\n', "canonical"),
        (b"[]", "canonical"),
        (b"[]\n\n", "canonical"),
        (b"\xff\n", "decode"),
        (b"", "Expecting value"),
        (b"[" * 100_000, "nested more than 100 levels"),
    ],
)
def test_strict_json_refuses(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json(data)
