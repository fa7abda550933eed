"""A short slice of the fuzzing; and the fuzzer: it sees what is not handled, outlives deaths, repeats."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from pipeline.errors import DataError
from tests.torture import fuzzing, mutation
from tests.torture.parsers import Parser, parsers

EVERY = {parser.name: parser for parser in parsers()}
SEED = 7


@pytest.mark.parametrize("name", EVERY)
def test_a_parser_reads_what_is_right(name: str) -> None:
    """Else its right inputs would be refused from the start, and nothing behind that be reached."""
    parser = EVERY[name]
    if name == "manifest, not signed":
        return
    for data in parser.corpus:
        parser.read(data)


@pytest.mark.parametrize("name", EVERY)
def test_a_parser_handles_what_is_almost_right(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = EVERY[name]

    found = fuzzing.fuzz(parser, range(10 if parser.is_native else 60), SEED)

    assert found["unhandled"] == 0, capsys.readouterr().err
    assert sum(found.values()) == (10 if parser.is_native else 60)


def test_a_try_is_the_same_for_the_same_seed_and_number() -> None:
    for parser in EVERY.values():
        made = [fuzzing.case(parser, SEED, number) for number in range(3)]

        assert made == [fuzzing.case(parser, SEED, number) for number in range(3)]
    assert fuzzing.case(EVERY["record"], 1, 1) != fuzzing.case(EVERY["record"], 2, 1)


def test_most_tries_are_other_bytes_than_the_right_ones() -> None:
    for parser in EVERY.values():
        made = {fuzzing.case(parser, SEED, number) for number in range(50)}

        assert len(made - {*parser.corpus}) > 25, parser.name


def flawed(act: Callable[[bytes], object], is_native: bool) -> Parser:
    return Parser("flawed", act, [b"abcdef"], mutation.of_bytes, (DataError,), is_native)


@pytest.mark.parametrize("is_native", [False, True])
def test_what_is_not_handled_is_told_with_what_makes_it_again(
    is_native: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(data: bytes) -> None:
        raise KeyError("nobody thought of that")

    found = fuzzing.fuzz(flawed(fail, is_native), range(3), SEED)

    assert found == {"unhandled": 3}
    assert "flawed number 2, seed 7: b'" in capfd.readouterr().err


def test_a_child_that_dies_is_counted_and_the_next_tries_are_made(capfd: pytest.CaptureFixture[str]) -> None:
    deaths = {fuzzing.case(flawed(bytes, True), SEED, number) for number in (2, 5)}

    def die(data: bytes) -> None:
        if data in deaths:
            os.kill(os.getpid(), signal.SIGSEGV)
        raise DataError("no")

    found = fuzzing.fuzz(flawed(die, True), range(9), SEED)

    assert found == {"refused": 7, "died": 2}
    assert "died: flawed number 5, seed 7: SIGSEGV" in capfd.readouterr().err


@pytest.mark.thorough
def test_a_campaign_counts_what_it_did() -> None:
    found = fuzzing.campaign(1.0, SEED)

    assert found["executions"] == sum(found[word] for word in ("read", "refused", "unhandled", "died"))
    assert found["executions"] > 0
    assert found["unhandled"] == 0
