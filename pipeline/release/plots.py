"""The plots of a model card: small inline SVG, legible on light and dark, the same for the same numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#123321"
"""Stands for the page's own colour of text, whatever that is: replaced by `currentColor`."""
BLUE, ORANGE = "#3b82c4", "#d9822b"
"""Like Okabe and Ito's pair: apart for every kind of sight, on white and on black."""
_FAINT, _SIMPLER = 0.25, 0.55

Points = Sequence[Sequence[float]]
Found = Mapping[str, Any]
"""A value and the ends of its interval, each of which may be None."""
Row = tuple[str, Found, Found]
"""A name, what was found of the model, and of the simpler one."""


def roc(points: Points, simpler: Mapping[str, Points]) -> str:
    """True positives over false positives, at every threshold; of simpler models, too."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color=_INK, alpha=_FAINT, linewidth=1)
    _lines(axes, points, simpler)
    return _svg(figure, axes, "ROC curve", "false positive rate", "true positive rate")


def precision_recall(points: Points, simpler: Mapping[str, Points], base_rate: float) -> str:
    """Precision over recall, of simpler models, too; the line is what chance would give."""
    figure, axes = _square()
    axes.axhline(base_rate, color=_INK, alpha=_FAINT, linewidth=1)
    _lines(axes, points, simpler)
    return _svg(figure, axes, "precision over recall", "recall", "precision")


def calibration(points: Points) -> str:
    """Observed rates over mean scores, a point a tenth of the rows."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color=_INK, alpha=_FAINT, linewidth=1)
    scores, rates, _ = zip(*points, strict=True)
    axes.plot(scores, rates, color=BLUE, linewidth=1.2, marker="o", markersize=4)
    edge = min(1.0, max(*scores, *rates) * 1.15)
    axes.set(xlim=(0, edge), ylim=(0, edge))
    return _svg(figure, axes, "calibration", "mean score", "observed rate")


def histogram(bars: Points, threshold: float | None) -> str:
    """How many rows of either outcome had a score."""
    figure, axes = _square()
    lows, negatives, positives = zip(*bars, strict=True)
    width = lows[1] - lows[0]
    for counts, color, label in ((negatives, BLUE, "did not come"), (positives, ORANGE, "came")):
        axes.stairs(counts, [*lows, lows[-1] + width], color=color, fill=True, alpha=0.45)
        axes.stairs(counts, [*lows, lows[-1] + width], color=color, linewidth=1.2, label=label)
    if threshold is not None:
        axes.axvline(threshold, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(xlim=(0, 1))
    axes.legend(frameon=False, labelcolor=_INK, fontsize=9)
    return _svg(figure, axes, "score histogram by outcome", "score", "rows")


def whiskers(title: str, rows: Sequence[Row], reference: float | None) -> str:
    """For each name, from above, a dot and its interval, and a ring for the simpler model.

    The line is the value of all rows together.
    """
    figure, axes = _figure(5.0, 0.55 + 0.24 * len(rows))
    if reference is not None:
        axes.axvline(reference, color=_INK, alpha=_FAINT, linewidth=1)
    for place, (_, found, simpler) in enumerate(rows):
        if simpler["value"] is not None:
            axes.plot(
                [simpler["value"]],
                [place],
                color=_INK,
                alpha=_SIMPLER,
                marker="o",
                markersize=5,
                fillstyle="none",
            )
        if found["low"] is not None:
            axes.plot([found["low"], found["high"]], [place, place], color=BLUE, linewidth=1.6, alpha=0.55)
        if found["value"] is not None:
            axes.plot([found["value"]], [place], color=BLUE, marker="o", markersize=5)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return _svg(figure, axes, title, title, "")


def _lines(axes: Axes, points: Points, simpler: Mapping[str, Points]) -> None:
    """The model's curve, and fainter ones of simpler models."""
    for (name, others), style in zip(simpler.items(), cycle(("--", ":", "-.")), strict=False):
        axes.plot(
            *zip(*others, strict=True), color=_INK, alpha=_SIMPLER, linewidth=1.1, linestyle=style, label=name
        )
    axes.plot(*zip(*points, strict=True), color=BLUE, linewidth=1.8, label="this model")
    if simpler:
        axes.legend(frameon=False, labelcolor=_INK, fontsize=9)


def _square() -> tuple[Figure, Axes]:
    return _figure(3.6, 3.1)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError(
            "a model card's plots need matplotlib: pip install 'headrace[card]'"
        ) from None
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=_INK, alpha=0.5)
    axes.tick_params(colors=_INK, labelsize=9, length=3)
    return figure, axes


def _svg(figure: Figure, axes: Axes, title: str, x: str, y: str) -> str:
    """The figure as an element for a page: no header, no date, no name by chance, its text as text."""
    from matplotlib import rc_context

    axes.set_xlabel(x, color=_INK, fontsize=9)
    axes.set_ylabel(y, color=_INK, fontsize=9)
    file = io.StringIO()
    with rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' (?:width|height)="[\d.]+pt"| xmlns(?::\w+)?="[^"]+"', "", text, count=4)
    return text.replace(_INK, "currentColor").replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
