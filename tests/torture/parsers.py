"""Every parser of bytes from outside, what it reads when all is well, and how it may refuse the rest."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa  # noqa: TID253
import pyarrow.parquet as pq  # noqa: TID253

from pipeline.build import cache, compaction, ledger
from pipeline.build.claim import Claims
from pipeline.build.outcome import WORDS
from pipeline.commands import log
from pipeline.errors import HeadraceError
from pipeline.release import glance, signed
from pipeline.release.aliases import Aliases, check_alias, place_of
from pipeline.release.served import contract_of
from pipeline.release.signing import Signer, Trust
from pipeline.store.record import record_folder
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import MemoryStorage, check_name
from pipeline.values import admission, codec, intake, parquet, unpacking
from pipeline.values.bundle import FILES, Bundle
from pipeline.values.contract import Column, Contract
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json, strict_json
from pipeline.values.model import dump_model, load_model
from pipeline.values.partition import Interval, parse_interval
from pipeline.values.printable import printable
from pipeline.values.table import read_table, write_table
from pipeline.values.tally import Tally
from tests.torture import mutation
from tests.world import FakeClock

DIGEST = Digest("sha256:" + "1" * 64)
CLOCK = FakeClock()
CONTRACT = Contract(
    (
        Column("day", "date"),
        Column("shop", "string", among=("a", "b")),
        Column("amount", "int64", low=0),
        Column("price", "float64", nullable=True),
        Column("open", "bool"),
        Column("at", "instant", nullable=True),
    ),
    key=("shop", "amount"),
    day="day",
    max_rejected=0.5,
)


@dataclass(frozen=True)
class Parser:
    """A parser under attack: its right inputs, how they are mutated, and what it may raise."""

    name: str
    read: Callable[[bytes], object]
    corpus: Sequence[bytes]
    mutate: mutation.Mutation = mutation.of_bytes
    refuses_with: tuple[type[Exception], ...] = (HeadraceError,)
    is_native: bool = False
    """Whether it hands the bytes to code that may take the process down: it is tried in a child."""
    weight: int = 1


class At:
    """A store in which the bytes lie under one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.storage = MemoryStorage()

    def put(self, data: bytes) -> MemoryStorage:
        self.storage.replace(self.name, data)
        return self.storage


def signer() -> Signer:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


SIGNER = signer()
TRUST = Trust([SIGNER.public])


# What a store of its own keeps.


def record() -> dict[str, Any]:
    from pipeline.store import repository

    body = {
        "recipe": {
            "task": "Sales",
            "step": "build",
            "partition": "2013-05-01",
            "code": DIGEST,
            "file": None,
            "parameters": {"c": "1"},
            "inputs": {"rows": {"task": "Rows", "digests": {"2013-05-01": DIGEST}}},
        },
        "outputs": {
            "value": {"digest": DIGEST, "blob": DIGEST, "size_bytes": 9, "codec": "json/1", "rows": 1}
        },
        "rows": {"in": 1, "out": 1, "rejected": 0, "filtered": {"small": 1}},
        "reason": ["never built"],
        "environment": DIGEST,
        "run": "r",
        "started_at": "2013-06-01T00:00:00+00:00",
        "seconds": 0.5,
    }
    draft = repository.Draft(DIGEST, body, {})
    return repository._body(draft, 1)


def read_record(place: At, data: bytes) -> object:
    repository = Repository(place.put(data))
    found = repository.record("Sales", DIGEST)
    assert found is not None
    repository._stands(found)
    return [found.recipe["inputs"], found.outputs, found.body["reason"], float(found.body["seconds"])]


