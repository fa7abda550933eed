"""A pipeline whose stores are in a bucket: real processes, a real server, the digests of a store on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from pipeline.build import ledger
from pipeline.build.action import action_label
from pipeline.release.reader import Reader
from pipeline.store.remote import open_storage
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests import console, factory, sales, seaweed
from tests.mill import ROOT, Checkout, Project
from tests.world import World

pytestmark = pytest.mark.thorough

MODEL = ("shop.tasks", "Model", "--dates", sales.DATES)
SHIP = ("factory.tasks", "Ship")
PARTS = [{"load": 1.0, "heat": 0.5}, {"load": -2.0, "heat": 0.0}]


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with seaweed.served(tmp_path_factory.mktemp("seaweed")):
        yield


class Shed(Project):
    """A pipeline's code, landing and configuration in a folder, and stores that are elsewhere."""

    def __init__(self, world: World, store: str) -> None:
        super().__init__(world.folder)
        self.world = world
        self.address = store
        self.configure()

    def configure(self, extra: str = "") -> Self:
        (self.folder / "luigi.cfg").write_text(
            f"[headrace]\nstore = {self.address}\nonline = {self.address}-online\nlanding = {self.landing}\n"
            f"release_key = {self.folder / 'release.key'}\nmake_release_key = true\npromotion = automatic\n"
            f"{extra}",
            encoding="utf-8",
        )
        return self

    def at(self, store: str) -> Shed:
        """The same with other stores."""
        return Shed(self.world, store)

    def newest(self) -> str:
        return max(name.split("/")[1] for name in open_storage(self.address).list("runs"))

    def built(self) -> list[str]:
        stages = ledger.stages(open_storage(self.address), self.newest()).values()
        return sorted(
            action_label(build["task"], build["step"], build["partition"])
            for stage in stages
            for build in stage["builds"]
        )

    def outputs(self) -> dict[str, str]:
        """The digest of each value that was made, by its action."""
        storage = open_storage(self.address)
        return {
            f"{task} {record.key}": record.outputs["value"]["digest"]
            for task in Repository(storage).tasks()
            for record in Repository(storage).records(task)
        }

    def ask(self, command: str, *words: str, expect: int = 0) -> str:
        return self.run("headrace", command, *words, expect=expect)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shed]:
    with closing(World(tmp_path / "world")) as world:
        sales.write_shop(world)
        yield Shed(world, f"s3://{seaweed.BUCKET}/{tmp_path.name}")


