"""`headrace card`: the model card of a release, in a browser."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.commands.publish import made, parse_release
from pipeline.release import configured, signed
from pipeline.values.bundle import Bundle
from pipeline.values.digest import canonical_json


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Write the card to a file and open it; a task, an alias or a bundle's first digits name it."""
    bundle = _bundle(words)
    if json:
        yield canonical_json(bundle.json("card.json")).decode().rstrip()
        return
    path = Path(tempfile.mkdtemp(prefix="headrace-card-")) / f"card-{bundle.digest.short}.html"
    path.write_bytes(bundle.files["card.html"])
    is_open = webbrowser.open(path.as_uri())
    yield f"{'opened' if is_open else 'no browser is here; the card is'} {path}"


def _bundle(words: Sequence[str]) -> Bundle:
    if len(words) == 1 and not (words[0][:1].isupper() or words[0].startswith("-")):
        aliases = configured.aliases()
        newest = aliases.current(words[0]) if words[0] in aliases.aliases() else None
        digest = newest.bundle if newest else aliases.find(words[0])
        return signed.read(aliases.storage, digest, aliases.trust)
    return made(parse_release(words, "card"))
