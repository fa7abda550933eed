"""`headrace lint`: each trap is found, its harmless neighbour is not, and nothing is imported for it."""

from __future__ import annotations

import inspect
import json
import sys
from importlib import import_module
from pathlib import Path
from textwrap import dedent, indent

import pytest

from pipeline.code.lint import Finding, lint
from pipeline.code.traps import KINDS
from pipeline.code.unseeded import ALWAYS, ONLY_WHERE
from tests.mill import Project as Folder
from tests.project import Project
from tests.sales import DATES
from tests.world import Ask, World

# What is found: the kind, then the statements of a build.
TRAPS = {
    "now": ("clock", "from datetime import datetime as dt\nreturn dt.now()"),
    "today of a module": ("clock", "import datetime\nreturn datetime.date.today()"),
    "a clock that is handed on": ("clock", "import time\nreturn dict(key=time.time)"),
    "a clock by another name": ("clock", "import time\nclock = time.perf_counter\nreturn clock()"),
    "an instant of pandas": ("clock", "import pandas as pd\nreturn pd.Timestamp.now()"),
    "the word now": ("clock", "import numpy as np\nreturn np.datetime64('now')"),
    "a global draw": ("random", "import random\nreturn random.random()"),
    "a global draw of numpy": ("random", "import numpy as np\nreturn np.random.normal()"),
    "a global seed": ("random", "from numpy.random import seed\nseed(1)"),
    "a generator without a seed": ("random", "import numpy as np\nreturn np.random.default_rng().normal()"),
    "a generator of none": ("random", "import numpy as np\nreturn np.random.default_rng(None)"),
    "a module by its name": ("random", "return __import__('os').urandom(2)"),
    "an identifier": ("random", "from uuid import uuid4\nreturn uuid4()"),
    "a secret": ("random", "import secrets\nreturn secrets.token_hex()"),
    "urandom": ("random", "import os\nreturn os.urandom(2)"),
    "an estimator": ("random", "from sklearn.ensemble import RandomForestClassifier as F\nreturn F(10)"),
    "an estimator of None": ("random", "from sklearn.cluster import KMeans\nKMeans(random_state=None)"),
    "a solver that draws": (
        "random", "from sklearn.linear_model import LogisticRegression as L\nreturn L(solver='saga')",
    ),
    "rows drawn": ("random", "return table.to_pandas().sample(frac=0.5)"),
    "the environment": ("machine", "import os\nreturn os.environ.get('X')"),
    "a variable": ("machine", "from os import getenv\nreturn getenv('X')"),
    "the folder": ("machine", "from pathlib import Path\nreturn Path.cwd()"),
    "the processors": ("machine", "import os\nreturn os.cpu_count()"),
    "the platform": ("machine", "import platform\nreturn platform.node()"),
    "luigi's configuration": ("machine", "import luigi\nreturn luigi.configuration.get_config()['a']"),
    "luigi's configuration by name": (
        "machine", "from luigi.configuration import get_config as c\nreturn c()['a']",
    ),
    "one's own configuration": ("machine", "from settings import Mine\nreturn Mine().rate"),
    "a module by a name that is handed over": (
        "import", "import importlib\nreturn importlib.import_module(table).f()",
    ),
    "a module by a name that is made": ("import", "return __import__('a' + 'b')"),
    "the time zone": ("machine", "import datetime\nreturn datetime.datetime.fromtimestamp(3)"),
    "the time zone of a value": ("machine", "return table['at'][0].as_py().astimezone()"),
    "open": ("file", "return open('x').read()"),
    "a path": ("file", "from pathlib import Path\nreturn Path('x').read_text()"),
    "a path in a variable": ("file", "from pathlib import Path\np = Path('x')\nreturn p.open()"),
    "a path made of parts": ("file", "from pathlib import Path\nreturn (Path('x') / 'y').read_bytes()"),
    "a folder's files": ("file", "import os\nreturn os.listdir('x')"),
    "a pattern": ("file", "from glob import glob\nreturn glob('*')"),
    "pandas": ("file", "import pandas as pd\nreturn pd.read_csv('x')"),
    "parquet": ("file", "import pyarrow.parquet as pq\nreturn pq.read_table('x')"),
    "a dataset": ("file", "import pyarrow.dataset as ds\nreturn ds.dataset('x').to_table()"),
    "a program": ("file", "import subprocess\nreturn subprocess.run(['date'])"),
    "requests": ("network", "import requests\nreturn requests.get('x').json()"),
    "urllib": ("network", "from urllib.request import urlopen\nreturn urlopen('x')"),
    "a socket": ("network", "import socket\nreturn socket.gethostname()"),
    "a loop over a set": ("order", "for x in set(table):\n    print(x)"),
    "a loop over texts": ("order", "return [x for x in {'a', 'b'}]"),
    "a list of a set": ("order", "return list(set(table))"),
    "a set in a variable": ("order", "names = {str(x) for x in table}\nreturn ','.join(names)"),
    "a difference": ("order", "return [x for x in set(table) - {'a'}]"),
    "what two dicts share": ("order", "return [x for x in dict(a=1).keys() & dict(b=2).keys()]"),
    "a set of a set's method": ("order", "return [*set(table).union('a')]"),
    "a set that is an argument": ("order", "def f(x: set[str]): return tuple(x)\nreturn f"),
    "a sum over a set": ("order", "return sum(len(x) for x in frozenset(table))"),
    "one of a set": ("order", "names = set(table)\nreturn names.pop()"),
    "a hash": ("hash", "return hash('x') % 7"),
    "an Arrow group": ("threads", "return table.group_by('x').aggregate([])"),
    "an Arrow group of a typed table": (
        "threads", "import pyarrow as pa\ndef f(t: 'pa.Table'): return t.group_by(['x'])\nreturn f",
    ),
    "an Arrow join": ("threads", "return table.join(table, 'x')"),
    "an Arrow join by keyword": ("threads", "return table.join(table, keys=['x'])"),
    "acero": (
        "threads", "from pyarrow.acero import Declaration\nd = Declaration('x', table)\nreturn d.to_table()",
    ),
    "whatever is done first": (
        "threads", "from concurrent.futures import as_completed\nreturn list(as_completed(table))",
    ),
    "a global": ("global", "global STATE\nSTATE = table"),
}  # fmt: skip

