"""Sixteen processes on one store at once: commits of the same and of other keys, claims, flips of one alias.

Each round forks processes that begin at the same moment; each tells what it did and when, by the clock of the
machine. What they told, and what the store then holds, is judged: one winner of each key, whom the losers
adopt; one build of each partition where the builders see each other, and never a wrong one; an alias without
a gap, whose history is linearizable. What is tried follows from the seed, how it interleaves does not.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random  # noqa: TID251 - its seed is printed
from typing import Any, NamedTuple

from pipeline.build.claim import LIFETIME_S, Claims
from pipeline.clock import Clock, system_clock
from pipeline.errors import AliasMoved
from pipeline.release.registry import Registry
from pipeline.release.signing import Signer, Trust, generate
from pipeline.store.remote import open_storage
from pipeline.store.repository import Commit, Draft, Repository
from pipeline.values.bundle import FILES, Bundle
from pipeline.values.digest import Digest, digest_bytes, digest_value
from tests import seaweed
from tests.torture.linear import APPEND, EMPTY, READ, REFUSED, Operation, alias, is_linearizable

PROCESSES = 16
PROCESSES_IN_A_BUCKET = 4
KEYS = 6
"""Contested by all processes of a round."""
FLIPS = 3
"""Each process tries so many: each reads, and verifies, all generations before."""
ALIAS = "a"
_PAUSE_S = 0.001
"""Who waits for another asks again so soon."""
VIOLATIONS = ("wrong", "lost", "built_twice", "not_linearizable", "unforeseen")

Told = dict[str, Any]


class Place(NamedTuple):
    """Where a round happens: the address of a store of its own, and the key that signs releases."""

    store: str
    key: Path

    @property
    def repository(self) -> Repository:
        """The store's records."""
        return Repository(open_storage(self.store))

    @property
    def registry(self) -> Registry:
        """Who may append generations."""
        return Registry(open_storage(self.store), Trust.load(Path(f"{self.key}.pub")), Signer.load(self.key))


class Child:
    """A forked process that does one thing, and tells of it in one line of JSON at its end."""

    def __init__(self, act: Callable[[], object], start: tuple[int, int] | None = None) -> None:
        self._out, end = os.pipe()
        gc.freeze()
        self.pid = os.fork()
        if not self.pid:
            os._exit(_carry_out(act, start, end))
        os.close(end)

    def end(self) -> Any:
        """What it told; None where it came to no good end, of which it has said why."""
        with open(self._out, "rb") as out:
            told = out.read()
        _, status = os.waitpid(self.pid, 0)
        return json.loads(told) if status == 0 else None


def _carry_out(act: Callable[[], object], start: tuple[int, int] | None, end: int) -> int:
    try:
        if start is not None:
            os.close(start[1])
            os.read(start[0], 1)  # until nobody has the other end open any more: all are forked
        told = memoryview(json.dumps(act()).encode())
        while told:
            told = told[os.write(end, told) :]
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0


def together(acts: Sequence[Callable[[], object]]) -> list[Any]:
    """What processes tell that began at one moment."""
    start = os.pipe()
    children = [Child(act, start) for act in acts]
    for end in start:
        os.close(end)
    return [child.end() for child in children]


# Commits.


def draft(key: Digest, writer: int, value: str) -> Draft:
    """A record that names its writer, and a value."""
    data, environment = value.encode(), b"an environment"
    blob, shared = digest_bytes(data), digest_bytes(environment)
    output = {"digest": blob, "blob": blob, "size_bytes": len(data), "codec": "json/1", "rows": None}
    recipe: dict[str, Any] = {
        "task": "Torture", "step": "build", "partition": "all", "code": shared, "parameters": {},
        "file": None, "inputs": {},
    }  # fmt: skip
    body = {
        "recipe": recipe, "outputs": {"value": output}, "reason": ["never built"], "environment": shared,
        "rows": {"in": None, "out": None, "rejected": 0, "filtered": {}}, "run": f"writer-{writer}",
        "seconds": 0.0, "started_at": "2013-05-01T00:00:00+00:00",
    }  # fmt: skip
    return Draft(key, body, {blob: data, shared: environment})


def _told(commit: Commit) -> Told:
    record = commit.record
    return {
        "key": record.key, "run": record.body["run"], "value": record.outputs["value"]["digest"],
        "attempt": record.attempt, "is_ours": commit.is_ours, "differs": commit.differs,
    }  # fmt: skip


