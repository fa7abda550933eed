"""What serves changes 200 times while four processes predict in a loop: does anybody notice?

Three small models are promoted and rolled back, and four processes of one service, which share a home,
predict the same rows over and over. What each model says of them was worked out before, from its bundle. The
promise: no call fails, and each answer is, to the bit, that of the generation it names.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from benchmarks.measure import keep, seconds
from pipeline.clock import stopwatch
from pipeline.release import served
from pipeline.release.reader import Reader
from pipeline.release.registry import Registry
from pipeline.values.check import Check
from pipeline.values.digest import Digest
from tests import released
from tests.released import ALIAS

if TYPE_CHECKING:
    from threading import Barrier

PENALTIES = (1.0, 0.1, 0.01)
FLIPS = 200
PAUSE_S = 0.1
POLL_S = 0.02
READERS = 4
WAIT_S = 60.0
"""How long a reader may take to start, and how long after the last flip it may look for it."""


@dataclass(frozen=True)
class Service:
    """What a process is told: where to read, what to ask, what each bundle answers, and when it is over."""

    store: Path
    trust: Path
    home: Path
    rows: list[dict[str, Any]]
    expected: Mapping[str, list[float]]
    last: int


@dataclass
class Seen:
    """What a process saw: its calls, those that failed or answered wrongly, and bundles by generation."""

    calls: int = 0
    failed: list[str] = field(default_factory=list)
    wrong: int = 0
    generations: dict[int, str] = field(default_factory=dict)


def main() -> int:
    """Measure, print, and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        registry = released.registry(Path(folder))
        service = _service(Path(folder), registry)
        seen, flipping_s = _serve_while(registry, [Digest(each) for each in service.expected], service)
        history = {each.number: str(each.bundle) for each in registry.history(ALIAS)}
    untrue = sum(1 for each in seen for pair in each.generations.items() if pair not in history.items())
    generations = [len(each.generations) for each in seen]
    bars = {
        Check("failed calls", high=0): sum(len(each.failed) for each in seen),
        Check("answers of another model than named", high=0): sum(each.wrong for each in seen) + untrue,
        Check("readers that came to the last generation", low=READERS): sum(
            service.last in each.generations for each in seen
        ),
    }
    return keep(
        "flips",
        f"{FLIPS} promotions and rollbacks of {len(PENALTIES)} models while {READERS} processes predict",
        {
            "flips": FLIPS,
            "flipping_s": round(flipping_s, 2),
            "calls": [each.calls for each in seen],
            "generations_seen": generations,
            "errors": sorted({text for each in seen for text in each.failed}),
        },
        [check.apply(number) for check, number in bars.items()],
    )


def _service(folder: Path, registry: Registry) -> Service:
    """A store with three models that may be promoted, of which one serves, and what each of them answers."""
    rows = released.rows(days=1).to_pylist()
    expected = {}
    for c in PENALTIES:
        bundle = released.small(c)
        released.promoted(registry, bundle)
        with threadpool_limits(1):
            model = served.load(bundle)
            served.prove(model, bundle)
            expected[str(bundle.digest)] = model.predict(rows).tolist()
    assert len({tuple(answers) for answers in expected.values()}) == len(PENALTIES), "expected other answers"
    store, trust, home = folder / "online", released.trusted(folder), folder / "home"
    return Service(store, trust, home, rows, expected, last=len(PENALTIES) + FLIPS)


def _serve_while(registry: Registry, bundles: Sequence[Digest], service: Service) -> tuple[list[Seen], float]:
    """What the readers saw while models were promoted and rolled back, and how long that took."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(READERS, context) as pool:
        ready = manager.Barrier(READERS + 1)
        readers = [pool.submit(serve, service, ready) for _ in range(READERS)]
        ready.wait(WAIT_S)
        flipping_s = seconds(lambda: _flip(registry, bundles))
        return [reader.result() for reader in readers], flipping_s


def _flip(registry: Registry, bundles: Sequence[Digest]) -> None:
    """Promote another bundle than the one that serves, then roll back from it, and so on."""
    for number in range(FLIPS):
        now = registry.current(ALIAS)
        assert now is not None
        if number % 2:
            registry.rollback(ALIAS, "measured")
        else:
            others = [each for each in bundles if each != now.bundle]
            registry.promote(ALIAS, others[number // 2 % len(others)], "measured", now.number)
        time.sleep(PAUSE_S)


def serve(service: Service, ready: Barrier) -> Seen:
    """Predict in a loop, up to the last generation."""
    seen = Seen()
    with (
        threadpool_limits(1),
        Reader(service.store, ALIAS, trust=service.trust, home=service.home, poll_s=POLL_S) as reader,
    ):
        ready.wait(WAIT_S)
        late = stopwatch() + FLIPS * PAUSE_S * 5 + WAIT_S
        while service.last not in seen.generations and stopwatch() < late:
            seen.calls += 1
            try:
                answer = reader.predict(service.rows)
            except Exception as error:  # whatever it is, it is counted
                seen.failed.append(f"{type(error).__name__}: {error}")
                continue
            seen.generations[answer.generation] = answer.bundle
            seen.wrong += answer.values.tolist() != service.expected[answer.bundle]
    return seen


if __name__ == "__main__":
    sys.exit(main())
