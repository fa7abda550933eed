"""The model card: one page, filled from evidence, that a browser draws without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.model.evaluation import evaluate
from pipeline.model.problem import Problem
from pipeline.release import card
from pipeline.values.digest import canonical_json, parse_json
from tests import released

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
KINDS = {
    "binary": Problem("came", slices=("kind",), action="act", threshold=0.4),
    "classes": Problem("came", kind="classes", classes=("x", "y", "z"), slices=("kind",)),
    "regression": Problem("came", kind="regression", slices=("kind",)),
}
DRAW = np.random.Generator(np.random.PCG64(5))
ROWS = 1200


def evidence(kind: str, **changed: Any) -> dict[str, Any]:
    """What is known of a model of some kind, which foretells a little of what comes."""
    problem = KINDS[kind]
    truth = DRAW.random(ROWS)
    came: Any = truth if kind == "regression" else truth > 0.5
    said = 0.5 * truth + 0.5 * DRAW.random(ROWS)
    if kind == "classes":
        came = np.array(["x", "y", "z"])[(truth * 3).astype(int)]
        said = np.stack([1 - said, said / 2, said / 2], axis=1)
    table = pa.table(
        {
            "date": [date(2013, 1, 20) + timedelta(days=index // 40) for index in range(ROWS)],
            "kind": np.array(["a", "<b>"])[DRAW.integers(0, 2, ROWS)],
            "came": came,
        }
    )
    days = problem.scores_by_day(said, table)
    shrunk = problem.scores_by_day(said * 0.5 if kind == "regression" else said * 0 + said.mean(), table)
    if kind == "classes":
        shrunk = problem.scores_by_day(np.full((ROWS, 3), 1 / 3), table)
    known = parse_json(canonical_json({**evaluate(days, {"simple": shrunk}), "model": "sha256:" + "3" * 64}))
    return {
        "model": "small", "description": "Says whether it will come & <i>when</i>.",
        "state": "sha256:" + "3" * 64, "estimator": "Pipeline", "kind": kind,
        "trained_on": "2013-01", "learnt_until": "2013-01-20",
        "judged_on": "2013-01-20-2013-02-19", "metrics": known, "budget": {"size_mb": 10, "load_ms": 500},
        "problem": {"label": "came", "action": problem.action, "threshold": problem.threshold},
        "contract": [
            {"name": "size", "type": "float64", "nullable": True, "low": -10, "high": None, "among": []},
            {"name": "k", "type": "string", "nullable": False, "low": None, "high": None, "among": ["a"]},
        ],
        "environment": {"python": "3.11", "distributions": {"scikit-learn": "1.9.1"}},
        "provenance": {
            "task": "FitModel", "key": "sha256:" + "0" * 64, "code": "sha256:" + "1" * 64,
            "parameters": {"c": "1.0"}, "builds": {"Rows": 2},
            "sources": {"Rows": {"2013-01-01": "sha256:" + "2" * 64, "2013-01-19": "sha256:" + "4" * 64}},
        },
        **changed,
    }  # fmt: skip


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    return {kind: card.page(card.card(evidence(kind))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_any_kind_says_how_good_where_weak_and_where_from(
    pages: Mapping[str, str], kind: str
) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", pages[kind])

    assert headings == [
        "How good it is", "Against simpler models", *(["Curves"] if kind != "regression" else []), "By month",
        "By kind", "Where it is weak", "What it is asked", "What it may cost", "Where it comes from",
    ]  # fmt: skip
    assert "2013-01-19" in pages[kind]
    assert "nan" not in re.sub(r"<[^>]*>", " ", pages[kind]).lower().split()


def test_the_curves_of_a_binary_model_have_the_simpler_one_beside_them(pages: Mapping[str, str]) -> None:
    plots = re.findall(r'aria-label="(.*?)"', pages["binary"])

    assert plots == [
        "log loss", "ROC curve", "precision over recall", "calibration", "score histogram by outcome",
        "ROC AUC", "ROC AUC",
    ]  # fmt: skip
    assert pages["binary"].count(">simple<") == 2 + 1 + 1  # two curves, the ladder's plot and table


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fetches_nothing_and_runs_nothing(pages: Mapping[str, str], kind: str) -> None:
    assert not re.search(r"<script|<link|<img|<iframe|src=|@import|url\((?!#)|https?:", pages[kind])
    assert not re.search(r"href=\"(?!#)", pages[kind])


def test_what_the_evidence_says_is_text_and_never_markup(pages: Mapping[str, str]) -> None:
    assert "come &amp; &lt;i&gt;when&lt;/i&gt;" in pages["binary"]
    assert "<i>" not in pages["binary"]
    assert "<b>0.4</b>" in pages["binary"]
    assert pages["binary"].count("<b>") == 1 + 7  # the threshold, and a number on each tile: no slice's name


def test_equal_evidence_makes_an_equal_page() -> None:
    known = evidence("binary")
    turned = dict(reversed([*known.items(), ("budget", dict(reversed(known["budget"].items())))]))

    assert card.page(card.card(known)) == card.page(card.card(turned))


def test_the_card_names_the_weakest_slices_worst_first() -> None:
    weak = card.card(evidence("binary"))["weak"]

    assert {each["slice"] for each in weak} == {"kind a", "kind <b>"}
    assert [each["value"] for each in weak] == sorted((each["value"] for each in weak), reverse=True)


def test_a_bundle_holds_its_card() -> None:
    holdout = released.rows()
    bundle = released.bundle(released.fit(released.rows(seed=2)), holdout)

    assert bundle.files["card.html"].decode() == card.page(bundle.json("card.json"))


@pytest.mark.skipif(CHROMIUM is None, reason="no browser is installed here: apt-get install chromium")
@pytest.mark.parametrize("width", [400, 1100])
def test_a_browser_draws_the_page_light_and_dark(
    pages: Mapping[str, str], tmp_path: Path, width: int
) -> None:
    light, dark = (_picture(pages["binary"], tmp_path, width, scheme) for scheme in ("light", "dark"))

    assert light[5, 5, :3].min() > 0.9
    assert dark[5, 5, :3].max() < 0.2
    for picture in (light, dark):
        red, green, blue = (picture[..., channel] for channel in range(3))
        assert ((blue > 0.6) & (red < 0.4) & (green < 0.6)).sum() > 2000  # the curves, in their blue
        assert ((red > 0.7) & (blue < 0.4) & (green < 0.65)).sum() > 200  # the histogram of what came


def _picture(page: str, folder: Path, width: int, scheme: str) -> Any:
    """What a browser without a network shows of a page, as an array of rows, columns and colours."""
    from matplotlib.image import imread

    file, picture = folder / "card.html", folder / f"{scheme}.png"
    file.write_text(page, encoding="utf-8")
    subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
            f"--window-size={width},4000", f"--screenshot={picture}", file.as_uri(),
        ],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return imread(picture)
