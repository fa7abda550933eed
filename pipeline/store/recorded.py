"""What a record must look like for anybody to follow it: each field of its kind."""

from __future__ import annotations

from typing import Any

from pipeline.values.digest import Digest
from pipeline.values.shape import NULL, Each, natural, number, require

_RECIPE = {
    "task": str, "step": str, "partition": str, "code": Digest, "parameters": Each(str),
    "inputs": Each({"task": str, "digests": dict}), "file": (NULL, Digest),
}  # fmt: skip
_OUTPUT = {"digest": Digest, "blob": Digest, "size_bytes": natural, "codec": str, "rows": (NULL, natural)}
_ROWS = {"in": (NULL, natural), "out": (NULL, natural), "rejected": natural, "filtered": Each(int)}
_RECORD = {
    "recipe": _RECIPE, "outputs": Each(_OUTPUT), "rows": _ROWS, "reason": [str], "environment": Digest,
    "run": str, "started_at": str, "seconds": number,
}  # fmt: skip


def require_record(body: dict[str, Any]) -> None:
    """Raise `ValueError` naming the first field of a record that is not of its kind."""
    require({name: body[name] for name in _RECORD}, _RECORD, "the record")
    for name, entry in body["recipe"]["inputs"].items():
        if not all(digest is None or isinstance(digest, str) for digest in entry["digests"].values()):
            raise ValueError(f"the record.recipe.inputs[{name!r:.50}] holds what is no digest")
