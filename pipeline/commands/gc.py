"""`headrace gc`: what no kept run, bundle or young record reaches; with `--execute` it is collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from pipeline.build import session as sessions
from pipeline.build.options import required, setting
from pipeline.commands.asking import Parser, counted
from pipeline.release import configured
from pipeline.release.garbage import Rules, collections
from pipeline.store.collection import Collection, Done, Patience, Plan
from pipeline.store.mark import Garbage
from pipeline.store.storage import Storage, is_name
from pipeline.values.digest import canonical_json

DAYS, MODELS, GRACE_DAYS, TRASH_DAYS = "keep_days", "keep_models", "grace_days", "trash_days"
_RULES = (DAYS, MODELS, GRACE_DAYS, TRASH_DAYS)


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Plan a collection of both stores, or carry it out."""
    given = vars(_parser().parse_args(list(words)))
    terms = {name: _count(name, given[name]) for name in _RULES}
    rules = Rules(terms[DAYS], terms[MODELS])
    patience = Patience(timedelta(days=terms[GRACE_DAYS]), timedelta(days=terms[TRASH_DAYS]))
    session, online = sessions.current(), configured.online()
    stores = {str(storage): storage for storage in (session.storage, online)}
    found = collections(stores.values(), online, rules, patience, session.clock)
    told = []
    for storage, collection in zip(stores.values(), found, strict=True):
        plan = collection.plan()  # first, as its sizes are those of what is there
        summary = _Summary.of(storage, plan)
        if json:
            fields = {"store": str(storage), "plan": summary.fields()}
            done = _done_fields(collection.execute()) if given["execute"] else None
            told.append({**fields, "done": done})
            continue
        yield from _told(storage, plan, summary, terms)
        if given["execute"]:
            yield from _did(collection)
    if json:
        yield canonical_json(told).decode().rstrip()
    elif not given["execute"]:
        yield "nothing was done: `headrace gc --execute` does it"


def _parser() -> Parser:
    parser = Parser("gc")
    parser.add_argument("--execute", action="store_true")
    for name in _RULES:
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N")
    return parser


def _count(name: str, given: str | None) -> int:
    """A rule: as the command line says it, or else the configuration."""
    return int(setting(name) if given is None else required(name, given, name))


class _Sum(NamedTuple):
    """What is told of some files together."""

    files: int = 0
    size_bytes: int = 0
    oldest: str = ""
    newest: str = ""


class _Summary(NamedTuple):
    """A plan in a few numbers, by what becomes of things and by group."""

    taken: Mapping[str, _Sum]
    waiting: Mapping[str, _Sum]
    deleted: _Sum
    in_trash: _Sum
    returning: int

    @classmethod
    def of(cls, storage: Storage, plan: Plan) -> _Summary:
        taken = [each for each in plan.garbage if each.name in plan.ripe]
        waiting = [each for each in plan.garbage if each.name not in plan.ripe]
        left = (*plan.trash, *plan.unnamed)
        deleted = [Garbage(name, "", "") for name in left if name in plan.ripe]
        in_trash = [Garbage(name, "", "") for name in left if name not in plan.ripe]
        return cls(
            _by_group(storage, taken), _by_group(storage, waiting),
            _sum(storage, deleted), _sum(storage, in_trash), len(plan.lost),
        )  # fmt: skip

    def fields(self) -> dict[str, object]:
        """As JSON says it."""
        groups = {
            word: {group: found._asdict() for group, found in sums.items()}
            for word, sums in {"taken": self.taken, "waiting": self.waiting}.items()
        }
        rest = {"deleted": self.deleted._asdict(), "in_trash": self.in_trash._asdict()}
        return {**groups, **rest, "returning": self.returning}


def _by_group(storage: Storage, garbage: Iterable[Garbage]) -> dict[str, _Sum]:
    groups: dict[str, list[Garbage]] = {}
    for each in garbage:
        groups.setdefault(each.group, []).append(each)
    return {group: _sum(storage, found) for group, found in groups.items()}


def _sum(storage: Storage, garbage: Sequence[Garbage]) -> _Sum:
    made = sorted(each.made_at for each in garbage if each.made_at)
    size = sum(storage.stat(each.name) or 0 for each in garbage if is_name(each.name))
    return _Sum(len(garbage), size, made[0] if made else "", made[-1] if made else "")


def _told(storage: Storage, plan: Plan, summary: _Summary, terms: Mapping[str, int]) -> Iterator[str]:
    wait, trash = counted(terms[GRACE_DAYS], "day"), counted(terms[TRASH_DAYS], "day")
    kept = f"used or made in {counted(terms[DAYS], 'day')}, the last {terms[MODELS]} bundles of each alias"
    yield f"{storage}: {counted(plan.kept, 'file')} in use ({kept}, and what is behind them)"
    if summary.returning:
        yield f"  back from the trash, since it is in use: {counted(summary.returning, 'file')}"
    yield from _groups("to the trash", summary.taken)
    yield from _groups(f"unused, and waiting until it is so for {wait}", summary.waiting)
    if summary.deleted.files:
        yield f"  deleted for good: {_size(summary.deleted)}"
    if summary.in_trash.files:
        yield f"  in the trash, until it is there for {trash}: {_size(summary.in_trash)}"
    if not any(
        (summary.returning, summary.taken, summary.waiting, summary.deleted.files, summary.in_trash.files)
    ):
        yield "  nothing else: there is nothing to collect"


def _groups(what: str, sums: Mapping[str, _Sum]) -> Iterator[str]:
    if not sums:
        return
    whole = _Sum(sum(s.files for s in sums.values()), sum(s.size_bytes for s in sums.values()))
    yield f"  {what}: {_size(whole)}"
    width = max(map(len, sums))
    for group, found in sums.items():
        made = f", made from {found.oldest[:19]} to {found.newest[:19]}" if found.oldest else ""
        yield f"    {group:{width}}  {_size(found)}{made}"


def _size(found: _Sum) -> str:
    return f"{counted(found.files, 'file')}, {found.size_bytes} bytes"


def _did(collection: Collection) -> Iterator[str]:
    done = _done_fields(collection.execute())
    yield (
        f"  done: {counted(done['taken'], 'file')} to the trash, {done['deleted']} deleted for good"
        + (f", {done['restored']} put back" if done["restored"] else "")
    )


def _done_fields(done: Done) -> dict[str, int]:
    return {"taken": len(done.taken), "deleted": len(done.deleted), "restored": len(done.restored)}
