"""Console sessions in the documentation: run them as they stand, and compare what they print.

A block fenced as ```console holds commands after `$ ` and their output. All blocks of a page are one shell
session. `python -m tests.console README.md` writes the outputs into the page as they are now.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = "/srv/headrace"
"""Where the checkout is, as the pages show it."""
_END = "--- end of command ---"
_VARIES = (
    (re.compile(r"\d{8}T\d{9}-[0-9a-f]{6}"), "<run>"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "<digest>"),
    (re.compile(r"\b[0-9a-f]{2}/(?=<digest>)"), ""),  # of a name in a store: the digest's beginning
    (re.compile(r"\b20(?!13)\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d"), "<instant>"),
    (re.compile(r" *\b\d+(\.\d+)? s\b"), " <seconds>"),
    (re.compile(r"\b\d+ bytes"), "<size>"),
    (re.compile(r"(?<=\} )\d+\.\d+$", re.MULTILINE), "<number>"),  # of a metric: seconds, instants
)


@dataclass(frozen=True)
class Command:
    """One command of a session, and what it printed."""

    text: str
    output: str

    def normal(self) -> str:
        """The output without what differs from run to run."""
        output = self.output
        for pattern, word in _VARIES:
            output = pattern.sub(word, output)
        return "\n".join(line.rstrip() for line in output.splitlines())


def commands(page: str) -> Iterator[Command]:
    """The commands of a page, with the output that the page shows."""
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            text, _, output = part.partition("\n")
            yield Command(text, output)


def run(wanted: list[Command], folder: Path, environment: Mapping[str, str]) -> list[Command]:
    """The same commands, with the output that they give now."""
    script = "".join(
        f"{command.text}\nset_status=$?; echo; echo '{_END}'; (exit $set_status)\n" for command in wanted
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    outputs = done.stdout.replace(str(folder), PLACE).split(f"\n{_END}\n")[:-1]
    assert len(outputs) == len(wanted), done.stdout[-2000:]
    return [replace(command, output=output) for command, output in zip(wanted, outputs, strict=True)]


def renewed(page: str, found: list[Command]) -> str:
    """The page with other outputs."""
    outputs = iter(found)

    def block(match: re.Match[str]) -> str:
        lines = []
        for part in re.split(r"^\$ ", match[1], flags=re.MULTILINE)[1:]:
            command = next(outputs)
            assert command.text == part.partition("\n")[0]
            lines.append(
                f"$ {command.text}\n" + (f"{command.output.rstrip()}\n" if command.output.strip() else "")
            )
        return f"```console\n{''.join(lines)}```"

    return _BLOCK.sub(block, page)


def main() -> int:
    """Renew the outputs of the pages that the command line names."""
    from tests.mill import ROOT, Checkout

    for name in sys.argv[1:]:
        path = ROOT / name
        page = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            checkout = Checkout(Path(folder) / "headrace")
            found = run(list(commands(page)), checkout.folder, checkout.environment())
        path.write_text(renewed(page, found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
