"""Damage to stores: each is found by `fsck --full`, and healed by runs or named as beyond healing.

`python -m tests.torture.damage --count 10000 --seed 1` says how many of each kind. What fails is an
AssertionError that names the seed of its round.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - seeded, and printed

import pipeline
from pipeline.build import session as sessions
from pipeline.build.session import Session
from pipeline.commands import publish
from pipeline.commands.asking import parse_task
from pipeline.commands.inspecting import Inspected, inspect
from pipeline.commands.remedy import commands
from pipeline.release import configured, signed
from pipeline.release.inspection import (
    DAMAGED_GENERATION,
    DAMAGED_SIGNATURE,
    DAMAGED_VERDICT,
    LOST_BUNDLE,
    LOST_GENERATION,
    LOST_VERDICT,
)  # fmt: skip
from pipeline.release.registry import Registry
from pipeline.store.inspection import (
    ABSENT,
    ABSENT_BUNDLE,
    DAMAGED_BLOB,
    DAMAGED_RECORD,
    LOST_BLOB,
    LOST_RECORD,
    MODE,
    STRAY,
)  # fmt: skip
from pipeline.store.lineage import every
from pipeline.store.local import LocalStorage
from pipeline.store.record import record_name
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest, parse_json
from tests import factory
from tests.life import Life
from tests.world import World

_NAMED_AS = {
    "blobs": {DAMAGED_BLOB, LOST_BLOB, STRAY, MODE, ABSENT_BUNDLE},
    "records": {DAMAGED_RECORD, LOST_RECORD, STRAY, MODE, ABSENT},
    "bundles": {DAMAGED_SIGNATURE, LOST_BUNDLE, STRAY, MODE, ABSENT_BUNDLE},
    "verdicts": {DAMAGED_VERDICT, LOST_VERDICT, STRAY, MODE},
    "refs": {DAMAGED_GENERATION, LOST_GENERATION, STRAY, MODE},
}
_ACCUSED = {DAMAGED_BLOB, DAMAGED_RECORD, DAMAGED_SIGNATURE, DAMAGED_VERDICT, DAMAGED_GENERATION, STRAY, MODE}


@dataclass(frozen=True)
class Damage:
    """What was done to which name."""

    kind: str
    name: str

    @property
    def folder(self) -> str:
        return self.name.partition("/")[0]


# The kinds of damage.


def _write(path: Path, data: bytes) -> None:
    """Other bytes under a name, as a disk would leave them: its mode stays as it was."""
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def flip(path: Path, draw: Random) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    _write(path, bytes(data))


def truncate(path: Path, draw: Random) -> None:
    data = path.read_bytes()
    _write(path, data[: draw.randrange(1, len(data))])


def extend(path: Path, draw: Random) -> None:
    _write(path, path.read_bytes() + draw.randbytes(draw.randrange(1, 9)))


def empty(path: Path, draw: Random) -> None:
    _write(path, b"")


def mode(path: Path, draw: Random) -> None:
    path.chmod(draw.choice((0o000, 0o044, 0o644, 0o666, 0o777, 0o555, 0o4444)))


def link(path: Path, draw: Random) -> None:
    """A symbolic link to the very bytes, to nothing, or to a folder."""
    kept = path.parent.parent / f".{path.name}"
    target = draw.choice((str(kept), "nowhere", "/"))
    path.rename(kept)
    path.symlink_to(target)
    if target != str(kept):
        kept.unlink()


def folder(path: Path, draw: Random) -> None:
    path.unlink()
    path.mkdir()
    if draw.random() < 0.5:
        (path / "file").write_bytes(b"somebody's")


def delete(path: Path, draw: Random) -> None:
    path.unlink()


SINGLE: dict[str, Callable[[Path, Random], None]] = {
    each.__name__: each for each in (flip, truncate, extend, empty, mode, link, folder, delete)
}
SWAP = "swap"


def damage(root: Path, folders: Sequence[str], count: int, draw: Random) -> list[Damage]:
    """Damage so many names, each in one way; the last generation or verdict does not vanish."""
    storage = LocalStorage(root)
    names = {each: list(storage.list(each)) for each in folders}
    last = {max(n for n in names[f] if n.rpartition("/")[0] == each.rpartition("/")[0])
            for f in folders if f in ("refs", "verdicts") for each in names[f]}  # fmt: skip
    left = [name for found in names.values() for name in found]
    draw.shuffle(left)
    done: list[Damage] = []
    while left and len(done) < count:
        name = left.pop()
        kind = draw.choice((*SINGLE, SWAP))
        if kind in ("delete", "link", "folder") and name in last:
            kind = "flip"  # as if it had never been written: no store can tell
        if kind == SWAP:
            others = [
                n for n in left if n.partition("/")[0] == name.partition("/")[0] and _differ(root, n, name)
            ]
            if not others:
                continue
            other = draw.choice(others)
            left.remove(other)
            ours, theirs = (root / name).read_bytes(), (root / other).read_bytes()
            _write(root / name, theirs)
            _write(root / other, ours)
            done += [Damage(SWAP, name), Damage(SWAP, other)]
        else:
            SINGLE[kind](root / name, draw)
            done.append(Damage(kind, name))
    return done


def _differ(root: Path, one: str, other: str) -> bool:
    return (root / one).read_bytes() != (root / other).read_bytes()


# What must come of it.


def require_named(found: Inspected, done: Sequence[Damage], needed: Mapping[str, set[str]]) -> None:
    """Each damage is told of by its name, and nothing else is accused.

    Of a blob that is gone nobody knows, if all that name it (`needed`) are damaged, too, and told of; and
    what a signature is worth can't be said without what it signs.
    """
    told: dict[str, set[str]] = {}
    for finding in found.findings:
        told.setdefault(finding.name, set()).add(finding.kind)
        if finding.kind == ABSENT_BUNDLE:
            told.setdefault(blob_name(finding.bundles[0]), set()).add(finding.kind)
        if finding.kind in (LOST_BUNDLE, ABSENT_BUNDLE):
            for each in done:
                if each.name.startswith(f"{finding.name}/"):
                    told.setdefault(each.name, set()).add(finding.kind)
    damaged = {each.name for each in done}
    for each in done:
        is_masked = each.kind == "delete" or each.folder == "bundles"
        is_masked = is_masked and needed.get(each.name, {""}) <= damaged
        assert is_masked or told.get(each.name, set()) & _NAMED_AS[each.folder], f"{each} was not found"
    for finding in found.findings:
        is_ours = any(finding.name == name or finding.name.startswith(f"{name}/") for name in damaged)
        is_kept = finding.kind == STRAY and "/." in finding.name  # what a link points at
        assert finding.kind not in _ACCUSED or is_ours or is_kept, f"{finding} is accused"


def needs(storage: LocalStorage) -> dict[str, set[str]]:
    """By blob, the records or manifests that name it."""
    found: dict[str, set[str]] = {}
    for record in every(Repository(storage)):
        blobs = [out["blob"] for out in record.outputs.values()]
        for blob in (*blobs, record.recipe["code"], record.body["environment"]):
            found.setdefault(blob_name(Digest(blob)), set()).add(record_name(record))
    for name in storage.list("bundles"):
        bundle = Digest(f"sha256:{name.split('/')[1]}")
        found[name] = {blob_name(bundle)}
        for entry in parse_json(storage.read(blob_name(bundle)))["files"].values():
            found.setdefault(blob_name(Digest(entry["digest"])), set()).add(blob_name(bundle))
    return found


def full(storage: LocalStorage, stamp: str = "") -> Inspected:
    return inspect(storage, lambda name: True, stamp)


def values(storage: LocalStorage) -> dict[str, str]:
    """The digest of each value, by what made it."""
    found = every(Repository(storage))
    return {record.key: record.outputs["value"]["digest"] for record in found}


class Offline:
    """A small pipeline of every pattern, its store as it should be, and a copy that is damaged."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder / "world", LocalStorage(folder / "store"))
        self.life = Life(self.world)
        self.storage = LocalStorage(folder / "store")
        self.life.begin(self.storage)
        result = self.life.run()
        assert result.summary["status"] == "complete", result.summary
        self.sound, self.root = folder / "sound", folder / "store"
        shutil.copytree(self.root, self.sound)
        self.values, self.needed = values(self.storage), needs(self.storage)
        self.answer = self.load()

    def load(self) -> object:
        self.session()
        return pipeline.load(self.life.task())

    def session(self) -> Session:
        self.world.clock.advance(minutes=1)
        session = Session(self.storage, self.world.clock, self.world.wait)
        sessions.use(session)
        return session

    def round(self, draw: Random, count: int) -> Counter[str]:
        """Damage, find, run, heal."""
        shutil.rmtree(self.root)
        shutil.copytree(self.sound, self.root)
        self.session()
        done = damage(self.root, ("blobs", "records"), count, draw)
        if draw.random() < 0.5:
            require_named(full(self.storage), done, self.needed)
            self.life.run()
            assert self.load() == self.answer
            self.session()
            found = full(self.storage, "healed")
        else:
            found = full(self.storage, "healed")
            require_named(found, done, self.needed)
        named = self._heal(found)
        counts = Counter(f"{each.kind} {each.folder}" for each in done)
        beyond = [each for each in done if each.name in named]
        counts["healed"] += len(done) - len(beyond)
        counts["beyond healing"] += len(beyond)
        return counts

    def _heal(self, found: Inspected) -> set[str]:
        """Run what fsck named; return what it said will not come back by that."""
        for line in commands(found.makers):
            self._type(line)
        self.session()
        after = full(self.storage)
        assert self.load() == self.answer
        said = {
            f.name
            for f, r in zip(found.findings, found.remedies, strict=True)
            if "next build" in r.heals or "when something needs it" in r.heals
        }
        left = [f for f in after.damage if f.name not in said]
        assert not left, left
        now = values(self.storage)
        assert {key: now.get(key) for key in self.values} == self.values
        return {finding.name for finding in after.damage}

    def _type(self, line: str) -> None:
        words = shlex.split(line)[5:]  # python -m luigi --module farm.tasks
        self.life.task()
        self.session()
        result = pipeline.run(parse_task(words, "run"))
        assert not result.summary["failures"], result.summary["failures"]

    def close(self) -> None:
        self.world.close()