def _committing(place: Place, drafts: Sequence[Sequence[Draft]]) -> list[Told]:
    repository = place.repository
    return [_told(commit) for group in drafts for commit in repository.commit(group)]


def commits(place: Place, processes: int, draw: Random) -> Counter[str]:
    """All commit some keys that are everyone's, in one group or several, and one that is theirs alone."""
    shared = [digest_value(["shared", draw.random()]) for _ in range(KEYS)]
    agree = {key: draw.random() < 0.5 for key in shared}
    tries = []
    for writer in range(processes):
        keys = [*draw.sample(shared, KEYS), digest_value(["own", writer, draw.random()])]
        drafts = [
            draft(key, writer, "a value" if agree.get(key, True) else f"{key} {writer}") for key in keys
        ]
        cut = draw.randint(0, len(drafts))
        tries.append([group for group in (drafts[:cut], drafts[cut:]) if group])
    told = together([partial(_committing, place, groups) for groups in tries])
    wanted = {
        each.key: each.body["outputs"]["value"]["digest"] for groups in tries for g in groups for each in g
    }
    [found] = together([partial(_judge_commits, place, [t for t in told if t], {**wanted}, agree)])
    return Counter(commits=sum(map(len, filter(None, told))), unforeseen=told.count(None)) + Counter(found)


def _judge_commits(
    place: Place, told: Sequence[Sequence[Told]], wanted: Mapping[Digest, str], agree: Mapping[Digest, bool]
) -> Told:
    repository, found = place.repository, Counter[str]()
    by_key: dict[str, list[Told]] = {}
    for each in (one for some in told for one in some):
        by_key.setdefault(each["key"], []).append(each)
    for key in wanted:
        record, answers = repository.record("Torture", key), by_key.get(key, [])
        winners = [each["run"] for each in answers if each["is_ours"]]
        if record is None or len(winners) != 1:
            found["lost"] += 1
            print(f"{key}: {record} stands, and was made by {winners}")
            continue
        stands = (record.body["run"], record.outputs["value"]["digest"], 1)
        if stands[0] != winners[0] or record.attempt != 1:
            found["wrong"] += 1
            print(f"{key}: {winners} won, and attempt {record.attempt} by {stands[0]} stands")
        for each in answers:
            if (each["run"], each["value"], each["attempt"]) != stands:
                found["wrong"] += 1
                print(f"{key}: {each} was told, {stands} stands")
            if each["differs"] == (agree.get(key, True) or each["is_ours"]):
                found["wrong"] += 1
                print(
                    f"{key}: {each} was told of values that {'agree' if agree.get(key, True) else 'differ'}"
                )
        repository.read_blob(Digest(stands[1]))
    return found


# Claims.


def _building(place: Place, keys: Sequence[Digest], writer: int) -> list[Told]:
    """As the engine goes about it: claim, look once more, build, commit, give back."""
    repository = place.repository
    claims = Claims(repository.storage, system_clock)
    told = []
    for key in keys:
        while (record := repository.record("Torture", key)) is None:
            if not claims.take(key):
                time.sleep(_PAUSE_S)
                continue
            if repository.record("Torture", key) is None:
                [commit] = repository.commit([draft(key, writer, f"{key} {writer}")])
                told.append(_told(commit))
            claims.release()
        assert record is not None
    return told


def claims(place: Place, processes: int, draw: Random) -> Counter[str]:
    """All want the same partitions, in orders of their own: each is built once."""
    keys = [digest_value(["claimed", draw.random()]) for _ in range(KEYS)]
    told = together(
        [partial(_building, place, draw.sample(keys, KEYS), writer) for writer in range(processes)]
    )
    built = Counter(each["key"] for some in filter(None, told) for each in some)
    for key in keys:
        if built[key] != 1:
            print(f"{key} was built {built[key]} times")
    return Counter(
        claimed=len(keys) * processes, built=built.total(), unforeseen=told.count(None),
        built_twice=sum(built[key] > 1 for key in keys), lost=sum(built[key] < 1 for key in keys),
    )  # fmt: skip


