"""Headrace: incremental, reproducible, explained batch pipelines for machine learning, on Luigi.

The map, bottom up (imports point downward only):

    errors     every expected failure, with its exit code
    values/    pure: digest, partition, contract, aggregate, table and model identity, codec
    store/     bytes at rest: storage, repository, lineage
    code/      what code is: names, reach, fingerprint
    build/     making values; the floor that knows Luigi: task, patterns, engine, run, plan
    model/     learning and judging, beside build: scores, estimates, comparison
    release/   the hand-over: bundle, gate, registry, reader, and the pattern that does it all
    commands/  what the command line prints: plan, why, show, log, verify, card, history, ...
    cli        the command line

A pipeline is written with the names below. They are looked up when first used: importing this package loads
nothing, so that a service and a no-op stay quick.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.build.configuration import use_defaults
    from pipeline.build.dataset import Dataset
    from pipeline.build.inputs import Input, Inputs
    from pipeline.build.invoke import run
    from pipeline.build.loading import load
    from pipeline.build.parameter import DatesParameter, DaysParameter
    from pipeline.build.patterns import Fold, Map, Merge, Task
    from pipeline.build.result import Conserved
    from pipeline.build.secret import SecretParameter
    from pipeline.build.sources import Snapshot, Source
    from pipeline.model.bayes import categorical_naive_bayes, gaussian_naive_bayes
    from pipeline.model.linear import ridge
    from pipeline.model.problem import Problem
    from pipeline.model.scores import Scores
    from pipeline.release.budget import Budget
    from pipeline.release.production import Production
    from pipeline.release.reader import Reader
    from pipeline.release.task import Release
    from pipeline.values.aggregate import Aggregate
    from pipeline.values.bundle import Bundle
    from pipeline.values.check import Check
    from pipeline.values.conditional import ClassCounts, ClassMoments
    from pipeline.values.contract import Column, Contract
    from pipeline.values.extremes import Extremes
    from pipeline.values.gram import Gram
    from pipeline.values.moments import Moments
    from pipeline.values.partition import Interval, Window
    from pipeline.values.quantiles import Quantiles
    from pipeline.values.tally import Tally

_HOME = {
    "Scores": "pipeline.model.scores",
    "Release": "pipeline.release.task",
    "Reader": "pipeline.release.reader",
    "Production": "pipeline.release.production",
    "Problem": "pipeline.model.problem",
    "Bundle": "pipeline.values.bundle",
    "Budget": "pipeline.release.budget",
    "Aggregate": "pipeline.values.aggregate",
    "Check": "pipeline.values.check",
    "ClassCounts": "pipeline.values.conditional",
    "ClassMoments": "pipeline.values.conditional",
    "Column": "pipeline.values.contract",
    "Conserved": "pipeline.build.result",
    "Contract": "pipeline.values.contract",
    "Dataset": "pipeline.build.dataset",
    "DatesParameter": "pipeline.build.parameter",
    "DaysParameter": "pipeline.build.parameter",
    "Extremes": "pipeline.values.extremes",
    "Fold": "pipeline.build.patterns",
    "Gram": "pipeline.values.gram",
    "Input": "pipeline.build.inputs",
    "Inputs": "pipeline.build.inputs",
    "Interval": "pipeline.values.partition",
    "Map": "pipeline.build.patterns",
    "Merge": "pipeline.build.patterns",
    "Moments": "pipeline.values.moments",
    "Quantiles": "pipeline.values.quantiles",
    "SecretParameter": "pipeline.build.secret",
    "Snapshot": "pipeline.build.sources",
    "Source": "pipeline.build.sources",
    "Tally": "pipeline.values.tally",
    "Task": "pipeline.build.patterns",
    "Window": "pipeline.values.partition",
    "categorical_naive_bayes": "pipeline.model.bayes",
    "gaussian_naive_bayes": "pipeline.model.bayes",
    "load": "pipeline.build.loading",
    "ridge": "pipeline.model.linear",
    "run": "pipeline.build.invoke",
    "use_defaults": "pipeline.build.configuration",
}

__all__ = [
    "Aggregate",
    "Budget",
    "Bundle",
    "Check",
    "ClassCounts",
    "ClassMoments",
    "Column",
    "Conserved",
    "Contract",
    "Dataset",
    "DatesParameter",
    "DaysParameter",
    "Extremes",
    "Fold",
    "Gram",
    "Input",
    "Inputs",
    "Interval",
    "Map",
    "Merge",
    "Moments",
    "Problem",
    "Production",
    "Quantiles",
    "Reader",
    "Release",
    "Scores",
    "SecretParameter",
    "Snapshot",
    "Source",
    "Tally",
    "Task",
    "Window",
    "categorical_naive_bayes",
    "gaussian_naive_bayes",
    "load",
    "ridge",
    "run",
    "use_defaults",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Look a public name up in its home (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