SUMMARY = {
    "run": "r1",
    "tasks": ["Sales(dates=2013)"],
    "started_at": "2013-06-01T00:00:00+00:00",
    "seconds": 0.5,
    "status": "failed",
    "error": "",
    "alarms": ["x"],
    "counts": dict.fromkeys(WORDS, 1),
    "effects": {"hand over": 1},
    "failures": [{"task": "Sales", "partition": "2013-05-01", "cause": "x", "missing": False}],
}
STAGE = {
    "task": "Sales",
    "state": "over",
    "partitions": {"2013-05-01": "failed", "2013-05-03": "built"},
    "found": [["2013-05-04", "2013-05-09"]],
    "built": 1,
    "rows": {"in": 1, "out": 1, "rejected": 0, "filtered": 0},
    "failures": [
        {
            "task": "Sales",
            "step": "build",
            "partition": "2013-05-01",
            "cause": "x",
            "missing": False,
            "expected": False,
            "traceback": "a\n    b\nc",
        }
    ],
    "effects": [
        {"task": "Sales", "step": "hand over", "partition": "all", "reason": ["not at the gate yet"]}
    ],
    "blocked": {"2013-05-02": "x"},
    "alarms": [],
    "warnings": [],
    "error": None,
    "seconds": 0.5,
}
BUILDS = {
    "builds": [
        {
            "task": "Sales",
            "step": "build",
            "partition": "2013-05-03",
            "parameters": {"high": "10"},
            "reason": ["never built"],
            "seconds": 0.1,
            "rows": {"in": 1, "out": 1, "rejected": 0, "filtered": {}},
            "key": DIGEST,
        }
    ]
}
RUN: Mapping[str, Mapping[str, Any]] = {
    "runs/r1/run": {**SUMMARY, "status": "unfinished"},
    "runs/r1/stages/Sales": STAGE,
    "runs/r1/builds/Sales": BUILDS,
}
"""A ledger; of a run that has not ended, so that what its stages told counts."""


def tell_run(place: At, data: bytes) -> object:
    """What `headrace log` prints of it."""
    storage = place.put(data)
    for name in RUN.keys() - {place.name}:
        storage.replace(name, canonical_json(RUN[name]))
    return [
        *log._one(storage, "r1", False),
        *log._one(storage, "r1", True),
        ledger.last_line(ledger.read(storage, "r1")),
    ]


def read_claim(place: At, data: bytes) -> object:
    return Claims(place.put(data), CLOCK).take(DIGEST)


def read_sealed(place: At, data: bytes) -> object:
    return cache.kept(place.put(data), place.name)


def sealed() -> bytes:
    storage = MemoryStorage()
    cache.keep(storage, "cache/x", {"a": [1, {"b": 2}]})
    return storage.read("cache/x")


# What the online store keeps.


def bundle() -> Bundle:
    files = dict.fromkeys(FILES, b"{}\n")
    return Bundle("small", files)


def read_manifest(is_signed: bool, data: bytes) -> object:
    storage, name = MemoryStorage(), digest_bytes(data)
    storage.put({blob_name(name): data, blob_name(digest_bytes(b"{}\n")): b"{}\n"})
    signature = SIGNER.sign("bundle", data if is_signed else b"other")
    storage.put({f"{glance.signatures(name)}/{SIGNER.key.hex}": canonical_json(signature.fields())})
    return signed.read(storage, name, TRUST)


def read_signature(place: At, data: bytes) -> object:
    storage = place.put(data)
    storage.put({blob_name(bundle().digest): bundle().manifest(), blob_name(digest_bytes(b"{}\n")): b"{}\n"})
    return signed.read(storage, bundle().digest, TRUST)


GENERATION = {
    "alias": "small",
    "number": 1,
    "bundle": DIGEST,
    "model": DIGEST,
    "step": "promote",
    "who": "ada",
    "why": "due",
    "at": "2013-06-01T00:00:00+00:00",
    "verdict": "verdicts/x/1",
    "is_automatic": False,
    "expires_at": "2013-07-01T00:00:00+00:00",
}
VERDICT = {
    "bundle": DIGEST,
    "model": DIGEST,
    "status": "passed",
    "alias": "small",
    "why": ["x"],
    "champion_generation": 0,
    "outcomes": [{"name": "load", "status": "pass", "observed": 1.0, "bound": "x", "why": "y"}],
}


def enveloped(kind: str, value: object) -> bytes:
    """A value with a right signature beside it."""
    data = canonical_json(value)
    return canonical_json({kind: value, **SIGNER.sign(kind, data).fields()})


def read_generation(is_signed: bool, place: At, data: bytes) -> object:
    if is_signed:
        data = _signed_anew("generation", data)
    aliases = Aliases(place.put(data), TRUST)
    found = aliases.history("small")[0]
    found.require_current(CLOCK())
    return found.fields()


def read_verdict(is_signed: bool, place: At, data: bytes) -> object:
    if is_signed:
        data = _signed_anew("verdict", data)
    storage = place.put(data)
    glance.verdict(storage, DIGEST)
    return Aliases(storage, TRUST).verdict(DIGEST)


