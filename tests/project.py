"""A checkout of somebody's code: files that are written, and the identity of what they define."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from pipeline.code.fingerprint import identify

DAILY = "shop.tasks:Daily"


class Project:
    """A checkout: files that are written, and the identity of what they define."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def parts(self, *roots: str) -> dict[str, str]:
        return dict(identify(roots).parts)

    def changes(self, root: str, *edit: str) -> bool:
        """Whether an edit (path, old, new) changes the identity of `root`."""
        before = identify([root]).digest
        self.edit(*edit)
        return identify([root]).digest != before


def open_shop(project: Project) -> Project:
    """A task that uses a helper, which uses another one two modules away."""
    project.write("shop/__init__.py", "")
    project.write(
        "shop/tasks.py",
        '''
        """Tasks."""
        from shop import features

        class Daily:
            """One row a day."""

            def build(self, rows):
                return features.daily(rows)
        ''',
    )
    project.write(
        "shop/features.py",
        """
        from shop.maths import mean

        SCALE = 10

        def daily(rows, limit=3):
            # the mean
            return mean(rows[:limit]) * SCALE

        def unrelated():
            return 1
        """,
    )
    project.write("shop/maths.py", "def mean(rows):\n    return sum(rows) / len(rows)\n")
    return project


def open_counting(project: Project) -> Project:
    """A consumer of an aggregate that it does not name."""
    project.write("counting.py", AGGREGATE_TASKS)
    project.write(
        "counts.py",
        """
        class Counts:
            def add(self, rows): return self
            def total(self): return 0

        def helper() -> "Counts": ...
        """,
    )
    return project


AGGREGATE_TASKS = """
    import luigi
    from counts import Counts, helper

    class Upstream(luigi.Task):
        def summarize(self, rows: "Rows") -> "Counts":
            return Counts().add(rows)

    class Derived(Upstream):
        pass

    class Consumer(luigi.Task):
        def requires(self):
            return {"counts": Derived()}

        def build(self, counts):
            return counts.total()
    """
