"""Every parser of bytes from outside, fed with bytes that are almost right: it reads them or says why not.

`python -m tests.torture.fuzzing --count 1000000 --seed 1` tries each parser its share of times. What raises
anything but an error that the parser is known to refuse with is told with the seed and number that make it
again (`--parser NAME --number N`). Native parsers are tried in a child with limits of memory and time, which
may die: that is told and counted, and the rest goes on.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import mmap
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random  # noqa: TID251 - its seed is printed

from tests.torture.parsers import Parser, parsers

BATCH = 1000
"""So many tries a child makes before the next one is forked: then it is known how many it made."""
MEMORY_BYTES = 3 << 30
SECONDS = 60
_TOLD = 20
"""So many failures are told in full."""


def case(parser: Parser, seed: int, number: int) -> bytes:
    """The bytes of one try: the same for the same seed and number."""
    draw = Random(f"{seed} {parser.name} {number}")
    return parser.mutate(draw.choice(parser.corpus), draw)


def attempt(parser: Parser, seed: int, number: int) -> str:
    """What became of one try: read, refused, or the traceback of what nobody had foreseen."""
    data = case(parser, seed, number)
    try:
        parser.read(data)
    except parser.refuses_with:
        return "refused"
    except Exception:
        return f"{parser.name} number {number}, seed {seed}: {data[:300]!r}\n{traceback.format_exc()}"
    return "read"


def fuzz(parser: Parser, numbers: range, seed: int) -> Counter[str]:
    """Try a parser; how often it read, refused, met what nobody foresaw, or died."""
    found: Counter[str] = Counter()
    outcomes = _in_children(parser, numbers, seed) if parser.is_native else _here(parser, numbers, seed)
    for outcome in outcomes:
        word = outcome if outcome in ("read", "refused") else outcome.partition(":")[0]
        word = word if word in ("read", "refused", "died") else "unhandled"
        found[word] += 1
        if word in ("unhandled", "died") and found["unhandled"] + found["died"] <= _TOLD:
            print(outcome, file=sys.stderr, flush=True)
    return found


def _here(parser: Parser, numbers: range, seed: int) -> Iterator[str]:
    return (attempt(parser, seed, number) for number in numbers)


def _in_children(parser: Parser, numbers: range, seed: int) -> Iterator[str]:
    at = 0
    while at < len(numbers):
        batch = numbers[at : at + BATCH]
        outcomes, ended = _in_child(parser, batch, seed)
        yield from outcomes
        at += len(outcomes)
        if ended:
            yield f"died: {parser.name} number {numbers[at]}, seed {seed}: {ended}"
            at += 1


def _in_child(parser: Parser, numbers: range, seed: int) -> tuple[list[str], str]:
    """What became of tries in a child; of one that ends it, how it ended."""
    sys.stdout.flush(), sys.stderr.flush()
    reading, writing = os.pipe()
    counter = mmap.mmap(-1, 8)
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(parser, numbers, seed, writing, counter)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read().decode(errors="replace").split("\0")[:-1]
    _, status = os.waitpid(child, 0)
    done = int.from_bytes(counter[:8], "little")
    code = os.waitstatus_to_exitcode(status)
    return told[:done], "" if code == 0 else signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _be_child(parser: Parser, numbers: range, seed: int, end: int, counter: mmap.mmap) -> None:
    """Make the tries, telling each as it is done, and end."""
    code = 70
    faulthandler.disable()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for done, number in enumerate(numbers, start=1):
            signal.alarm(SECONDS)
            told = attempt(parser, seed, number).replace("\0", "") + "\0"
            os.write(end, told.encode(errors="replace"))
            counter[:8] = done.to_bytes(8, "little")
        code = 0
    finally:
        os._exit(code)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the product says of the damage that it is given."""
    log = logging.getLogger("headrace")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Try all parsers in turn for as long as the budget lasts: how often, and what came of it."""
    every, found, number = parsers(), Counter(read=0, refused=0, unhandled=0, died=0), 0
    until = time.monotonic() + budget_seconds
    with _quiet():
        while time.monotonic() < until:
            for parser in every:
                share = BATCH if parser.is_native else BATCH * parser.weight // 2
                found += fuzz(parser, range(number, number + share), seed)
                found["executions"] += share
            number += 6 * BATCH
    return {"executions": 0, "read": 0, "refused": 0, "unhandled": 0, "died": 0, **found}


def shares(every: Sequence[Parser], count: int) -> dict[str, int]:
    """How often each parser is tried of so many tries in all."""
    total = sum(parser.weight for parser in every)
    return {parser.name: -(-count * parser.weight // total) for parser in every}


def main(words: Sequence[str] | None = None) -> int:
    """Fuzz as asked, and tell the counts; 1 where something was not handled."""
    asked = argparse.ArgumentParser(prog="python -m tests.torture.fuzzing")
    asked.add_argument("--count", type=int, default=100_000, help="how many tries in all")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--parser", help="this one alone")
    asked.add_argument("--number", type=int, help="this try alone, to see it again")
    options = asked.parse_args(words)
    every = [parser for parser in parsers() if options.parser in (None, parser.name)]
    total: Counter[str] = Counter()
    for parser in every:
        tries = shares(every, options.count)[parser.name]
        numbers = range(tries) if options.number is None else range(options.number, options.number + 1)
        with _quiet():
            found = fuzz(parser, numbers, options.seed)
        total += found
        counts = ", ".join(f"{number:,} {word}" for word, number in sorted(found.items()))
        print(f"{parser.name:28} {sum(found.values()):>9,}  {counts}", flush=True)
    print(f"seed {options.seed}: {sum(total.values()):,} executions, {dict(total)}")
    return 1 if total["unhandled"] else 0


if __name__ == "__main__":
    sys.exit(main())
