"""What the two stores hold, and what of it is live: runs, records and bundles together.

Both stores are looked at alike, since one folder may be both. What the online store keeps has its builds kept
in the offline one, down to the sources: where a model that serves comes from can always be told.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple

from pipeline.build.claim import is_live
from pipeline.build.usage import usage
from pipeline.clock import Clock
from pipeline.release.retention import retention
from pipeline.store.collection import Collection, Patience
from pipeline.store.mark import Item, Look, View
from pipeline.store.reach import Roots, records
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest


class Rules(NamedTuple):
    """What is kept beyond what is in use."""

    days: int
    """What runs used or made, and what was judged or began to serve, within so many days."""
    models: int
    """So many of the last bundles of each alias."""


def collections(
    stores: Iterable[Storage], online: Storage, rules: Rules, patience: Patience, clock: Clock
) -> list[Collection]:
    """A collection of each store."""

    def since() -> datetime.datetime:
        return clock() - datetime.timedelta(days=rules.days)

    def released() -> frozenset[Digest]:
        return retention(View(online), rules.models, since()).bundles

    look = looking(rules, since, released, clock)
    return [Collection(storage, look, clock, patience) for storage in stores]


def looking(
    rules: Rules,
    since: Callable[[], datetime.datetime],
    released: Callable[[], frozenset[Digest]],
    clock: Clock,
) -> Look:
    """How a store is looked at."""

    def look(view: View) -> Iterable[Item]:
        used = usage(view, since(), lambda process: is_live(process, clock()))
        bundles = retention(view, rules.models, since())
        roots = Roots(used.keys, used.tasks, used.runs, bundles.bundles | released())
        return chain(used.items, bundles.items, records(view, roots, since()))

    return look