def _signed_anew(kind: str, data: bytes) -> bytes:
    """As a holder of the key would have written it: what is behind the signature is reached, too."""
    try:
        return enveloped(kind, strict_json(data))
    except (ValueError, TypeError):
        return data


# What lands, and values at rest.


def land(suffix: str, data: bytes) -> object:
    import datetime

    found = intake.read(data, f"sales{suffix}", CONTRACT)
    admitted = admission.admit(found, CONTRACT, datetime.date(2013, 5, 1))
    assert admitted.rows_in == admitted.table.num_rows + admitted.rejected.num_rows
    return admitted


ROWS = [
    ("2013-05-01", "a", "1", "0.5", "true", "2013-05-01T10:00:00Z"),
    ("2013-05-01", "b", "2", "", "false", ""),
    ("2013-05-01", "a", "3", "1e3", "true", "2013-05-01T10:00:00.5Z"),
    ("2013-05-01", "b", "40", "-2", "false", "2013-05-01T10:00:00Z"),
]
CSV = "".join(",".join(row) + "\n" for row in [CONTRACT.names, *ROWS]).encode()
QUOTED = CSV.replace(b",a,", b',"a",').replace(b"\n", b"\r\n")
JSONL = "".join(json.dumps(dict(zip(CONTRACT.names, row, strict=True))) + "\n" for row in ROWS).encode()


def table() -> pa.Table:
    admitted = admission.admit(intake.read(CSV, "sales.csv", CONTRACT), CONTRACT, None)
    return admitted.table


def parquet_file(**settings: Any) -> bytes:
    made = io.BytesIO()
    pq.write_table(table(), made, **settings)
    return made.getvalue()


def model() -> bytes:
    from tests.released import fit, rows

    return dump_model(fit(rows(days=4)))


def read_columns(place: At, data: bytes) -> object:
    """Arrow's own format, as the cache keeps columns: with a right head, whatever follows."""
    found = compaction._kept(place.put(compaction._head(data) + data), place.name)
    assert found is not None
    found.validate(full=True)
    return found


def columns() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table().schema) as writer:
        writer.write_table(table())
    return bytes(sink.getvalue().to_pybytes())


