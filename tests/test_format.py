"""`docs/format.md`, held by code that shares nothing with the framework's own."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.values.digest import Digest, digest_value
from tests.mill import ROOT, Project

PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")


def encode(value: Any) -> bytes:
    """The page's table of plain values, as a reader of it would write it down."""
    if value is None or value is True or value is False:
        return {None: b"n", True: b"t", False: b"F"}[value]
    if isinstance(value, int):
        return framed(b"i", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    if isinstance(value, float):
        return b"f" + struct.pack(">d", value)
    if isinstance(value, Digest):
        return framed(b"#", value.encode())
    if isinstance(value, str):
        return framed(b"s", value.encode())
    if isinstance(value, bytes):
        return framed(b"b", value)
    if isinstance(value, datetime.date):
        return framed(b"D", value.isoformat().encode())
    if isinstance(value, list | tuple):
        return framed(b"l", b"".join(map(encode, value)))
    pairs = sorted((encode(key), encode(item)) for key, item in value.items())
    return framed(b"d", b"".join(key + item for key, item in pairs))


def framed(tag: bytes, data: bytes) -> bytes:
    return tag + str(len(data)).encode() + b":" + data


def digest(value: Any) -> Digest:
    return Digest("sha256:" + hashlib.sha256(b"headrace/value/1\n" + encode(value)).hexdigest())


def root(leaves: dict[str, str | None]) -> Digest:
    level: dict[str, Any] = {label: Digest(text) if text else None for label, text in leaves.items()}
    for width in (7, 4, 0):
        groups: dict[str, dict[str, Any]] = {}
        for label, text in level.items():
            groups.setdefault(label[:width], {})[label] = text
        level = {label: digest(group) for label, group in groups.items()}
    return Digest(level[""])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of an example that was built."""
    project = Project.example("shop", tmp_path_factory.mktemp("format") / "shop")
    project.luigi("shop", "Slumps")
    return project.store


def records(store: Path) -> list[tuple[Path, dict[str, Any]]]:
    return [(p, json.loads(p.read_bytes())) for p in sorted((store / "records").rglob("*")) if p.is_file()]


def test_the_layout_is_the_one_of_the_page(store: Path) -> None:
    listed = set(re.findall(r"^(\w+)[/ ]", PAGE.split("```")[1], re.MULTILINE))

    assert {path.name for path in store.iterdir()} <= listed
    assert (store / "format").read_text() == "headrace store 1\n"


def test_sha256sum_agrees_with_the_name_of_each_blob(store: Path) -> None:
    blobs = [path for path in (store / "blobs" / "sha256").rglob("*") if path.is_file()]
    sums = subprocess.run(["sha256sum", *blobs], capture_output=True, text=True, check=True).stdout

    assert len(blobs) > 20
    assert [line.split()[0] for line in sums.splitlines()] == [b.parent.name + b.name for b in blobs]


def test_records_are_canonical_json_in_the_place_of_their_key(store: Path) -> None:
    for path, record in records(store):
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
        assert path.read_text(encoding="utf-8") == text
        key = record["key"].removeprefix("sha256:")
        task = record["recipe"]["task"]
        assert path == store / "records" / task / key[:2] / key / str(record["attempt"])


def test_every_key_is_the_digest_of_the_recipe(store: Path) -> None:
    for _, record in records(store):
        recipe = record["recipe"]
        inputs = {}
        for name, entry in recipe["inputs"].items():
            found = entry["digests"]
            is_single = entry["task"] in ("Sales", "WeekBefore")  # `summaries` are asked for by window
            inputs[name] = digest(Digest(next(iter(found.values())))) if is_single else root(found)
        parts = [
            "headrace action 1",
            recipe["task"],
            recipe["step"],
            recipe["partition"],
            Digest(recipe["code"]),
            recipe["parameters"],
            inputs,
            Digest(recipe["file"]) if recipe["file"] else None,
        ]
        assert digest(parts) == record["key"], recipe


def test_the_code_of_a_recipe_is_a_blob(store: Path) -> None:
    for _, record in records(store):
        code = record["recipe"]["code"].removeprefix("sha256:")
        assert set(json.loads((store / "blobs" / "sha256" / code[:2] / code[2:]).read_bytes())) == {
            "distributions",
            "parts",
            "python",
        }


def test_a_tables_digest_is_that_of_its_logical_content(store: Path) -> None:
    import io

    import pyarrow.parquet as pq

    for _, record in records(store):
        out = record["outputs"]["value"]
        if record["recipe"]["task"] != "Sales":
            continue
        blob = out["blob"].removeprefix("sha256:")
        table = pq.read_table(io.BytesIO((store / "blobs" / "sha256" / blob[:2] / blob[2:]).read_bytes()))
        columns = []
        for name in table.column_names:
            values = table[name].to_pylist()
            kind = "int64" if isinstance(values[0], int) else "string"
            content = kind.encode() + b"\n" + struct.pack("<q", len(values)) + b"\0"
            if kind == "int64":
                content += struct.pack(f"<{len(values)}q", *values)
            else:
                texts = [value.encode() for value in values]
                content += struct.pack(f"<{len(values)}q", *map(len, texts)) + b"".join(texts)
            columns.append([name, hashlib.sha256(content).digest()])
        assert digest(["headrace/table/1", table.num_rows, columns]) == out["digest"]


def test_an_aggregates_digest_is_that_of_its_class_and_state(store: Path) -> None:
    for _, record in records(store):
        out = record["outputs"]["value"]
        if out["codec"] == "aggregate/1":
            blob = out["blob"].removeprefix("sha256:")
            state = json.loads((store / "blobs" / "sha256" / blob[:2] / blob[2:]).read_bytes())
            assert digest(["pipeline.values.tally.Tally", state]) == out["digest"]


def test_the_worked_digest_of_the_page_is_right() -> None:
    shown = re.search(r"`digest_value\(\[\"ab\", 1\]\)` is .*?`(sha256:[0-9a-f]{64})`", PAGE, re.DOTALL)

    assert shown
    assert digest(["ab", 1]) == digest_value(["ab", 1]) == shown[1]
