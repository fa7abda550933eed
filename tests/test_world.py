"""The tests' own worlds keep to themselves."""

from __future__ import annotations

from pathlib import Path

import luigi

from tests.mill import ROOT
from tests.sales import DATES, MODEL
from tests.untouched import stamps, touched
from tests.world import World


def test_a_world_leaves_its_metrics_in_its_own_folder(shop: World) -> None:
    """Whatever else configured this process: importing `tasks` names the checkout's folder."""
    import tasks  # noqa: F401

    before = stamps(ROOT / "data" / "metrics")

    shop.built(MODEL, dates=DATES, scale=2)

    assert [path.name for path in (shop.folder / "metrics").iterdir()] == ["headrace_Model.prom"]
    assert "headrace_Model.prom" not in touched(before, stamps(ROOT / "data" / "metrics"))


def test_a_world_gives_back_the_configuration_that_it_found(tmp_path: Path) -> None:
    config = luigi.configuration.get_config()
    before = {section: dict(config[section]) for section in config.sections()}

    world = World(tmp_path)
    world.set("Sales", "gaps", "2013-05-01")
    world.close()

    assert {s: dict(config[s]) for s in config.sections() if dict(config[s])} == {
        s: options for s, options in before.items() if options
    }


def test_a_file_that_a_test_writes_changes_or_removes_is_noticed(tmp_path: Path) -> None:
    for name in ("kept", "changed", "removed"):
        (tmp_path / name).write_text("one")
    before = stamps(tmp_path)

    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "made").touch()
    (tmp_path / "changed").write_text("another")
    (tmp_path / "removed").unlink()

    assert touched(before, stamps(tmp_path)) == ["below/made", "changed", "removed"]