class Online:
    """A store of two released bundles, of which four generations have served."""

    def __init__(self, folder: Path) -> None:
        factory.ship(folder / "first")
        self._take(folder / "first", folder / "second")

    def _take(self, shipped: Path, folder: Path) -> None:
        self._copied = factory.copied(shipped, folder)
        self.world = self._copied.__enter__()
        self.world.clock.advance(days=1)
        factory.improve(self.world)
        assert "Ship all" in self.world.built(factory.SHIP)
        registry = self._registry()
        registry.rollback("breakage", "a trial")
        last = registry.history("breakage")[1]
        registry.promote("breakage", last.bundle, "another trial", 3)
        self.root, self.sound = folder / "world" / "online", folder / "sound"
        self.storage = LocalStorage(self.root)
        shutil.copytree(self.root, self.sound)
        self.needed, self.now, self.trust = needs(self.storage), last.bundle, registry.trust

    @classmethod
    def of(cls, shipped: Path, folder: Path) -> Online:
        """From a factory that was shipped before."""
        made = cls.__new__(cls)
        made._take(shipped, folder)
        return made

    def _registry(self) -> Registry:
        self.world.session()
        return configured.registry()

    def round(self, draw: Random, count: int) -> Counter[str]:
        """Damage, find, publish and judge again."""
        shutil.rmtree(self.root)
        shutil.copytree(self.sound, self.root)
        self.world.session()
        done = damage(self.root, ("blobs", "bundles", "verdicts", "refs"), count, draw)
        found = full(self.storage, "healed")
        require_named(found, done, self.needed)
        beyond = {each for each in done if each.folder == "refs"}
        shutil.rmtree(self.root / "refs")  # what only a copy of the store brings back
        shutil.copytree(self.sound / "refs", self.root / "refs")
        self._heal(found)
        after = full(self.storage)
        counts = Counter(f"{each.kind} {each.folder}" for each in done)
        said = {
            f.name: r.what_heals for f, r in zip(after.findings, after.remedies, strict=True) if f.is_damage
        }
        for name, heals in said.items():
            assert "from a copy of the store" in heals, (name, heals)
        assert signed.read(self.storage, self.now, self.trust).digest == self.now
        beyond |= {each for each in done if each.name in said or _is_of(each, said)}
        counts["healed"] += len(done) - len(beyond)
        counts["beyond healing"] += len(beyond)
        return counts

    def _heal(self, found: Inspected) -> None:
        for line in {r.heals for r in found.remedies if r.heals.startswith("headrace publish")}:
            self.world.session()
            self.world.task(factory.SHIP)
            list(publish.main(shlex.split(line)[4:], json=False))
        for line in commands(found.makers):
            self.world.task(factory.SHIP)
            self.world.session()
            pipeline.run(parse_task(shlex.split(line)[5:], "run"))
        self.world.session()

    def close(self) -> None:
        self._copied.__exit__(None, None, None)