def _on_machine(name: str, clock: Clock, place: Place, key: Digest, writer: int, stops: bool) -> Told:
    """Build on another machine than the others are on; one that `stops` does so once it has its claim."""
    vars(socket)["gethostname"] = lambda: name
    repository = place.repository
    claims = Claims(repository.storage, clock)
    while not claims.take(key):
        if repository.record("Torture", key) is not None:
            return {}
        time.sleep(_PAUSE_S)
    if stops:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif repository.record("Torture", key) is not None:
        claims.release()
        return {}
    [commit] = repository.commit([draft(key, writer, f"{key} {writer}")])
    claims.release()
    return _told(commit)


def stopped(place: Place, processes: int, draw: Random) -> Counter[str]:
    """A builder is stopped until its claim has expired and others have built; then it goes on."""
    key = digest_value(["stopped", draw.random()])

    def later() -> datetime.datetime:
        return system_clock() + datetime.timedelta(seconds=LIFETIME_S * 2)

    sleeper = Child(partial(_on_machine, "m0", system_clock, place, key, 0, True))
    _, status = os.waitpid(sleeper.pid, os.WUNTRACED)
    told = together([partial(_on_machine, f"m{n}", later, place, key, n, False) for n in range(1, processes)])
    os.kill(sleeper.pid, signal.SIGCONT)
    last = sleeper.end()
    answers = [each for each in [*told, last] if each]
    winners = [each for each in answers if each["is_ours"]]
    found = Counter(
        stopped=int(os.WIFSTOPPED(status)), repeated=len(answers) - 1,
        unforeseen=[*told, last].count(None), lost=int(len(winners) != 1),
    )  # fmt: skip
    for each in answers if winners else ():
        if (each["run"], each["value"]) != (winners[0]["run"], winners[0]["value"]):
            found["wrong"] += 1
            print(f"{key}: {each} was told, {winners[0]} won")
    if last and last["is_ours"]:
        found["wrong"] += 1
        print(f"{key}: who slept past its claim won against those who had built")
    return found


# Flips.


def _bundle(number: int) -> Bundle:
    return Bundle("torture", {name: f"{name} {number}".encode() for name in FILES})


def _prepare(place: Place) -> None:
    """Two bundles that have passed the gate."""
    registry = place.registry
    for number in range(2):
        digest = registry.publish(_bundle(number))
        verdict = {"bundle": digest, "model": digest, "status": "passed", "why": []}
        registry.keep_verdict(digest, verdict)


def _flipping(place: Place, writer: int, seed: str) -> list[list[Any]]:
    """Read and append, sometimes by what was read a while ago."""
    os.environ["LOGNAME"] = f"writer-{writer}"
    registry, draw, told = place.registry, Random(seed), []
    number = 0
    for flip in range(FLIPS):
        if flip == 0 or draw.random() < 0.8:
            called = time.monotonic_ns()
            newest = registry.current(ALIAS)
            state = (newest.number, newest.why) if newest else EMPTY
            told.append([called, time.monotonic_ns(), READ, None, state])
            number = state[0]
        words = f"{writer}-{flip}"
        called = time.monotonic_ns()
        try:
            appended = registry.promote(ALIAS, _bundle(draw.randint(0, 1)).digest, words, number)
        except AliasMoved as error:
            told.append([called, time.monotonic_ns(), REFUSED, number, str(error)])
        else:
            told.append([called, time.monotonic_ns(), APPEND, (number, words), appended.number])
            number = appended.number
    return told


def flips(place: Place, processes: int, draw: Random) -> Counter[str]:
    """All append to one alias: no gap, nothing lost, linearizable, and the loser hears who won."""
    together([partial(_prepare, place)])
    told = together([partial(_flipping, place, w, str(draw.random())) for w in range(processes)])
    [history] = together([partial(_history, place)])
    operations = [Operation(*each) for some in filter(None, told) for each in some]
    found = Counter(
        flips=sum(each.asked == APPEND for each in operations),
        lost_races=sum(each.asked == REFUSED for each in operations), unforeseen=told.count(None),
    )  # fmt: skip
    return found + Counter({k: v for k, v in judge_flips(operations, history).items() if v})


def _history(place: Place) -> list[list[Any]]:
    return [[each.number, each.why, each.who] for each in place.registry.history(ALIAS)]


