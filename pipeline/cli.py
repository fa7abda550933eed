"""`headrace COMMAND …` and `python -m pipeline COMMAND …`: one table of commands.

A command takes a task as Luigi does: its name, then its parameters. Expected failures end with one line and
their own exit code.
"""

from __future__ import annotations

import argparse
import configparser
import difflib
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pipeline.errors import ConfigurationError, HeadraceError
from pipeline.values.printable import printable


@dataclass(frozen=True)
class Command:
    """A command: what it is called, what it says of itself, and the module whose `main` does it."""

    name: str
    help: str
    module: str
    argument: str
    options: tuple[tuple[str, str], ...] = ()
    """What it takes besides `--module` and `--json`, and what each means."""


TASK = "TASK [--PARAMETER VALUE ...]"
WHY = ("--why TEXT", "the reason, which the alias keeps")
COMMANDS = (
    Command("plan", "what a run would do: where, why, how much", "pipeline.commands.plan", TASK),
    Command("why", "why partitions would run, or why they last ran", "pipeline.commands.why", TASK),
    Command(
        "show",
        "a record or artifact, part by part, with its lineage",
        "pipeline.commands.show",
        f"{TASK} | DIGEST",
    ),
    Command("log", "runs and how they ended", "pipeline.commands.log", "[RUN]"),
    Command(
        "diff",
        "what differs from another version, run or dates",
        "pipeline.commands.diff",
        f"{TASK} [--against RUN|CODE | --with DATES]",
        (
            ("--against RUN|CODE", "the same days as a run saw them, or as a code made them, by its digits"),
            ("--with DATES", "other days of this version, such as 2013-05"),
        ),
    ),
    Command("verify", "whether building again gives equal values", "pipeline.commands.verify", TASK),
    Command("lint", "constructs that make a build no pure function", "pipeline.commands.lint", TASK),
    Command(
        "card",
        "the model card of a release, in a browser",
        "pipeline.commands.card",
        f"{TASK} | ALIAS | BUNDLE",
    ),
    Command("history", "what served when, by whom and why", "pipeline.commands.history", "[ALIAS]"),
    Command("promote", "let a bundle serve", "pipeline.commands.promote", "ALIAS BUNDLE --why TEXT", (WHY,)),
    Command(
        "rollback",
        "give back what served before",
        "pipeline.commands.rollback",
        "ALIAS --why TEXT [--to BUNDLE | GENERATION]",
        (WHY, ("--to BUNDLE | GENERATION", "what shall serve again; without it, the last other model")),
    ),
    Command("publish", "put a bundle into the online store again", "pipeline.commands.publish", TASK),
    Command(
        "fsck",
        "what of a store is damaged, and what heals it",
        "pipeline.commands.fsck",
        "[STORE] [--full | --sample N%] [--seed TEXT] [--heal]",
        (
            ("--full", "read the bytes of all blobs"),
            ("--sample N%", "read the bytes of a share of the blobs, such as 5%"),
            ("--seed TEXT", "draw the blobs that an earlier sample drew, which printed it"),
            ("--heal", "move what is damaged to the trash, so that runs build it again"),
        ),
    ),
    Command(
        "doctor", "whether this machine and its stores can be worked with", "pipeline.commands.doctor", ""
    ),
    Command(
        "gc",
        "what nothing needs any more: collect it",
        "pipeline.commands.gc",
        "[--execute] [--keep-days N] [--keep-models N] [--grace-days N] [--trash-days N]",
        (
            ("--execute", "do it; without it, nothing is changed"),
            ("--keep-days N", "keep what was used or made within so many days"),
            ("--keep-models N", "keep so many of the last bundles of each alias, 2 or more"),
            ("--grace-days N", "leave what is unused until it has been seen so for so long"),
            ("--trash-days N", "delete for good what lay in the trash for so long"),
        ),
    ),
    Command("keygen", "make a key to sign releases with", "pipeline.commands.keygen", "FILE"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, that of the named error, or 2 for a wrong use."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _main(words)
    except KeyboardInterrupt:
        return 130  # as shells count it
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
        return 0


def _main(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), flush=True)
        return 0 if words else 2
    if words[0] == "--version":
        print(f"headrace {_version()}", flush=True)
        return 0
    known = {command.name: command for command in COMMANDS}
    if words[0] not in known:
        close = difflib.get_close_matches(words[0], known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        print(printable(f"headrace: there is no command {words[0]!r}{hint}\n{usage()}"), file=sys.stderr)
        return 2
    return _run(known[words[0]], words[1:])


def _version() -> str:
    try:
        return metadata.version("headrace")
    except metadata.PackageNotFoundError:
        return f"of {Path(__file__).parent}, which is not installed"


def _run(command: Command, words: list[str]) -> int:
    options, rest = _parser(command).parse_known_args(words)
    try:
        _load_tasks(options.module)
        if command.name != "doctor":  # which lists all that is wrong
            _require_sound()
        lines = importlib.import_module(command.module).main(rest, options.json)
        for line in lines:
            print(_shown(line), flush=True)  # before what is said of an error
    except HeadraceError as error:
        print(_shown(f"headrace {command.name}: {error}"), file=sys.stderr)
        return error.exit_code
    except configparser.Error as error:
        return _unreadable(command, error)
    return 0


def _parser(command: Command) -> argparse.ArgumentParser:
    """What is common to all commands; the rest is each one's own, and told of here."""
    width = max((len(flag) for flag, _ in command.options), default=0)
    own = [f"  {flag:{width}}  {meaning}" for flag, meaning in command.options]
    usage = f"headrace {command.name} [--module MODULE] [--json] {command.argument}"
    parser = argparse.ArgumentParser(
        prog=f"headrace {command.name}", description=command.help, allow_abbrev=False,
        usage=usage.rstrip().replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join([f"options of {command.name}:", *own]) if own else None,
    )  # fmt: skip
    parser.add_argument(
        "--module",
        default=None,
        help="where the task is defined (default: what [headrace] module says; below a checkout, its tasks)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def _unreadable(command: Command, error: configparser.Error) -> int:
    """Luigi reads its configuration as it is imported: where that fails, nothing of it can be used."""
    told = ConfigurationError(
        f"Luigi's configuration does not read: {' '.join(str(error).split())}: correct it; "
        f"options stand under a section, such as [headrace]"
    )
    print(printable(f"headrace {command.name}: {told}"), file=sys.stderr)
    return told.exit_code


def _require_sound() -> None:
    from pipeline.build.options import require_sound

    require_sound()


def _shown(text: str) -> str:
    from pipeline.build.messages import shown

    return shown(text)


def _load_tasks(module: str | None) -> None:
    """Import the tasks, so that they and their configuration are known."""
    logging.getLogger("luigi-interface").setLevel(logging.WARNING)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: a newcomer's module is found beside them
    from pipeline.build.options import setting

    name = module or setting("module") or _tasks_around()
    try:
        if name is not None:  # `log` and a digest need no tasks
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and lacks another
        raise ConfigurationError(
            f"there is no module {name!r} on the path; run in its folder, or install it"
        ) from None


def _tasks_around() -> str | None:
    """`tasks`, in its own checkout: elsewhere what is installed under that name is another project's."""
    found = importlib.util.find_spec("tasks")
    if found is None or found.origin is None:
        return None
    home = Path(found.origin).resolve().parent
    root = home.parent if found.submodule_search_locations else home
    return "tasks" if Path.cwd().resolve().is_relative_to(root) else None


def usage() -> str:
    """The commands, a line each."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:{width}}  {command.help}" for command in COMMANDS]
    return "\n".join(["usage: headrace COMMAND [--module MODULE] [--json] ...", "", *lines])