def _is_of(each: Damage, said: dict[str, str]) -> bool:
    """Whether a damage is told of by the name of its bundle."""
    return any(each.name.startswith(f"{name}/") for name in said)


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Damage stores for as long as the budget lasts. Nothing was missed, or it would have ended there."""
    with tempfile.TemporaryDirectory() as folder:
        found = damages(Path(folder), 1_000_000, seed, budget_seconds)
    return {"missed": 0, **{kind.replace(" ", "_"): number for kind, number in found.items()}}


def damages(
    folder: Path, count: int, seed: int, seconds: float | None = None, shipped: Path | None = None
) -> dict[str, int]:
    """Damage until there were so many, or for so long; how many of each kind, and what became of them.

    Raises:
        AssertionError: one was not found, or not healed; the seed of the round is in it.
    """
    began, counts, number = time.monotonic(), Counter[str](), 0
    make = (lambda: Online.of(shipped, folder / "online")) if shipped else (lambda: Online(folder / "online"))
    with closing(Offline(folder / "offline")) as offline:
        number = _rounds(
            offline.round, count * 9 // 10, 60, seed, seconds and began + seconds * 3 / 4, counts
        )
    with closing(make()) as online:
        _rounds(online.round, count, 20, seed + number, seconds and began + seconds, counts)
    return dict(sorted(counts.items()))


def _rounds(
    take: Callable[[Random, int], Counter[str]],
    count: int,
    each: int,
    seed: int,
    until: float | None,
    counts: Counter[str],
) -> int:
    number = 0
    while counts["damages"] < count and (until is None or time.monotonic() < until):
        try:
            found = take(Random(seed + number), each)
        except BaseException:
            sys.stderr.write(f"the round of the seed {seed + number} failed\n")
            raise
        counts.update(found)
        counts["damages"] += found["healed"] + found["beyond healing"]
        counts["stores"] += 1
        number += 1
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a campaign, and print its counts."""
    import logging

    parser = argparse.ArgumentParser(prog="python -m tests.torture.damage", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=None)
    asked = parser.parse_args(argv)
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        counts = damages(Path(folder), asked.count, asked.seed, asked.seconds)
    sys.stdout.write(json.dumps({"seed": asked.seed, **counts}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
