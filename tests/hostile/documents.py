"""JSON that lies in a store: records, manifests, signatures, generations, verdicts, bundles, contracts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from pipeline.errors import BundleDamaged, DataError, Expired, HeadraceError, RecordDamaged, Untrusted
from pipeline.release import glance
from pipeline.release.aliases import place_of
from pipeline.store.repository import record_folder
from pipeline.values import codec
from pipeline.values.bundle import Bundle
from pipeline.values.digest import canonical_json
from pipeline.values.tally import Tally
from tests.hostile import Case
from tests.torture import parsers as p

RECORD_PLACE = f"{record_folder('Sales', p.DIGEST)}/1"
VERDICT_PLACE = f"verdicts/{p.DIGEST.hex}/1"
SIGNATURE_PLACE = f"{glance.signatures(p.bundle().digest)}/{p.SIGNER.key.hex}"


class Document(NamedTuple):
    """A kind of JSON document: how it is read, one that reads, and the error of those that don't."""

    name: str
    read: Callable[[bytes], object]
    right: bytes
    error: type[HeadraceError]


DOCUMENTS = (
    Document("record", partial(p.read_record, p.At(RECORD_PLACE)), canonical_json(p.record()), RecordDamaged),
    Document("manifest", partial(p.read_manifest, True), p.bundle().manifest(), BundleDamaged),
    Document(
        "signature",
        partial(p.read_signature, p.At(SIGNATURE_PLACE)),
        canonical_json(p.SIGNER.sign("bundle", p.bundle().manifest()).fields()),
        BundleDamaged,
    ),
    Document(
        "generation",
        partial(p.read_generation, False, p.At(place_of("small", 1))),
        p.enveloped("generation", p.GENERATION),
        BundleDamaged,
    ),
    Document(
        "verdict",
        partial(p.read_verdict, False, p.At(VERDICT_PLACE)),
        p.enveloped("verdict", p.VERDICT),
        BundleDamaged,
    ),
    Document("bundle", Bundle.unpack, p.bundle().pack(), BundleDamaged),
    Document("contract", p._contract, canonical_json(p._contract_fields()), BundleDamaged),
    Document(
        "aggregate",
        lambda data: codec.decode(codec.AGGREGATE, data, Tally),
        canonical_json(Tally.of(p.table(), keys=["shop"], sums=["amount"]).state()),
        DataError,
    ),
)


