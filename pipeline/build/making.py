"""One build, wherever it runs: the pure call, and what came of it, encoded; a failure told where it arose."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.build import failure
from pipeline.build import session as sessions
from pipeline.build.outcome import Output
from pipeline.build.result import Made
from pipeline.clock import stopwatch
from pipeline.values.digest import Digest, digest_bytes


class Product(NamedTuple):
    """What a build made: its outputs, their bytes, its account of rows, and how long it took."""

    outputs: Mapping[str, Output]
    blobs: Mapping[Digest, bytes]
    rows: Mapping[str, object]
    seconds: float


class Failed(NamedTuple):
    """What ended a build: the error, and what a ledger says of it."""

    error: Exception
    told: Mapping[str, Any]


Result = Product | Failed


class Order(NamedTuple):
    """A build that is to be made, the identity of its code, and what its maker's caller knows it by."""

    make: Callable[[], Made]
    code: Digest
    note: Any


def in_process(orders: Iterable[Order]) -> Generator[tuple[Order, Result], None, None]:
    """Make one after the other, here."""
    return ((order, produce(order.make)) for order in orders)


def produce(make: Callable[[], Made]) -> Result:
    """Make a value and encode it; of an exception, what is to be told is found out where its frames are."""
    began = stopwatch()
    try:
        made = make()
        sessions.current().require_as_identified()
        outputs, blobs = _encoded(made)
    except Exception as error:
        return Failed(error, failure.fields(error))
    return Product(outputs, blobs, made.rows, round(stopwatch() - began, 6))


def _encoded(made: Made) -> tuple[dict[str, Output], dict[Digest, bytes]]:
    from pipeline.values.codec import encode

    outputs, blobs = {}, {}
    for name, value in {"value": made.value, "rejected": made.rejected}.items():
        if name == "rejected" and value is None:
            continue
        encoded = encode(value)
        blob = digest_bytes(encoded.data)
        blobs[blob] = encoded.data
        outputs[name] = Output(encoded.digest, blob, len(encoded.data), encoded.codec, encoded.rows)
    return outputs, blobs
