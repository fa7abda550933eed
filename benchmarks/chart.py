"""The peers' figures as a picture: the same bytes from the same figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLORS = ("#9e9e9e", "#d1495b", "#00798c", "#edae49", "#66a182", "#2e4057", "#8d6a9f")


def draw(found: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """A panel for each N: a group of bars for each scenario, hatched where the model is stale."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "headrace", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(10, 0.6 + 3.2 * len(found)), layout="constrained")
        panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
        for panel, (days, scenarios) in zip(panels, found.items(), strict=True):
            _panel(panel, days, scenarios)
        panels[0].legend(ncols=len(COLORS), loc="lower center", bbox_to_anchor=(0.5, 1.12), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _panel(panel: Any, days: str, scenarios: Mapping[str, Any]) -> None:
    names = list(next(iter(scenarios.values())))
    width = 0.86 / len(names)
    for index, name in enumerate(names):
        cells: Sequence[Mapping[str, Any]] = [each[name] for each in scenarios.values()]
        bars = panel.bar(
            [place + (index + 0.5) * width - 0.43 for place in range(len(cells))],
            [cell["cpu_s"] for cell in cells],
            width,
            label=name,
            color=COLORS[index % len(COLORS)],
        )
        for bar, cell in zip(bars, cells, strict=True):
            if cell["stale"]:
                bar.set(fill=False, hatch="xxxx", edgecolor=COLORS[index % len(COLORS)])
    panel.set_yscale("log")
    panel.set_ylabel("CPU s")
    panel.set_title(f"N = {days} days; crossed out: the model is stale", loc="left", fontsize=9)
    panel.set_xticks(range(len(scenarios)), list(scenarios))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", alpha=0.3)