# What is not: the same words where they do no harm.
HARMLESS = {
    "a given instant": "import datetime\nreturn datetime.datetime(2013, 5, 1)",
    "a word": "import numpy as np\nreturn np.datetime64('2013-05-01')",
    "an annotation": "import random\ndef f(x: random.random): return x\nreturn f",
    "a seed": "import random\nreturn random.Random(7).random()",
    "a generator with a seed": "import numpy as np\nrng = np.random.default_rng(7)\nreturn rng.random()",
    "a generator's type": "import numpy as np\nreturn isinstance(table, np.random.Generator)",
    "an estimator with a seed": "from sklearn.cluster import KMeans\nreturn KMeans(random_state=0)",
    "an estimator that is handed its options": "from sklearn.cluster import KMeans\nreturn KMeans(**table)",
    "a solver that does not draw": "from sklearn.linear_model import LogisticRegression as L\nreturn L(C=1)",
    "rows drawn with a seed": "return table.to_pandas().sample(frac=0.5, random_state=0)",
    "a sample of one's own": "return self.sample(n=1)",
    "a named identifier": "import uuid\nreturn uuid.uuid5(uuid.NAMESPACE_DNS, 'x')",
    "a path": "import os\nreturn os.path.join('a', 'b')",
    "an instant in a zone": "import datetime as d\nreturn d.datetime.fromtimestamp(3, tz=d.UTC)",
    "a file in memory": "import io, pandas as pd\nreturn pd.read_csv(io.StringIO('a,b'))",
    "a path that is not opened": "from pathlib import PurePath\nreturn PurePath('x').name",
    "a name of one's own": "open = len\nreturn open(table)",
    "an argument": "def f(open, random): return open(random.random())\nreturn f",
    "a module of another name": "from urllib.parse import quote\nreturn quote('x')",
    "a sorted set": "for x in sorted(set(table)):\n    print(x)",
    "a sorted list of a set": "return sorted(list(x for x in set(table)))",
    "a set of a set": "return {len(x) for x in set(table)}, len(set(table)), max(set(table))",
    "a member": "return 'x' in {'x', 'y'}",
    "numbers": "return [x for x in {1, 2, 3}]",
    "a dict's views": "return [k for k in table.keys()], list(table.items())",
    "a dict of a set": "rate = {x: 1 for x in set(table)}\nreturn [rate[x] for x in table]",
    "a set that is sorted later": "x = set(table)\nx = sorted(x)\nreturn ','.join(x)",
    "a difference of numbers": "a, b = 1, 2\nreturn [x for x in range(a - b)]",
    "a pop of a list": "names = list(table)\nreturn names.pop()",
    "a hash of bytes": "import hashlib\nreturn hashlib.sha256(b'x').hexdigest()",
    "a class's own hash": "class C:\n    def __hash__(self): return hash(('a', 1))\nreturn C",
    "a group in one thread": "return table.group_by('x', use_threads=False).aggregate([])",
    "our group": "from pipeline.values import relational\nreturn relational.group_by(table, ['x'], [])",
    "a group of data frames": "import pandas as pd\ndef f(t: pd.DataFrame): return t.group_by('x')\nreturn f",
    "a join in one thread": "return table.join(table, 'x', use_threads=False)",
    "a join of texts": "sep = ', '\nreturn sep.join(['a'])",
    "a join of data frames": "return table.to_pandas().join(table, on='x')",
    "acero in one thread": (
        "from pyarrow.acero import Declaration\nreturn Declaration('x', table).to_table(use_threads=False)"
    ),
    "a module by its own name": "import importlib\nreturn importlib.import_module('json').dumps(1)",
    "a class of one's own": "from settings import Plain\nreturn Plain().rate",
    "the class of a configuration": "from settings import Mine\nreturn isinstance(table, Mine)",
    "a nonlocal": "x = 1\ndef f():\n    nonlocal x\n    x = 2\nreturn f",
}  # fmt: skip