def test_runs_are_those_of_a_store_on_disk(
    shop: Shed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "complete: 40 built" in shop.luigi(*MODEL)
    assert "nothing to do" in shop.luigi(*MODEL)
    assert shop.built() == []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of another machine"))
    assert "nothing to do" in shop.luigi(*MODEL)
    sales.land(shop.world, "2013-05-02", 99)
    shop.luigi(*MODEL)
    corrected = shop.built()

    disk = shop.at(str(tmp_path / "store"))
    sales.land(shop.world, "2013-05-02", 11)
    disk.luigi(*MODEL)
    sales.land(shop.world, "2013-05-02", 99)
    disk.luigi(*MODEL)
    assert disk.built() == corrected
    assert {"Sales 2013-05-02", "Clean 2013-05-02", "Model all"} <= {*corrected}
    assert not {"Sales 2013-05-03", "Clean 2013-05-01", "Features 2013-05-01"} & {*corrected}
    assert disk.outputs() == shop.outputs()


def test_forked_workers_share_the_bucket_and_keep_no_secret(shop: Shed) -> None:
    """Luigi forks its workers, in which nothing of obstore lives on."""
    shop.configure("processes = 2\n")
    said = shop.luigi(*MODEL, "--workers", "2")
    assert "complete: 40 built" in said

    storage = open_storage(shop.address)
    kept = {name: storage.read(name) for name in storage.list("")}
    assert any(name.startswith("cache/") for name in kept)
    for secret in (seaweed.SECRET, "key-of-writer"):
        assert [name for name, data in kept.items() if secret.encode() in data] == []
        assert secret not in said


def test_the_commands_answer_from_the_bucket(shop: Shed) -> None:
    asked = ("--module", *MODEL)
    assert "would build" in shop.ask("plan", *asked)
    shop.luigi(*MODEL)
    sales.land(shop.world, "2013-05-02", 99)
    shop.luigi(*MODEL)

    assert "nothing to do" in shop.ask("plan", *asked)
    assert "input changed: Features 2013-05-02" in shop.ask("why", *asked)
    assert "Model all" in shop.ask("show", *asked)
    assert f"2 runs in {shop.address}" in shop.ask("log")
    assert "input changed" in shop.ask("log", shop.newest(), "--json")
    assert "6 equal" in shop.ask("verify", *asked)


def test_a_bucket_is_inspected_healed_and_collected(shop: Shed) -> None:
    asked = ("fsck", "--module", "shop.tasks")
    shop.luigi(*MODEL)
    sales.land(shop.world, "2013-05-02", 99)
    shop.luigi(*MODEL)
    assert shop.ask(*asked, "--full").count("\n  sound") == 2
    storage = open_storage(shop.address)
    [record] = [r for r in Repository(storage).records("Clean") if r.recipe["partition"] == "2013-05-03"]
    blob = blob_name(Digest(record.outputs["value"]["blob"]))
    storage.replace(blob, bytes(len(storage.read(blob))))
    storage.replace("else/where", b"")

    assert "holds 'else/where'" in shop.ask("gc", expect=35)
    said = shop.ask(*asked, "--full", "--heal", expect=36)
    assert "damages   Clean 2013-05-03" in said
    assert said.count("stray  ") == 1
    assert "Clean 2013-05-03" in [
        shop.luigi("shop.tasks", "Clean", "--dates", sales.DATES),
        *shop.built(),
    ]
    rules = ("--keep-days", "0", "--grace-days", "0", "--trash-days", "0")
    assert "deleted for good" in shop.ask("gc", *rules, "--execute")

    assert shop.ask(*asked, "--full").count("\n  sound") == 2
    assert list(storage.list("trash")) == []
    assert "nothing to do" in shop.luigi(*MODEL)
    assert "server: it answers" in shop.ask("doctor")


def test_what_can_not_be_used_ends_a_run_with_35(shop: Shed, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.luigi(*MODEL)
    sales.land(shop.world, "2013-05-02", 99)
    for name, value in seaweed.credentials("reader").items():
        monkeypatch.setenv(name, value)

    assert "1 to build" in shop.ask("plan", "--module", *MODEL)  # a store that can only be read answers
    assert "StoreUnwritable" in shop.luigi(*MODEL, expect=35)
    shop.at("s3://no-such-bucket/store")
    assert "there is no bucket" in shop.luigi(*MODEL, expect=35)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "with these credentials" in shop.luigi(*MODEL, expect=35)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "gave no usable answer" in shop.luigi(*MODEL, expect=35)


def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    """`python -m tests.seaweed python -m tests.console docs/buckets.md` renews them."""
    shown = list(console.commands((ROOT / "docs/buckets.md").read_text(encoding="utf-8")))
    checkout = Checkout(tmp_path / "headrace")

    found = console.run(shown, checkout.folder, checkout.environment())

    assert [each.normal() for each in found] == [each.normal() for each in shown]


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Shed]:
    with closing(factory.open_factory(tmp_path)) as world:
        yield Shed(world, f"s3://{seaweed.BUCKET}/{tmp_path.name}")


def test_models_are_released_served_and_rolled_back(works: Shed, tmp_path: Path) -> None:
    works.luigi(*SHIP)
    trust = works.folder / "release.key.pub"
    with Reader(f"{works.address}-online", "breakage", trust, tmp_path / "home", poll_s=None) as reader:
        first = reader.predict(PARTS)
        assert first.generation == 1
        factory.improve(works.world)
        works.luigi(*SHIP)
        assert reader.refresh()
        second = reader.predict(PARTS)
        assert second.generation == 2

        works.ask("rollback", "breakage", "--why", "a test")

        assert reader.refresh()
        again = reader.predict(PARTS)
    assert again.generation == 3
    assert list(again.values) == list(first.values)
    works.ask("promote", "breakage", second.bundle.removeprefix("sha256:")[:12], "--why", "a test")
    told = works.ask("history", "breakage")
    assert f"4 generations in {works.address}-online" in told
