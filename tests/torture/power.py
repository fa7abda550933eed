"""Power cuts: a real ext4 in a file, shut down under the running child, mounted anew, and judged.

The shutdown ioctl stops the file system where it is: nothing that the kernel still holds reaches the disk.
With one flag the journal is lost with it, with the other it is written and the data is not: then names are
there whose bytes never came. Half of the cuts strike at a random file-system call, in the child itself; half
at a random time, while a system call may be under way.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random  # noqa: TID251 - its seed is printed

from pipeline.store.local import Durability, LocalStorage
from tests.torture import shim
from tests.torture.budget import Budget
from tests.torture.child import scratch
from tests.torture.killing import MOST_CALLS, Toil
from tests.torture.operation import Store
from tests.torture.shim import Unavailable
from tests.torture.work import OPERATIONS

SHUTDOWN = 0x8004587D
LOSE_JOURNAL, KEEP_JOURNAL = 2, 1
MIB = 64
ROUNDS = 25
"""So many cuts strike one file system before it is made anew."""
LEAST = 6
MOST_S = 0.06

Kind = Callable[[Path], LocalStorage]


class Disk:
    """A file system of its own in a file, mounted."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "image", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(MIB << 20)
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.image))
        self.mount()

    def mount(self) -> None:
        """Mount it; the journal is replayed, as after a power cut."""
        _run("mount", "-o", "loop", str(self.image), str(self.place))

    def unmount(self) -> None:
        """Unmount it: after a cut, nothing is written any more."""
        for _ in range(100):
            if subprocess.run(["umount", str(self.place)], check=False, capture_output=True).returncode == 0:
                return
            time.sleep(0.01)  # whoever was killed a moment ago may still hold it
        _run("umount", str(self.place))

    def cut(self, flag: int) -> None:
        """Cut its power."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", flag))
        finally:
            os.close(descriptor)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"no power can be cut here: `{command[0]}` failed: {done.stderr.strip()}")


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """A disk in a folder; raises `Unavailable` where this machine has none to give."""
    if os.geteuid() != 0:
        raise Unavailable("no power can be cut here: mounting a file system needs root")
    for command in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(command) is None:
            raise Unavailable(f"no power can be cut here: there is no `{command}`")
    folder.mkdir()
    found = Disk(folder)
    try:
        yield found
    finally:
        found.unmount()
        shutil.rmtree(folder)


def _round(toil: Toil, power: Disk, draw: Random) -> None:
    flag = draw.choice((LOSE_JOURNAL, KEEP_JOURNAL))
    at_call = shim.is_loaded() and draw.random() < 0.5
    call, seconds = draw.randint(1, MOST_CALLS), draw.uniform(0, MOST_S)

    def prepare() -> None:
        if at_call:
            shim.arm(power.place, shim.power_cut(flag), call)

    child = toil.begin(prepare)
    if at_call:
        lines = child.end().lines
    else:
        time.sleep(seconds)
        lines = child.heard()  # what comes later may have been said on a disk without power
        power.cut(flag)
        child.kill()
        child.end()
    toil.found["cuts"] += 1
    toil.found["cuts_at_a_call"] += at_call
    toil.found["journal_lost"] += flag == LOSE_JOURNAL
    power.unmount()
    power.mount()
    toil.judge(lines)


def cuts(
    budget_seconds: float, seed: int, kind: Kind = LocalStorage, tell: Callable[[str], object] = print
) -> dict[str, int]:
    """Cut the power under a kind of storage for as long as the budget lasts."""
    operations = [each for each in OPERATIONS.values() if each.survives_power_cuts]
    found: Counter[str] = Counter()
    budget = Budget(budget_seconds, LEAST)
    with scratch() as folder:
        while not budget.is_spent():
            draw = Random(f"{seed} {found['disks']}")
            with disk(folder / "power") as power:
                toil = Toil(Store(power.place, folder, kind(power.place / "store")), draw, operations)
                for _ in range(ROUNDS):
                    if budget.spend():
                        _round(toil, power, draw)
                toil.judge_all()
            for text in toil.said[:20]:
                tell(text)
            found += toil.found
            found["disks"] += 1
    return {**found, **{each: found[each] for each in ("wrong", "lost")}}


def fast(root: Path) -> LocalStorage:
    """A storage with `durability = fast`, which a power cut must be seen to take something from."""
    durability: Durability = "fast"
    return LocalStorage(root, durability)


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Cut the power for as long as the budget lasts; for a twentieth of it, of a store that does not sync."""
    found = cuts(budget_seconds * 0.95, seed)
    without = cuts(budget_seconds * 0.05, seed, fast, lambda text: None)  # it is meant to lose
    return {**found, "cuts_without_syncs": without["cuts"], "lost_without_syncs": without["lost"]}
