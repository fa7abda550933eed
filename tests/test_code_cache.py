"""What is remembered of code: as long as no file has changed, and at the cost of one look at each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from pipeline.clock import machine_now_ns
from pipeline.code.fingerprint import CodeCache, identify
from tests.project import DAILY, Project, open_counting, open_shop

HOUR_NS = 3_600_000_000_000
SECOND_NS = 1_000_000_000


@pytest.fixture
def shop(project: Project) -> Project:
    return open_shop(project)


@pytest.fixture
def counting(project: Project) -> Project:
    return open_counting(project)


def in_an_hour() -> int:
    return machine_now_ns() + HOUR_NS


def remembered(roots: list[str]) -> dict[str, object]:
    """The state after `roots` were identified an hour after their files were written."""
    cache = CodeCache(now_ns=in_an_hour)
    cache.identify(roots)
    state: dict[str, object] = json.loads(json.dumps(cache.state()))
    return state


def test_what_was_identified_is_remembered_through_json(shop: Project) -> None:
    state = remembered([DAILY])

    assert CodeCache(state).lookup([DAILY]) == identify([DAILY])
    assert CodeCache(state).lookup(["shop.features:unrelated"]) is None
    others: list[object] = [{}, None, [], {"format": "another", "entries": {}}]
    for other in others:
        assert CodeCache(other).lookup([DAILY]) is None


def test_what_was_found_out_of_a_checkout_that_is_gone_is_forgotten(shop: Project) -> None:
    state = remembered([DAILY])
    entries = state["entries"]
    assert isinstance(entries, dict)
    [(key, entry)] = entries.items()
    gone = {**entry, "files": {str(shop.root / "gone" / "tasks.py"): [1, 2, 3]}}

    kept = CodeCache({**state, "entries": {key: entry, "elsewhere": gone}}).state()["entries"]

    assert kept == entries


@pytest.mark.parametrize("path", ["shop/__init__.py", "shop/tasks.py", "shop/maths.py"])
def test_an_edited_file_is_read_again(shop: Project, path: str) -> None:
    state = remembered([DAILY])
    shop.write(path, (shop.root / path).read_text() + "LONGER = 1\n")

    cache = CodeCache(state)

    assert cache.lookup([DAILY]) is None
    assert cache.identify([DAILY]).digest == identify([DAILY]).digest


@pytest.mark.parametrize("path", ["shop/__init__.py", "shop/tasks.py", "shop/maths.py"])
def test_an_edit_of_a_comment_leaves_what_is_remembered(shop: Project, path: str) -> None:
    state, before = remembered([DAILY]), identify([DAILY]).digest
    shop.write(path, (shop.root / path).read_text() + "\n# longer\n")

    cache = CodeCache(state)
    found = cache.lookup([DAILY])

    assert found is not None
    assert found.digest == before
    assert cache.has_news  # the file's signature is learnt, so that the next run need not read it
    assert found.files == identify([DAILY]).files


def test_a_comment_and_an_edit_after_it_are_told_apart(shop: Project) -> None:
    state = remembered([DAILY])
    text = (shop.root / "shop/maths.py").read_text()
    shop.write("shop/maths.py", text + "# longer\n")
    cache = CodeCache(state)
    cache.lookup([DAILY])
    shop.write("shop/maths.py", text + "LONGER = 1\n")

    assert CodeCache(cache.state()).lookup([DAILY]) is None


def test_a_missing_file_is_a_miss(shop: Project) -> None:
    state = remembered([DAILY])
    (shop.root / "shop/maths.py").unlink()

    assert CodeCache(state).lookup([DAILY]) is None


def test_an_optional_module_that_turns_up_is_noticed(project: Project) -> None:
    project.write(
        "user.py",
        "try:\n    import faster\nexcept ImportError:\n    faster = None\ndef use(): return faster.f()\n",
    )
    state = remembered(["user:use"])
    project.write("faster.py", "def f(): return 1\n")

    cache = CodeCache(state)

    assert cache.lookup(["user:use"]) is None
    assert "faster:f" in cache.identify(["user:use"]).parts


@pytest.mark.parametrize(
    "path", ["helper/__init__.py", "box/inner/__init__.py", "colorsys.py", "numpy/__init__.py", "helper.so"]
)
def test_a_module_that_comes_before_what_was_read_is_noticed(project: Project, path: str) -> None:
    project.write("helper.py", "VALUE = 1\n")
    project.write("box/__init__.py", "")
    project.write("box/inner.py", "VALUE = 1\n")
    project.write(
        "user.py",
        "import box.inner, colorsys, helper, numpy\n"
        "def use(): return helper.VALUE, box.inner.VALUE, colorsys.VALUE, numpy.VALUE\n",
    )
    state = remembered(["user:use"])
    assert CodeCache(state).lookup(["user:use"]) is not None
    project.write(path.replace(".so", EXTENSION_SUFFIXES[0]), "VALUE = 2\n")

    assert CodeCache(state).lookup(["user:use"]) is None


def test_a_folder_that_nothing_is_imported_from_is_no_news(project: Project) -> None:
    project.write("helper.py", "VALUE = 1\n")
    project.write("user.py", "import helper\ndef use(): return helper.VALUE\n")
    state = remembered(["user:use"])
    project.write("helper/data.csv", "1\n")
    project.write("more.py", "VALUE = 1\n")

    assert CodeCache(state).lookup(["user:use"]) is not None


def test_a_changed_site_directory_or_search_path_is_a_miss(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = project.root / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    project.write("user.py", "def use(): pass\n")
    state = remembered(["user:use"])
    assert CodeCache(state).lookup(["user:use"]) is not None

    os.utime(site, ns=(1, 1))
    assert CodeCache(state).lookup(["user:use"]) is None

    state = remembered(["user:use"])
    monkeypatch.syspath_prepend(project.root / "elsewhere")
    assert CodeCache(state).lookup(["user:use"]) is None


@pytest.mark.parametrize(("age_s", "is_trusted"), [(1, False), (3, True)])
def test_a_file_that_was_just_written_when_hashed_is_hashed_again(
    shop: Project, age_s: int, is_trusted: bool
) -> None:
    newest = max(max(sig[1:3]) for sig in identify([DAILY]).files.values())
    cache = CodeCache(now_ns=lambda: newest + age_s * SECOND_NS)
    cache.identify([DAILY])

    later = CodeCache(cache.state())
    assert later.lookup([DAILY]) is not None
    assert later.has_news is not is_trusted


def test_a_declared_result_is_remembered_with_its_class(counting: Project) -> None:
    cache = CodeCache(now_ns=in_an_hour)
    assert cache.declared_result("counting:Derived", "summarize") == "counts:Counts"

    again = CodeCache(cache.state())
    assert again.declared_result("counting:Derived", "summarize") == "counts:Counts"

    counting.edit("counting.py", '-> "Counts"', "-> None")
    assert CodeCache(cache.state()).declared_result("counting:Derived", "summarize") is None


WATCHED = """
import json, os, sys
from pipeline.code.fingerprint import CodeCache
state = json.load(open("state.json"))
events = []
sys.addaudithook(lambda event, args: events.append(event))
stats = []
stat = os.stat
os.stat = lambda path, **kw: stats.append(path) or stat(path, **kw)
cache = CodeCache(state)
assert cache.lookup(["counting:Consumer", "counts:Counts"]) is not None
assert cache.lookup(["counting:Consumer"]) is not None
assert cache.declared_result("counting:Derived", "summarize") == "counts:Counts"
assert not {"open", "compile", "exec", "import"} & set(events), events
assert len(stats) == len(set(stats)), stats
# `ast` itself can't be asked for: `dataclasses` loads it (through `inspect`).
heavy = {"pipeline.code.codebase", "pipeline.code.syntax", "importlib.metadata", "counting"}
assert not heavy & set(sys.modules), sorted(sys.modules)
"""


def test_a_hit_opens_parses_and_imports_nothing_and_looks_at_each_file_once(
    counting: Project,
) -> None:
    counting.write("watched.py", WATCHED)
    path = [os.fspath(counting.root), *sys.path]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, path))}
    fill = """
import json
from pipeline.clock import machine_now_ns
from pipeline.code.fingerprint import CodeCache
cache = CodeCache(now_ns=lambda: machine_now_ns() + 10**12)
cache.identify(["counting:Consumer", "counts:Counts"])
cache.identify(["counting:Consumer"])
cache.declared_result("counting:Derived", "summarize")
json.dump(cache.state(), open("state.json", "w"))
"""
    counting.write("fill.py", fill)
    for script in ("fill.py", "watched.py"):
        subprocess.run([sys.executable, "-B", script], cwd=counting.root, env=env, check=True)