SETTINGS = """
    import luigi
    class Base(luigi.Config): pass
    class Mine(Base): rate = luigi.IntParameter(default=1)
    class Plain: rate = 1
"""


def found(project: Project, build: str, *roots: str) -> list[Finding]:
    project.write("settings.py", SETTINGS)
    project.write("shop.py", "class Clean:\n    def build(self, table):\n" + indent(dedent(build), " " * 8))
    return list(lint({root: [root] for root in roots or ("shop:Clean",)}).found)


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_found(project: Project, name: str) -> None:
    kind, build = TRAPS[name]

    [finding] = found(project, build)

    assert (finding.kind, finding.is_allowed) == (kind, False)
    assert finding.place.startswith("shop:Clean.build")
    assert finding.file == str(project.root / "shop.py")


@pytest.mark.parametrize("name", HARMLESS)
def test_its_harmless_neighbour_is_not(project: Project, name: str) -> None:
    assert found(project, HARMLESS[name]) == []


def test_each_kind_is_tested() -> None:
    assert {kind for kind, _ in TRAPS.values()} == set(KINDS)


@pytest.mark.parametrize("name", [*ALWAYS, *(name for names, _, _ in ONLY_WHERE for name in names)])
def test_what_is_said_to_draw_takes_a_seed(name: str) -> None:
    home, _, last = name.rpartition(".")

    assert "random_state" in inspect.signature(getattr(import_module(home), last)).parameters


# Where it looks.


def test_a_trap_is_found_where_it_is_reached_through_other_modules(project: Project) -> None:
    project.write("times.py", "from datetime import datetime as instant\n")
    project.write(
        "helper.py", "import times\ndef stamp(): return times.instant.now()\ndef other(): open('x')\n"
    )

    [finding] = found(project, "from helper import stamp as s\nreturn s()")

    assert finding.place == "helper:stamp"
    assert finding.line == 2
    assert finding.what == "times.instant.now, which is datetime.datetime.now"


def test_what_the_import_of_a_module_does_is_looked_at(project: Project) -> None:
    project.write("helper.py", "import os\nif os.environ.get('X'):\n    print(1)\ndef f(): pass\n")

    assert [f.place for f in found(project, "import helper\nreturn helper.f()")] == ["helper:<body>"]


def test_what_a_task_says_of_its_parameters_and_inputs_is_no_build(project: Project) -> None:
    project.write(
        "other.py",
        """
        import datetime, luigi, random
        class Other(luigi.Task):
            day = luigi.DateParameter(default=datetime.date.today())
            salt = random.random()
            options = luigi.configuration.get_config()
            def requires(self): return Other(day=datetime.date.today())
        """,
    )

    assert [(f.place, f.line) for f in found(project, "return 1", "other:Other")] == [
        ("other:Other", 5),
        ("other:Other", 6),
    ]


def test_a_trap_that_several_tasks_reach_is_told_once(project: Project) -> None:
    project.write("helper.py", "def f(): return open('x')\n")
    project.write("shop.py", "from helper import f\nclass One:\n    x = f\nclass Two:\n    x = f\n")

    report = lint({"One": ["shop:One"], "Two": ["shop:Two"]})

    assert [list(tasks) for tasks in report.found.values()] == [["One", "Two"]]


