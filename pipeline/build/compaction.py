"""A dataset's columns in a compact form, month by month: read once, then mapped into memory.

A build over everything needs a few columns of thousands of small files. What it reads of a month is kept as
one Arrow file, under the identity of what the month holds, so that the next build reads the months that
changed and maps all others. It is an accelerator, always deletable: kept with a checksum, and made again from
the values themselves where that does not fit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.build.outcome import Outcome
from pipeline.build.tree import Node, Tree
from pipeline.errors import StoreUnwritable
from pipeline.store.storage import Storage
from pipeline.values.digest import digest_value

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.build.session import Session
    from pipeline.build.task import Stage

FORMAT = "headrace columns 1"
FOLDER = "cache/columns"
_HEAD_BYTES = 64
"""What comes before Arrow's own bytes: a multiple of what it aligns its buffers to."""


def columns_of(session: Session, task: Stage, tree: Tree, columns: Sequence[str]) -> pa.Table:
    """Some columns of all rows of a stage, day after day, in the order of the columns asked for."""
    from pipeline.values.relational import concat

    return concat([_group(session, task, tree, node, columns) for node in tree.leaves() if node.span.done])


def _group(session: Session, task: Stage, tree: Tree, node: Node, columns: Sequence[str]) -> pa.Table:
    place = _place(node, columns)
    found = _kept(session.storage, place)
    if found is None:
        found = _read(session, task, node.members(tree.read), columns)
        _keep(session.storage, place, found)
    return found


def _place(node: Node, columns: Sequence[str]) -> str:
    """Named after what the month holds, so that a collection can tell what no kept run has seen."""
    asked = digest_value([FORMAT, node.span.done, list(columns)])
    return f"{FOLDER}/{node.digest.hex}-{asked.hex[:16]}"


def seen_in(place: str) -> str:
    """What the month held whose columns lie in a place: the digest's digits."""
    return place.rpartition("/")[2].partition("-")[0]


def _read(session: Session, task: Stage, outcomes: Any, columns: Sequence[str]) -> pa.Table:
    from pipeline.build.loading import load_columns
    from pipeline.values.relational import concat

    present: Iterable[tuple[str, Outcome]] = ((k, o) for k, o in outcomes.items() if o.output)
    return concat([load_columns(session, task, label, outcome, columns) for label, outcome in present])


def _keep(storage: Storage, place: str, table: pa.Table) -> None:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    data = sink.getvalue().to_pybytes()
    try:
        storage.replace(place, _head(data) + data)
    except StoreUnwritable:
        pass  # a store that can only be read is still good for reading


def _kept(storage: Storage, place: str) -> pa.Table | None:
    """What was kept, without a copy; None where there is nothing, or other bytes than were written."""
    import pyarrow as pa

    try:
        found = storage.view(place)
    except FileNotFoundError:
        return None
    data = found[_HEAD_BYTES:]
    if bytes(found[:_HEAD_BYTES]) != _head(data):
        return None
    return pa.ipc.open_file(pa.py_buffer(data)).read_all()


def _head(data: bytes | memoryview) -> bytes:
    return f"{FORMAT} {len(data)} {zlib.crc32(data):08x}\n".encode().ljust(_HEAD_BYTES)