def broken(right: bytes) -> Iterator[tuple[str, bytes]]:
    """Ways in which no document of ours is written, whatever it is."""
    value = json.loads(right)
    yield from {
        "empty": b"",
        "nothing but a newline": b"\n",
        "a NUL": b"\0",
        "null": b"null\n",
        "true": b"true\n",
        "a number": b"1\n",
        "a text": b'"x"\n',
        "not JSON": b"{'a': 1}\n",
        "cut": right[: len(right) // 2],
        "without its newline": right[:-1],
        "with more behind it": right + right,
        "with a space": b" " + right,
        "with CRLF": right[:-1] + b"\r\n",
        "with a byte order mark": b"\xef\xbb\xbf" + right,
        "in UTF-16": right.decode().encode("utf-16"),
        "in other layout": json.dumps(value, indent=1).encode(),
        "NaN": b"NaN\n",
        "infinity": b'{"a":Infinity}\n',
        "half a surrogate pair": b'{"a":"\\ud800"}\n',
        "not UTF-8": b'{"a":"\xff"}\n',
        "deep": b"[" * 101 + b"]" * 101 + b"\n",
        "very deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
        "5000 digits": b'{"a":' + b"9" * 5000 + b"}\n",
        "a key twice": _twice(right),
    }.items()
    if isinstance(value, dict):
        yield "an unknown field", canonical_json({**value, "__class__": "os.system"})
        for name in value:
            yield f"no {name}", canonical_json({key: each for key, each in value.items() if key != name})


def _twice(right: bytes) -> bytes:
    """The first key given twice: which of the values counts is up to the parser, and so to the attacker."""
    if not right.startswith(b"{"):
        return b'{"a":1,"a":2}\n'
    key = right.split(b":", 1)[0][1:]
    return b"{" + key + b":null," + right[1:]


def cases() -> Iterator[Case]:
    """The hostile documents."""
    for document in DOCUMENTS:
        for how, data in broken(document.right):
            if document.name == "aggregate" and how == "an unknown field":
                continue  # what a state holds is its class's own affair
            yield Case(f"{document.name}, {how}", partial(document.read, data), document.error)
    yield from _records()
    yield from _manifests()
    yield from _generations()
    yield from _signatures()


def _records() -> Iterator[Case]:
    read, right = partial(p.read_record, p.At(RECORD_PLACE)), p.record()
    out, recipe = right["outputs"]["value"], right["recipe"]
    wrong: Mapping[str, Mapping[str, Any]] = {
        "of another key": {"key": "sha256:" + "2" * 64},
        "of another attempt": {"attempt": 2},
        "of a later format": {"format": 99},
        "without a value": {"outputs": {}},
        "outputs as a list": {"outputs": [out]},
        "a blob that is a path": {"outputs": {"value": {**out, "blob": "../x"}}},
        "a negative size": {"outputs": {"value": {**out, "size_bytes": -1}}},
        "a size that is true": {"outputs": {"value": {**out, "size_bytes": True}}},
        "a size beyond all": {"outputs": {"value": {**out, "size_bytes": 1 << 70}}},
        "more in an output": {"outputs": {"value": {**out, "url": "file:///x"}}},
        "a codec that is a list": {"outputs": {"value": {**out, "codec": ["pickle"]}}},
        "a recipe as text": {"recipe": "Sales"},
        "a task as a list": {"recipe": {**recipe, "task": []}},
        "inputs as a list": {"recipe": {**recipe, "inputs": []}},
        "digests as numbers": {"recipe": {**recipe, "inputs": {"a": {"task": "A", "digests": {"x": 1}}}}},
        "digests as lists": {"recipe": {**recipe, "inputs": {"a": {"task": "A", "digests": {"x": []}}}}},
        "a file that is a path": {"recipe": {**recipe, "file": "/etc/passwd"}},
        "reasons as text": {"reason": "never built"},
        "seconds as text": {"seconds": "1"},
        "more seconds than a float": {"seconds": 10**400},
        "rows as a list": {"rows": []},
        "an environment that is a path": {"environment": "../../x"},
    }
    for how, change in wrong.items():
        yield Case(
            f"record, {how}", partial(read, canonical_json({**right, **change})), RecordDamaged, "is damaged"
        )


def _manifests() -> Iterator[Case]:
    right = json.loads(p.bundle().manifest())
    entry = right["files"]["card.html"]
    wrong: Mapping[str, Any] = {
        "of a later format": {"format": "headrace bundle 2"},
        "files as a list": {"files": []},
        "a file too many": {"files": {**right["files"], "../../x": entry}},
        "a file that is a path": {
            "files": {**right["files"], "card.html": {**entry, "digest": "../../etc/passwd"}}
        },
        "a negative size": {"files": {**right["files"], "card.html": {**entry, "size_bytes": -1}}},
        "a size that is true": {"files": {**right["files"], "card.html": {**entry, "size_bytes": True}}},
        "more than is read": {"files": {**right["files"], "card.html": {**entry, "size_bytes": 1 << 40}}},
        "a smaller size than it has": {"files": {**right["files"], "card.html": {**entry, "size_bytes": 1}}},
        "a blob that is not there": {
            "files": {**right["files"], "card.html": {**entry, "digest": "sha256:" + "0" * 64}}
        },
        "a link in an entry": {"files": {**right["files"], "card.html": {**entry, "link": "/etc/passwd"}}},
    }
    for how, change in wrong.items():
        data = canonical_json({**right, **change})
        yield Case(f"manifest, {how}", partial(p.read_manifest, True, data), BundleDamaged)
    yield Case("manifest, not signed", partial(p.read_manifest, False, p.bundle().manifest()), Untrusted)


def _generations() -> Iterator[Case]:
    place = p.At(place_of("small", 1))
    wrong: Mapping[str, tuple[Mapping[str, Any], type[HeadraceError]]] = {
        "of another alias": ({"alias": "other"}, BundleDamaged),
        "of another number": ({"number": 2}, BundleDamaged),
        "a number that is true": ({"number": True}, BundleDamaged),
        "a number as a float": ({"number": 1.0}, BundleDamaged),
        "an unknown step": ({"step": "replace"}, BundleDamaged),
        "a bundle that is a path": ({"bundle": "../x"}, BundleDamaged),
        "a word of a later version": ({"signers": []}, BundleDamaged),
        "automatic as a number": ({"is_automatic": 1}, BundleDamaged),
        "an expiry without a zone": ({"expires_at": "2013-07-01"}, BundleDamaged),
        "an expiry that is none": ({"expires_at": "never"}, BundleDamaged),
        "expiring as null": ({"expires_at": None}, BundleDamaged),
        "expired": ({"expires_at": "2013-05-31T23:59:59+00:00"}, Expired),
        "expired this instant": ({"expires_at": "2013-06-01T02:00:00+02:00"}, Expired),
    }
    for how, (change, error) in wrong.items():
        data = canonical_json({**p.GENERATION, **change})
        yield Case(f"generation, signed, {how}", partial(p.read_generation, True, place, data), error)
    for name in p.GENERATION:
        data = p.enveloped("generation", p.GENERATION)
        body = json.loads(data)
        body["generation"] = {**body["generation"], name: _other(body["generation"][name])}
        yield Case(
            f"generation, {name} changed",
            partial(p.read_generation, False, place, canonical_json(body)),
            Untrusted,
        )
    verdict = p.enveloped("verdict", p.GENERATION)
    mixed = canonical_json({**json.loads(verdict), "generation": p.GENERATION})
    moved = canonical_json({k: v for k, v in json.loads(mixed).items() if k != "verdict"})
    yield Case("generation, signed as a verdict", partial(p.read_generation, False, place, moved), Untrusted)


def _other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value.startswith("sha256:"):
        return "sha256:" + "7" * 64
    return {"promote": "rollback"}.get(value) or value.replace("2013", "2014") + (
        "" if "2013" in value else "x"
    )


def _signatures() -> Iterator[Case]:
    place, right = p.At(SIGNATURE_PLACE), p.SIGNER.sign("bundle", p.bundle().manifest()).fields()
    hexes = right["signature"]
    wrong: Mapping[str, tuple[Mapping[str, Any], type[HeadraceError]]] = {
        "by a stranger": ({"key": "sha256:" + "0" * 64}, Untrusted),
        "of other bytes": ({"signature": "0" * 128}, Untrusted),
        "with spaces": ({"signature": " ".join(hexes)}, BundleDamaged),
        "in capitals": ({"signature": "AB" * 64}, BundleDamaged),
        "two digits short": ({"signature": hexes[:-2]}, BundleDamaged),
        "longer": ({"signature": hexes + "00"}, BundleDamaged),
        "as a list": ({"signature": [hexes]}, BundleDamaged),
        "a key that is a path": ({"key": "../../x"}, BundleDamaged),
        "for another purpose": (p.SIGNER.sign("verdict", p.bundle().manifest()).fields(), Untrusted),
    }
    for how, (change, error) in wrong.items():
        yield Case(
            f"signature, {how}", partial(p.read_signature, place, canonical_json({**right, **change})), error
        )