def test_a_module_that_has_no_text_is_named(project: Project) -> None:
    (project.root / "helper.pyc").write_bytes(b"no text")
    project.write("shop.py", "import helper\nclass Clean:\n    x = helper.f()\n")

    assert lint({"Clean": ["shop:Clean"]}).unread == {"helper"}


# What is allowed.


@pytest.mark.parametrize(
    ("comment", "is_allowed"),
    [
        ("# headrace: allow file: a table of towns, which never changes", True),
        ("# headrace: allow clock, file", True),
        ("# noqa  # headrace: allow file", True),
        ("# headrace: allow clock", False),
        ("# allow file", False),
        ("+ '# headrace: allow file'", False),
    ],
)
def test_a_comment_on_its_line_allows_a_kind(project: Project, comment: str, is_allowed: bool) -> None:
    [finding] = found(project, f"return open('x').read() {comment}")

    assert finding.is_allowed == is_allowed


def test_a_comment_on_another_line_allows_nothing(project: Project) -> None:
    assert not found(project, "# headrace: allow file\nreturn open('x')")[0].is_allowed
    assert found(project, "return open(\n    'x',  # headrace: allow file\n)")[0].is_allowed is False
    assert found(project, "return hash(\n    'x',  # headrace: allow hash\n)")[0].is_allowed


# The command.

PLANTED = 'append_column("net", kept["amount"]).append_column("tag", [[STAMP] * kept.num_rows])'


def plant(shop: World, stamp: str) -> None:
    shop.edit("shop.cleaning", 'append_column("net", kept["amount"])', PLANTED.replace("STAMP", stamp))


def test_the_command_tells_of_a_trap_upstream(shop: World, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(shop, "open('x').read()")
    monkeypatch.chdir(shop.folder)

    said = ask("lint", "Model", "--dates", DATES, expect=1)

    assert said.startswith("headrace lint: 1 trap: write it otherwise, or say why it does no harm")


def test_what_the_command_finds_reads_like_this(
    shop: World, ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline import cli

    plant(shop, "open('x').read()")
    monkeypatch.chdir(shop.folder)

    assert cli.main(["lint", "--module", "shop.tasks", "Model", "--dates", DATES]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "shop/cleaning.py:7: file: open",
        "    in       shop.cleaning:clean, reached by Clean",
        f"    why      {lines[2][13:]}",
        "    instead  land it, declare a Source or a Snapshot, and take it as an Input",
        lines[-1],
    ]
    assert lines[-1].endswith(" in 4 files behind 7 tasks: 1 trap, 0 allowed")


def test_what_is_allowed_is_counted(shop: World, ask: Ask) -> None:
    plant(shop, "open('x').read()")
    shop.edit("shop.cleaning", "num_rows])", "num_rows])  # headrace: allow file")

    assert ask("lint", "Model", "--dates", DATES).endswith(": 0 traps, 1 allowed\n")
    [trap] = json.loads(ask("lint", "Model", "--dates", DATES, "--json"))["traps"]
    assert (trap["kind"], trap["is_allowed"], trap["tasks"]) == ("file", True, ["Clean"])


def test_nothing_is_imported_but_what_asking_for_the_task_does(shop: World, ask: Ask) -> None:
    shop.code("shop.heavy", "raise RuntimeError('imported')\ndef f(): return open('x')\n")
    shop.edit("shop.cleaning", "    kept =", "    from shop.heavy import f\n    f()\n    kept =")

    ask("lint", "Clean", "--dates", DATES, expect=1)

    assert "shop.heavy" not in sys.modules


@pytest.mark.parametrize(
    ("module", "task"), [("shop", "Slumps"), ("messages", "SpamFilter"), ("demand", "Demand")]
)
def test_the_examples_have_no_traps(tmp_path: Path, module: str, task: str) -> None:
    example = Folder.example(module, tmp_path / module)

    assert example.run("headrace", "lint", "--module", module, task).endswith(": 0 traps, 0 allowed\n")


def test_the_worked_pipeline_has_no_traps() -> None:
    import tasks

    roots = [*(f"tasks:{name}" for name in tasks.__all__), "tasks.backtest:Backtest", "tasks.seeds:Seeds"]

    report = lint({root: [root] for root in roots})

    assert report.found == {}
    assert report.definitions > 80
