"""What `headrace doctor` asks of a machine besides its file systems: versions, clock, keys, configuration."""

from __future__ import annotations

import datetime
import os
import platform
import re
import stat
from collections.abc import Iterator, Mapping
from importlib import metadata

from pipeline.build import configuration as settings
from pipeline.build import ledger, options
from pipeline.build.session import Session
from pipeline.errors import ConfigurationError, HeadraceError, StoreError
from pipeline.release import configured
from pipeline.release.signing import Signer, Trust
from pipeline.store.storage import Storage
from pipeline.values.check import Outcome, Status
from pipeline.values.digest import Digest, parse_json

_DISTRIBUTION = "headrace"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9][0-9.]*)")
_AHEAD = datetime.timedelta(minutes=1)
_SHOWN = 5


def _told(name: str, status: Status, why: str) -> Outcome:
    return Outcome(name, status, None, "", why)


def versions() -> Iterator[Outcome]:
    """Python and the libraries, against the ranges that the distribution declares."""
    try:
        found = metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield _told(
            "versions", "warn", f"{_DISTRIBUTION} is not installed, and so declares none: pip install it"
        )
        return
    yield _version("Python", platform.python_version(), found.metadata["Requires-Python"] or "")
    for line in found.requires or ():
        if "extra ==" not in line:
            name = _NAME.match(line)
            assert name is not None
            yield _version(name[0], installed(name[0]), line)


def installed(name: str) -> str:
    """The version of a distribution; nothing where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _version(name: str, found: str, declared: str) -> Outcome:
    bounds = _BOUND.findall(declared)
    asked = ", ".join(operator + bound for operator, bound in bounds) or "any version"
    if not found:
        return _told(name, "fail", f"not installed, expected {asked}: pip install it")
    if not all(_holds(found, operator, bound) for operator, bound in bounds):
        return _told(name, "fail", f"{found}, expected {asked}: install one that is supported")
    return _told(name, "pass", f"{found} ({asked})")


def _holds(found: str, operator: str, bound: str) -> bool:
    ours, theirs = _numbers(found), _numbers(bound)
    width = max(len(ours), len(theirs))
    a, b = (each + (0,) * (width - len(each)) for each in (ours, theirs))
    return {">=": a >= b, "<=": a <= b, "==": a == b, "!=": a != b, "<": a < b, ">": a > b}[operator]


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else ()


def environments(session: Session) -> Iterator[Outcome]:
    """The libraries by which the newest values were made, against those that are installed now."""
    made = _newest_code(session)
    if made is None:
        yield _told("made with", "pass", "nothing was built yet")
        return
    now = {name: installed(name) for name in made} | {"Python": ".".join(platform.python_version_tuple()[:2])}
    other = [
        f"{name} {text}, now {now[name] or 'absent'}" for name, text in made.items() if now[name] != text
    ]
    if other:
        more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
        told = f"the newest values were made with {', '.join(other[:_SHOWN])}{more}"
        yield _told("made with", "warn", f"{told}: what used them is built again, or install those")
    else:
        yield _told(
            "made with", "pass", f"the newest values were made with what is installed ({len(made)} versions)"
        )


def _newest_code(session: Session) -> Mapping[str, str] | None:
    """The versions by which the last run that built anything did so."""
    storage = session.storage
    for run in sorted({name.split("/")[1] for name in storage.list("runs")}, reverse=True):
        builds = [build for stage in ledger.stages(storage, run).values() for build in stage["builds"]]
        found: dict[str, str] = {}
        for task, key in {build["task"]: build["key"] for build in builds}.items():
            try:
                record = session.repository.record(task, Digest(key))
                code = record and parse_json(session.repository.read_blob(Digest(record.recipe["code"])))
            except HeadraceError:
                continue  # fsck tells of it
            if code:
                found |= {**code["distributions"], "Python": code["python"]}
        if found:
            return found
    return None


def clock(session: Session) -> Iterator[Outcome]:
    """The present instant against that of the newest run: what was built last must not lie ahead."""
    now = session.clock()
    newest = max((name.split("/")[1] for name in session.storage.list("runs")), default="")
    try:
        at = datetime.datetime.strptime(newest[:15], "%Y%m%dT%H%M%S").replace(tzinfo=datetime.UTC)
    except ValueError:
        yield _told("clock", "pass", f"{now:%Y-%m-%d %H:%M:%S} UTC; no run was before")
        return
    if at > now + _AHEAD:
        told = (
            f"it is {now:%Y-%m-%d %H:%M:%S} UTC here, and the run {newest} began later: set the clock (NTP)"
        )
        yield _told("clock", "fail", told)
    else:
        yield _told("clock", "pass", f"{now:%Y-%m-%d %H:%M:%S} UTC, after the newest run")


def server(storage: Storage) -> Iterator[Outcome]:
    """Whether a store that is no folder answers; that it creates a name once, its first write tries."""
    try:
        storage.stat("format")
    except StoreError as error:
        yield _told("server", "fail", str(error))
    else:
        yield _told("server", "pass", "it answers, and lets these credentials read")


def keys() -> Iterator[Outcome]:
    """The key that signs releases, and those that readers here trust."""
    path, trusted = configured.release_key(), configured.trusted_keys()
    signer = None
    if not path.exists():
        made = configured.makes_release_key()
        told = (
            "the first release makes it" if made else f"`headrace keygen {path}`, where this machine releases"
        )
        yield _told("release key", "pass" if made else "warn", f"there is none at {path}: {told}")
    else:
        try:
            signer = Signer.load(path)
        except ConfigurationError as error:
            yield _told("release key", "fail", str(error))
        else:
            yield _private(str(path), signer)
    if not trusted.exists():
        is_made = not signer and configured.makes_release_key()
        told = "the first release makes them" if is_made else "pin the public key of who releases"
        yield _told("trusted keys", "pass" if is_made else "warn", f"there are none at {trusted}: {told}")
        return
    try:
        trust = Trust.load(trusted)
    except ConfigurationError as error:
        yield _told("trusted keys", "fail", str(error))
        return
    if signer and signer.key not in trust:
        told = f"{trusted} does not hold the release key {signer.key.short}: no reader follows what it signs"
        yield _told("trusted keys", "fail", f"{told}; pin its public key, or sign with another")
    else:
        yield _told("trusted keys", "pass", f"{trust} in {trusted}")


def _private(path: str, signer: Signer) -> Outcome:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        return _told(
            "release key", "fail", f"{path} has the mode {mode:04o}: others can sign; chmod 600 {path}"
        )
    return _told("release key", "pass", f"{signer.key.short} in {path}")


def configuration() -> Iterator[Outcome]:
    """What the configuration says, as far as it can be wrong before a run."""
    named = os.environ.get(settings.NAMED_BY)
    yield _told(
        settings.NAMED_BY, "pass", f"{named} is read" if named else "not set: a luigi.cfg here, and defaults"
    )
    landing = settings.folder("landing")
    if os.access(landing, os.R_OK | os.X_OK):
        yield _told("landing", "pass", str(landing))
    else:
        yield _told("landing", "warn", f"{landing} can't be read, or is not there: set [headrace] landing")
    for wrong in options.wrongs():
        yield _told("options", "fail", str(wrong))
