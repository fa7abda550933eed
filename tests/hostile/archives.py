"""Models: archives that are none, that unpack to too much, and that name what may not be made."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

import numpy as np  # noqa: TID253

from pipeline.errors import DataError
from pipeline.values.model import load_model
from tests.hostile import Case
from tests.torture import parsers as p

MANY = b"PK\1\2" * ((1 << 18) + 1)


@cache
def right() -> bytes:
    """A model that loads."""
    return p.model()


@cache
def members() -> Mapping[str, bytes]:
    """What is in it."""
    with zipfile.ZipFile(io.BytesIO(right())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(content: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as target:
        for name, data in content.items():
            target.writestr(name, data)
    return made.getvalue()


def with_schema(schema: Any) -> bytes:
    """The model under another schema."""
    data = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    return archive({**members(), "schema.json": data})


def node(module: str, name: str, loader: str, **more: Any) -> bytes:
    """A model that is one object of some type."""
    schema = json.loads(members()["schema.json"])
    kept = {key: schema[key] for key in ("protocol", "_skops_version")}
    return with_schema(
        {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **more, **kept}
    )


@cache
def zeros(size_bytes: int) -> bytes:
    """Deflated zeros, made a megabyte at a time."""
    stream = zlib.compressobj(9, wbits=-15)
    return b"".join([*(stream.compress(bytes(1 << 20)) for _ in range(size_bytes >> 20)), stream.flush()])


def forged(name: str, packed: bytes, unpacked_bytes: int, flags: int = 0, method: int = 8) -> bytes:
    """An archive of one member, of which nobody checked what its head says."""
    sizes = struct.pack("<III", 0, len(packed), unpacked_bytes)
    local = b"PK\3\4" + struct.pack("<HHHHH", 20, flags, method, 0, 33) + sizes
    local += struct.pack("<HH", len(name), 0) + name.encode() + packed
    central = b"PK\1\2" + struct.pack("<HHHHHH", 20, 20, flags, method, 0, 33) + sizes
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name.encode()
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def overlapping() -> bytes:
    """Two members that share their bytes: each can be counted again and again."""
    made = archive({"1.npy": b"\0" * 9000, "2.npy": b"\1" * 9000}, zipfile.ZIP_STORED)
    at = made.rindex(b"PK\1\2")
    return made[: at + 42] + bytes(4) + made[at + 46 :].replace(b"2.npy", b"1.npz")


def unsound() -> Iterator[tuple[str, bytes, str]]:
    """Archives that are refused before anything in them is read."""
    data = right()
    yield "empty", b"", "don't load as a model"
    yield "not a zip", p.CSV, "don't load as a model"
    yield "a pickle", b"\x80\x04cposix\nsystem\n.", "don't load as a model"
    yield "cut", data[:-30], "don't load as a model"
    yield "no members", archive({}), "don't load as a model"
    yield "no schema", archive({"1.npy": b""}), "don't load as a model"
    yield "a bomb", forged("schema.json", zeros(1 << 20), 1100 << 20), "1073741824 at most"
    yield "a schema beyond all", forged("schema.json", zeros(1 << 20), 65 << 20), "found a schema of"
    yield (
        "a bomb that lies of its size",
        forged("schema.json", zeros(32 << 20), 100),
        "don't load as a model",
    )
    yield (
        "a bomb within an archive",
        archive({"schema.json": b"{}", "1.npz": forged("data.npy", zeros(1 << 20), 1100 << 20)}),
        "at most",
    )
    yield "more members than any model has", MANY, "more than 262144 members"
    yield "a path", archive({**members(), "../../etc/cron.d/x": b""}), "which no model has"
    yield "an absolute path", archive({**members(), "/etc/passwd": b""}), "which no model has"
    yield "a folder", archive({**members(), "1/": b""}), "which no model has"
    yield "a program", archive({**members(), "setup.py": b""}), "which no model has"
    yield "an escape in a name", archive({**members(), "\x1b[2J.npy": b""}), "which no model has"
    yield "encrypted", forged("schema.json", b"x", 1, flags=1), "encrypted, or packed by another way"
    yield "packed by bzip2", archive(members(), zipfile.ZIP_BZIP2), "encrypted, or packed by another way"
    yield "packed by LZMA", archive(members(), zipfile.ZIP_LZMA), "encrypted, or packed by another way"
    yield "an unknown method", forged("schema.json", b"x", 1, method=99), "packed by another way"
    yield (
        "members over one another",
        forged("schema.json", b"x", 1).replace(
            struct.pack("<III", 0, 1, 1), struct.pack("<III", 0, 1 << 20, 1)
        ),
        "over one another|don't load",
    )
    yield "two members of one name", _twice(), "two members of one name"
    yield "a wrong sum", forged("schema.json", zlib.compress(b"{}")[2:-4], 2), "don't load as a model"


def _twice() -> bytes:
    made = archive({"1.npy": b"a", "2.npy": b"b", "schema.json": b"{}"})
    return made.replace(b"2.npy", b"1.npy")


def schemas() -> Iterator[tuple[str, bytes, str]]:
    """Sound archives, whose schema is none, or names what nobody should make."""
    yield from (
        (f"a schema that is {how}", with_schema(data), "don't load as a model")
        for how, data in {
            "empty": b"",
            "null": b"null",
            "a list": b"[]",
            "an empty object": b"{}",
            "not JSON": b"x",
            "not UTF-8": b"\xff",
            "deep": b"[" * 100_000,
            "NaN": b"NaN",
            "cut": members()["schema.json"][:100],
        }.items()
    )
    for module, name in (
        ("posix", "system"),
        ("os", "system"),
        ("subprocess", "run"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "__import__"),
        ("pickle", "loads"),
        ("shutil", "rmtree"),
        ("ctypes", "CDLL"),
        ("importlib", "import_module"),
        ("pipeline.cli", "main"),
        ("joblib", "load"),
        ("numpy", "load"),
    ):
        made = node(module, name, "FunctionNode", content={"module_path": module, "function": name})
        yield f"the function {module}.{name}", made, "aren't in TRUSTED_TYPES|don't load"
    for module, name in (
        ("subprocess", "Popen"),
        ("builtins", "open"),
        ("socket", "socket"),
        ("tests.released", "Service"),
        ("pathlib", "Path"),
        ("pipeline.store.local", "LocalStorage"),
        ("sklearn.datasets", "fetch_openml"),
    ):
        made = node(
            module,
            name,
            "ObjectNode",
            content={
                "__class__": "dict",
                "__module__": "builtins",
                "__loader__": "DictNode",
                "content": {},
                "key_types": {},
            },
        )
        yield f"an object of {module}.{name}", made, "aren't in TRUSTED_TYPES|don't load"
        yield (
            f"the type {module}.{name}",
            node(module, name, "TypeNode"),
            "aren't in TRUSTED_TYPES|don't load",
        )
    yield "an unknown loader", node("builtins", "dict", "EvalNode"), "don't load"
    yield "a loader of an earlier protocol", node("builtins", "dict", "DictNode", protocol=-1), "don't load"
    yield (
        "a file that is not there",
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="9999.npy"),
        "don't load",
    )
    yield (
        "a file elsewhere",
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="/etc/passwd"),
        "don't load",
    )


def arrays() -> Iterator[tuple[str, bytes, str]]:
    """Arrays that are none, that hold pickled objects, or that say that they are larger than all memory."""
    saved = io.BytesIO()
    np.save(saved, np.array([{"a": 1}], object), allow_pickle=True)
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    code = io.BytesIO()
    np.lib.format.write_array_header_1_0(code, {"descr": "<f8", "fortran_order": False, "shape": (1,)})
    run = code.getvalue().replace(b"'<f8'", b"f(0) ")
    for how, data in {
        "pickled objects": saved.getvalue(),
        "a shape beyond all": huge.getvalue(),
        "no array": b"x",
        "a head that is code": run,
        "cut": code.getvalue(),
    }.items():
        made = io.BytesIO()
        reference = node("numpy", "ndarray", "NdArrayNode", type="numpy", file="9.npy")
        with zipfile.ZipFile(io.BytesIO(reference)) as source, zipfile.ZipFile(made, "w") as target:
            target.writestr("schema.json", source.read("schema.json"))
            target.writestr("9.npy", data)
        yield f"an array of {how}", made.getvalue(), "don't load as a model"


def cases() -> Iterator[Case]:
    """The hostile models."""
    for how, data, says in (*unsound(), *schemas(), *arrays()):
        yield Case(f"model, {how}", partial(load_model, data), DataError, says)
