"""The model card: what a model is for, how good it is and where it is weak, filled from evidence alone.

The JSON says all that the page shows. The page is one file: no script, nothing fetched, text and inline SVG.
After Mitchell et al., Model Cards for Model Reporting (2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pipeline.release import markup, plots
from pipeline.release.style import CSS
from pipeline.values.digest import canonical_json, parse_json

_HEADLINE = {
    "binary": (
        "roc_auc",
        "log_loss",
        "average_precision",
        "brier",
        "calibration_error",
        "precision",
        "recall",
    ),
    "classes": ("log_loss", "accuracy", "macro_f1", "macro_roc_auc"),
    "regression": ("mae", "rmse", "r2", "bias"),
}
_JUDGED_BY = {"binary": "roc_auc", "classes": "log_loss", "regression": "rmse"}
_LOSS = {"binary": "log_loss", "classes": "log_loss", "regression": "rmse"}
_TITLES = {
    "roc_auc": "ROC AUC", "log_loss": "log loss", "average_precision": "average precision",
    "brier": "Brier score",
    "calibration_error": "calibration error", "macro_f1": "macro F1", "macro_roc_auc": "macro ROC AUC",
    "mae": "mean absolute error", "rmse": "root mean squared error", "r2": "R²", "base_rate": "base rate",
}  # fmt: skip
_WORST = 5
_NOTHING: Mapping[str, Any] = {"value": None, "low": None, "high": None}


def card(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says, as JSON: the evidence, with provenance shortened to what people read.

    In the order of canonical JSON, whatever that of the evidence: equal evidence makes an equal page.
    """
    provenance = evidence["provenance"]
    files = {
        task: {"files": len(days), "first": min(days), "last": max(days)}
        for task, days in provenance["sources"].items()
    }
    kept = {name: provenance[name] for name in ("task", "key", "code", "parameters", "builds")}
    said = {
        **evidence,
        "provenance": {**kept, "sources": files},
        "weak": _weak(evidence["metrics"]),
    }
    ordered: dict[str, Any] = parse_json(canonical_json(said))
    return ordered