def read_trust(data: bytes) -> object:
    with tempfile.NamedTemporaryFile(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as file:
        file.write(data)
        file.flush()
        return Trust.load(Path(file.name))


def public_key() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return SIGNER.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def print_it(data: bytes) -> object:
    shown = printable(data.decode(errors="surrogateescape"))
    assert shown.encode().decode() == shown
    assert not any(ord(each) < 32 and each not in "\t\n" for each in shown)
    return shown


def words(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode(errors="replace"))


def _interval(text: str) -> Interval:
    import datetime

    return parse_interval(text, datetime.date(2013, 6, 1), lambda: datetime.date(2013, 6, 2))


def parsers() -> list[Parser]:
    """All of them; making their right inputs takes a second or two."""
    ours = [
        Parser(
            "canonical JSON", parse_json, [canonical_json(STAGE)], mutation.of_json, (ValueError,), weight=6
        ),
        Parser(
            "strict JSON",
            strict_json,
            [json.dumps(STAGE, indent=1).encode()],
            mutation.of_bytes,
            (ValueError,),
            weight=6,
        ),
        Parser("digest", words(Digest.parse), [DIGEST.encode()], refuses_with=(ValueError,), weight=3),
        Parser(
            "name in a store",
            words(check_name),
            [b"records/Sales/ab/1"],
            refuses_with=(ValueError,),
            weight=3,
        ),
        Parser("alias", words(check_alias), [b"flight-delay"], weight=3),
        Parser(
            "interval",
            words(_interval),
            [b"2013-05", b"today-28..today", b"2013-01-01..landed", b"2013-05-01T07"],
            refuses_with=(ValueError,),
            weight=3,
        ),
        Parser("printable text", print_it, ["a\x1b[31mb\u202ec\x9b".encode()], weight=3),
        Parser(
            "record",
            partial(read_record, At(f"{record_folder('Sales', DIGEST)}/1")),
            [canonical_json(record())],
            mutation.of_json,
            weight=3,
        ),
        *(
            Parser(f"ledger: {name}", partial(tell_run, At(name)), [canonical_json(told)], mutation.of_json)
            for name, told in RUN.items()
        ),
        Parser("claim", partial(read_claim, At(f"claims/{DIGEST.hex}")), [_claim()], mutation.of_json),
        Parser("cache", partial(read_sealed, At("cache/x")), [sealed()], weight=2),
        Parser("manifest", partial(read_manifest, True), [bundle().manifest()], mutation.of_json),
        Parser(
            "manifest, not signed", partial(read_manifest, False), [bundle().manifest()], mutation.of_json
        ),
        Parser(
            "signature",
            partial(read_signature, At(f"{glance.signatures(bundle().digest)}/{SIGNER.key.hex}")),
            [canonical_json(SIGNER.sign("bundle", bundle().manifest()).fields())],
            mutation.of_json,
        ),
        Parser(
            "generation",
            partial(read_generation, False, At(place_of("small", 1))),
            [enveloped("generation", GENERATION)],
            mutation.of_json,
        ),
        Parser(
            "generation, signed",
            partial(read_generation, True, At(place_of("small", 1))),
            [canonical_json(GENERATION)],
            mutation.of_json,
        ),
        Parser(
            "verdict",
            partial(read_verdict, False, At(f"verdicts/{DIGEST.hex}/1")),
            [enveloped("verdict", VERDICT)],
            mutation.of_json,
        ),
        Parser(
            "verdict, signed",
            partial(read_verdict, True, At(f"verdicts/{DIGEST.hex}/1")),
            [canonical_json(VERDICT)],
            mutation.of_json,
        ),
        Parser("bundle", Bundle.unpack, [bundle().pack()], mutation.of_json),
        Parser("contract of a bundle", _contract, [canonical_json(_contract_fields())], mutation.of_json),
        Parser(
            "aggregate",
            lambda data: codec.decode(codec.AGGREGATE, data, Tally),
            [canonical_json(Tally.of(table(), keys=["shop"], sums=["amount"]).state())],
            mutation.of_json,
        ),
        Parser("value as JSON", partial(codec.decode, codec.JSON), [canonical_json(STAGE)], mutation.of_json),
        Parser(
            "gzip",
            unpacking.gunzip,
            [gzip.compress(CSV, mtime=0)],
            mutation.of_gzip,
            (ValueError, EOFError, zlib.error),
            weight=2,
        ),
        Parser("JSON lines", partial(land, ".jsonl"), [JSONL]),
    ]
    data = model()
    native = [
        Parser("CSV", partial(land, ".csv"), [CSV, QUOTED], is_native=True),
        Parser(
            "CSV, packed",
            partial(land, ".csv.gz"),
            [gzip.compress(CSV, mtime=0)],
            mutation.of_gzip,
            is_native=True,
        ),
        Parser(
            "landed Parquet",
            partial(land, ".parquet"),
            [
                parquet_file(),
                parquet_file(compression="zstd", use_dictionary=False),
                parquet_file(data_page_version="2.0"),
            ],
            is_native=True,
        ),
        Parser(
            "Parquet without page sums",
            parquet.read,
            [parquet_file(compression="none"), parquet_file(compression="gzip")],
            refuses_with=(ValueError,),
            is_native=True,
        ),
        Parser("table", read_table, [write_table(table())], is_native=True),
        Parser(
            "columns in the cache",
            partial(read_columns, At("cache/columns/x")),
            [columns()],
            refuses_with=(pa.ArrowException, ValueError, OSError, UnicodeDecodeError),
            is_native=True,
        ),
        Parser("model", load_model, [data], mutation.of_archive, is_native=True),
        Parser("trusted keys", read_trust, [public_key()], is_native=True),
    ]
    return [*ours, *native]


def _claim() -> bytes:
    return canonical_json(
        {"host": "h", "boot": "b", "pid": 1, "started": "1", "expires_at": "2013-07-01T00:00:00+00:00"}
    )


def _contract_fields() -> list[dict[str, Any]]:
    from pipeline.release.served import contract_fields

    return contract_fields(CONTRACT)


def _contract(data: bytes) -> object:
    fields = dict.fromkeys(FILES, b"{}\n") | {"contract.json": data}
    return contract_of(Bundle("small", fields).json("contract.json"))