def judge_flips(told: Sequence[Operation], history: Sequence[Sequence[Any]]) -> dict[str, int]:
    """What is wrong with what was told of an alias, whose generations are (number, words, who)."""
    found = Counter[str]()
    numbers = [number for number, _, _ in history]
    acknowledged = sorted((each.answer, each.argument[1]) for each in told if each.asked == APPEND)
    if numbers != list(range(1, len(history) + 1)) or acknowledged != [(n, words) for n, words, _ in history]:
        found["lost"] += 1
        print(f"acknowledged were {acknowledged}, there are {history}")
    by_number = {number: (words, who) for number, words, who in history}
    operations = []
    for each in told:
        if each.asked == READ:
            operations.append(each._replace(answer=tuple(each.answer)))
        elif each.asked == APPEND:
            operations.append(each._replace(argument=tuple(each.argument)))
        else:
            operations.append(each)
            number, who = _winner(each.answer)
            words, really = by_number.get(number, ("", ""))
            if who != really or number <= each.argument:
                found["wrong"] += 1
                print(f"who expected generation {each.argument} was told {each.answer!r}, it was {really}")
            operations.append(Operation(each.called, each.returned, READ, None, (number, words)))
    if not is_linearizable(operations, EMPTY, alias):
        found["not_linearizable"] += 1
        print(f"no order fits: {sorted(operations)}")
    return found


def _winner(told: str) -> tuple[int, str]:
    """The generation that a lost race names, and by whose doing it is."""
    words = told.replace(",", " ").split()
    return int(words[words.index("generation") + 1]), words[words.index("by") + 1]


# The campaign.

KINDS: tuple[Callable[[Place, int, Random], Counter[str]], ...] = (commits, claims, stopped, flips)


def rounds(seed: int, stores: Callable[[int], str], key: Path, processes: int) -> Iterator[Counter[str]]:
    """Round after round, of each kind in turn, each on a store of its own; what each counted."""
    number = 0
    while True:
        kind = KINDS[number % len(KINDS)]
        found = kind(Place(stores(number), key), processes, Random(f"{seed} {number}"))
        if any(found[bad] for bad in VIOLATIONS):
            print(f"in round {number} of seed {seed}, {kind.__name__}", flush=True)
        yield Counter(rounds=1) + found
        number += 1


def _until(source: Iterator[Counter[str]], is_over: Callable[[Counter[str]], bool]) -> Counter[str]:
    found = Counter[str]()
    while not is_over(found):
        found += next(source)
    return found


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder in memory where there is one: what no process loses needs no disk."""
    memory = "/dev/shm"
    return tempfile.TemporaryDirectory(prefix="torture-", dir=memory if os.access(memory, os.W_OK) else None)


def in_a_folder(folder: Path, seed: int, is_over: Callable[[Counter[str]], bool]) -> dict[str, int]:
    """Rounds of sixteen processes on stores in a folder."""
    generate(folder / "release.key")
    source = rounds(seed, lambda number: str(folder / f"store-{number}"), folder / "release.key", PROCESSES)
    found = _until(source, is_over)
    return {**found, **{kind: found[kind] for kind in VIOLATIONS}}


def in_a_bucket(folder: Path, seed: int, is_over: Callable[[Counter[str]], bool]) -> dict[str, int]:
    """Rounds of fewer processes on a real S3 server; nothing where there is none on this machine."""
    if seaweed.missing():
        return {}
    with seaweed.served(folder):
        generate(folder / "release.key")
        stores = f"s3://{seaweed.BUCKET}/{seed}-{{}}".format
        found = _until(rounds(seed, stores, folder / "release.key", PROCESSES_IN_A_BUCKET), is_over)
    return {**found, "rounds_in_a_bucket": found["rounds"]}


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Round after round for as long as the budget lasts, the last fifth of it in a bucket."""
    began = time.monotonic()
    with _scratch() as name:
        stores, bucket = Path(name, "stores"), Path(name, "bucket")
        stores.mkdir()
        bucket.mkdir()
        found = Counter(in_a_folder(stores, seed, lambda _: time.monotonic() > began + budget_seconds * 0.8))
        found.update(in_a_bucket(bucket, seed, lambda _: time.monotonic() > began + budget_seconds))
    return dict(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Do so many rounds, and print what they counted; 1 where any found a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.concurrency", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many rounds")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(argv)
    with _scratch() as folder:
        found = in_a_folder(Path(folder), asked.seed, lambda found: found["rounds"] >= asked.count)
    print(json.dumps({"seed": asked.seed, **found}))
    return int(any(found[kind] for kind in VIOLATIONS))


if __name__ == "__main__":
    sys.exit(main())