def page(card: Mapping[str, Any]) -> str:
    """The card as one page of HTML."""
    title = escape(f"{card['model']} · model card")
    body = "\n".join(_sections(card))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _weak(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The slices whose loss a row is highest, worst first."""
    loss = _LOSS[metrics["kind"]]
    slices = [
        {"slice": f"{markup.words(dimension)} {value}", "rows": found["rows"], **found["metrics"][loss]}
        for dimension, values in metrics["slices"].items()
        for value, found in values.items()
        if found["metrics"].get(loss, {}).get("value") is not None
    ]
    return sorted(slices, key=lambda each: -each["value"])[:_WORST]


def _sections(card: Mapping[str, Any]) -> Iterator[str]:
    metrics = card["metrics"]
    yield _headline(card)
    yield markup.section("How good it is", _numbers(metrics), _said_of(metrics))
    if metrics["ladder"]:
        yield markup.section("Against simpler models", *_ladder(metrics))
    if curves := _curves(metrics):
        yield markup.section("Curves", f'<div class="plots">{curves}</div>')
    yield markup.section("By month", *_parts(metrics, metrics["months"], "month", in_order=True))
    for dimension, values in metrics["slices"].items():
        yield markup.section(
            f"By {markup.words(dimension)}", *_parts(metrics, values, dimension, _is_ordered(values))
        )
    yield markup.section("Where it is weak", _weaknesses(card))
    yield markup.section("What it is asked", _contract(card["contract"]))
    yield markup.section("What it may cost", _budget(card["budget"]))
    yield markup.section("Where it comes from", *_provenance(card))


def _headline(card: Mapping[str, Any]) -> str:
    problem, metrics = card["problem"], card["metrics"]
    action = (
        f"<p>Where the score is at least <b>{problem['threshold']:g}</b>: {escape(problem['action'])}.</p>"
        if problem["action"]
        else ""
    )
    return (
        f"<header><h1>{escape(card['model'])}</h1>\n<p>{escape(card['description'])}</p>\n{action}\n"
        + markup.pairs(
            {
                "foretells": problem["label"],
                "model": f"{card['state'][7:19]}, {card['estimator']}",
                "learnt from": card["trained_on"],
                "judged on": f"{card['judged_on']}: {metrics['rows']:,} rows of {metrics['days']} days",
            }
        )
        + "</header>"
    )


def _numbers(metrics: Mapping[str, Any]) -> str:
    found = {
        name: metrics["metrics"][name] for name in _HEADLINE[metrics["kind"]] if name in metrics["metrics"]
    }
    tiles = [
        f'<div class="tile"><span>{escape(_title(name))}</span><b>{markup.number(each["value"])}</b>'
        f"<small>{markup.interval(each)}</small></div>"
        for name, each in found.items()
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _said_of(metrics: Mapping[str, Any]) -> str:
    said = "The small numbers are 95 % intervals: days are drawn anew, since the rows of a day are alike."
    if metrics["threshold"] is not None:
        said += f" Precision and recall are those of the action, at {metrics['threshold']:g}."
    return f"<p>{said}</p>"


def _ladder(metrics: Mapping[str, Any]) -> Iterator[str]:
    loss = _LOSS[metrics["kind"]]
    rungs = [(rung["name"], rung["metrics"][loss], _NOTHING) for rung in metrics["ladder"]]
    candidate = metrics["metrics"][loss]
    yield plots.whiskers(_title(loss), [*rungs, ("this model", candidate, _NOTHING)], candidate["value"])
    rows = [
        [rung["name"], markup.number(rung["metrics"][loss]["value"]), markup.number(rung["margin"]["value"]),
         markup.interval(rung["margin"]), rung["margin"]["verdict"]]
        for rung in metrics["ladder"]
    ]  # fmt: skip
    yield markup.table(
        ["simpler model", _title(loss), "saved by this model, a row", "interval", "so it is"], rows
    )


def _curves(metrics: Mapping[str, Any]) -> str:
    curves, ladder = metrics["curves"], metrics["ladder"]
    found = {}
    if "roc" in curves:
        roc, precision = (
            {rung["name"]: rung["curves"][name] for rung in ladder} for name in ("roc", "precision_recall")
        )
        rate = metrics["metrics"]["base_rate"]["value"]
        found = {
            "ROC: what is found over what is flagged in vain": plots.roc(curves["roc"], roc),
            "Precision over recall; the line is the base rate": plots.precision_recall(
                curves["precision_recall"], precision, rate
            ),
            "Calibration: a point is a tenth of the rows": plots.calibration(curves["calibration"]),
            "Scores by outcome; the action begins at the line": plots.histogram(
                curves["histogram"], metrics["threshold"]
            ),
        }
    figures = "".join(
        f"<figure><figcaption>{title}</figcaption>{plot}</figure>" for title, plot in found.items()
    )
    if "confusion" in curves:
        figures += markup.table(
            ["came", "foretold", "rows"], [[a, b, f"{n:,}"] for a, b, n in curves["confusion"]]
        )
    return figures


def _parts(metrics: Mapping[str, Any], parts: Mapping[str, Any], name: str, in_order: bool) -> Iterator[str]:
    """A plot of the quality of each part, the simpler model's beside it, and a table of the numbers."""
    judged, simpler = _JUDGED_BY[metrics["kind"]], [rung["name"] for rung in metrics["ladder"]][-1:]
    rows = sorted(parts.items()) if in_order else sorted(parts.items(), key=lambda each: -each[1]["rows"])
    values = [(part, _found(found, judged), _found(found, judged, "simpler")) for part, found in rows]
    yield plots.whiskers(_title(judged), values, metrics["metrics"][judged]["value"])
    if simpler:
        yield f"<p>The ring is the simpler model, {escape(simpler[0])}; the line is all rows together.</p>"
    shown = dict.fromkeys((judged, _LOSS[metrics["kind"]]))
    head = [_title(metric) + of for metric in shown for of in ("", *(f", {each}" for each in simpler))]
    sides = ("metrics", "simpler")[: 1 + len(simpler)]
    numbers = [
        [
            part,
            f"{found['rows']:,}",
            *(markup.with_interval(_found(found, m, side)) for m in shown for side in sides),
        ]
        for part, found in rows
    ]
    table = markup.table([markup.words(name), "rows", *head], numbers)
    yield f"<details><summary>the numbers</summary>{table}</details>"


def _found(part: Mapping[str, Any], metric: str, side: str = "metrics") -> Mapping[str, Any]:
    """A metric of a part, of the model or of the simpler one."""
    found: Mapping[str, Any] = part.get(side, {}).get(metric, _NOTHING)
    return found


def _weaknesses(card: Mapping[str, Any]) -> str:
    loss = _title(_LOSS[card["metrics"]["kind"]])
    return f"<p>The slices in which its {loss} is highest:</p>" + markup.table(
        ["slice", "rows", loss],
        [[each["slice"], f"{each['rows']:,}", markup.with_interval(each)] for each in card["weak"]],
    )


def _contract(columns: Sequence[Mapping[str, Any]]) -> str:
    return markup.table(
        ["column", "type", "may be null", "values"],
        [[c["name"], c["type"], "yes" if c["nullable"] else "no", _rule(c)] for c in columns],
    )


def _rule(column: Mapping[str, Any]) -> str:
    if column["among"]:
        return ", ".join(column["among"])
    words = {"low": "at least", "high": "at most"}
    ends = [f"{word} {column[end]:g}" for end, word in words.items() if column[end] is not None]
    return " and ".join(ends) or "any"


def _budget(budget: Mapping[str, float]) -> str:
    """The limits, `load_ms` being `load` in `ms`."""
    limits = {name.rpartition("_")[0]: (limit, name.rpartition("_")[2]) for name, limit in budget.items()}
    return markup.pairs(
        {name: f"at most {limit:g} {unit.replace('mb', 'MB')}" for name, (limit, unit) in limits.items()}
    )


def _provenance(card: Mapping[str, Any]) -> Iterator[str]:
    provenance, environment = card["provenance"], card["environment"]
    yield markup.table(
        ["landed files", "number", "first", "last"],
        [[task, f"{s['files']:,}", s["first"], s["last"]] for task, s in provenance["sources"].items()],
    )
    parameters = ", ".join(f"{name}={value}" for name, value in provenance["parameters"].items())
    versions = ", ".join(f"{name} {version}" for name, version in environment["distributions"].items())
    yield markup.pairs(
        {
            "made by": f"{provenance['task']}({parameters})",
            "action": provenance["key"],
            "code": provenance["code"],
            "builds behind it": ", ".join(f"{n:,} {task}" for task, n in provenance["builds"].items()),
            "Python": environment["python"],
            "libraries": versions or "n/a",
        }
    )


def _is_ordered(values: Mapping[str, Any]) -> bool:
    """Whether the values have an order of their own, as hours have; else they go by their rows."""
    return all(value.isdigit() for value in values)


def _title(metric: str) -> str:
    return _TITLES.get(metric, markup.words(metric))
