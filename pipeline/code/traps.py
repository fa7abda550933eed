"""The constructs by which a build stops being a pure function of its inputs: what each is called, why it
matters, and what to write instead.

A table, and what it asks of a call. `pipeline.code.lint` looks for what stands here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple

from pipeline.code.unseeded import ALWAYS, ONLY_WHERE

Condition = Callable[[ast.Call], bool]


class Trap(NamedTuple):
    """Some names of one kind. One that begins with a dot is a method of whatever has it, and `*` is all of a
    module.

    Without `when`, the name itself is the trap, called or not; with it, a call is that answers it.
    """

    kind: str
    names: tuple[str, ...]
    why: str
    instead: str
    when: Condition | None = None
    but: tuple[str, ...] = ()
    """What a `*` among the names does not mean, with all below it."""

    def means(self, name: str) -> bool:
        """Whether a dotted name is among those of the trap."""
        if any(name == other or name.startswith(f"{other}.") for other in self.but):
            return False
        alike = (own for own in self.names if "*" in own and own.count(".") == name.count("."))
        return name in self.names or any(fnmatchcase(name, own) for own in alike)


# What is asked of a call. Where arguments are handed on (`*args`, `**options`), nothing can be said.


def _hands_on(call: ast.Call) -> bool:
    return any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def called(call: ast.Call) -> bool:
    """Called, however."""
    return True


def bare(call: ast.Call) -> bool:
    """Called with nothing, or with None."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return not _hands_on(call) and all(_is_none(value) for value in values)


def unstated(name: str) -> Condition:
    """Called without a keyword, or with None for it."""
    return lambda call: not _hands_on(call) and _is_none(_keyword(call, name))


def of_a_variable(call: ast.Call) -> bool:
    """Called with a name that is not written there."""
    name = call.args[0] if call.args else _keyword(call, "name")
    return not (isinstance(name, ast.Constant) and isinstance(name.value, str))


def of_now(call: ast.Call) -> bool:
    """Called with the word for this instant."""
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and first.value in ("now", "today")


def without_zone(call: ast.Call) -> bool:
    """Called with an instant alone."""
    return not _hands_on(call) and len(call.args) == 1 and not call.keywords


def threaded(call: ast.Call) -> bool:
    """Called without `use_threads=False`, which Arrow's take by position, too."""
    values = [*call.args, _keyword(call, "use_threads")]
    return not _hands_on(call) and not any(isinstance(v, ast.Constant) and v.value is False for v in values)


def joins_tables(call: ast.Call) -> bool:
    """Called as Arrow's join is, which tells it from that of texts, paths and threads."""
    marks = {"keys", "right_keys", "join_type", "coalesce_keys", "filter_expression"}
    return threaded(call) and (len(call.args) > 1 or any(k.arg in marks for k in call.keywords))


def draws_rows(call: ast.Call) -> bool:
    """Called as a data frame's `sample` is, without a seed."""
    marks = {"n", "frac", "replace", "weights", "ignore_index"}
    return unstated("random_state")(call) and any(k.arg in marks for k in call.keywords)


def _stated(name: str, values: tuple[object, ...]) -> Condition:
    def is_stated(call: ast.Call) -> bool:
        value = _keyword(call, name)
        return unstated("random_state")(call) and isinstance(value, ast.Constant) and value.value in values

    return is_stated


# The table.

_CLOCK = "each run reads another instant, so that equal inputs make different values"
_DAY = "take the day from the input, or make the instant a parameter"
_RANDOM = "each run draws other numbers, so that equal inputs make different values"
_SEED = "make the seed a parameter, and draw from numpy.random.default_rng(self.seed)"
_STATE = "say random_state=self.seed, a parameter"
_MACHINE = "it differs from machine to machine, and is in no key: a change of it rebuilds nothing"
_PARAMETER = "make it a parameter of the task, which is in the key"
_CONFIGURATION = "Luigi's configuration is in no key: a change of it rebuilds nothing"
_FILE = "what it reads is in no key: a change of it rebuilds nothing; and folders list in any order"
_INPUT = "land it, declare a Source or a Snapshot, and take it as an Input"
_THREADS = "threads give rows, and the last digits of sums of floats, in an order that changes between runs"

TRAPS = (
    Trap(
        "clock",
        (
            "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
            "datetime.date.today", "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns",
            "time.perf_counter", "time.perf_counter_ns", "time.process_time", "time.process_time_ns",
            "time.localtime", "pandas.Timestamp.now", "pandas.Timestamp.today", "pandas.Timestamp.utcnow",
            "pipeline.clock.*",
        ),
        _CLOCK, _DAY,
    ),
    Trap("clock", ("numpy.datetime64", "pandas.Timestamp", "pandas.to_datetime"), _CLOCK, _DAY, of_now),
    Trap("clock", ("time.gmtime", "time.ctime"), _CLOCK, _DAY, bare),
    Trap(
        "random",
        (
            "random.*", "numpy.random.*", "secrets.*", "os.urandom", "os.getrandom", "uuid.uuid1",
            "uuid.uuid4", "pyarrow.compute.random",
        ),
        _RANDOM, _SEED,
        but=(
            "random.Random", "numpy.random.default_rng", "numpy.random.Generator", "numpy.random.RandomState",
            "numpy.random.SeedSequence", "numpy.random.BitGenerator", "numpy.random.PCG64",
            "numpy.random.PCG64DXSM", "numpy.random.MT19937", "numpy.random.Philox", "numpy.random.SFC64",
        ),
    ),
    Trap(
        "random",
        (
            "random.Random", "numpy.random.default_rng", "numpy.random.RandomState",
            "numpy.random.SeedSequence", "numpy.random.PCG64", "numpy.random.PCG64DXSM",
            "numpy.random.MT19937", "numpy.random.Philox", "numpy.random.SFC64",
        ),
        _RANDOM, _SEED, bare,
    ),
    Trap("random", ALWAYS, _RANDOM, _STATE, unstated("random_state")),
    *(
        Trap("random", names, _RANDOM, _STATE, _stated(option, values))
        for names, option, values in ONLY_WHERE
    ),
    Trap(
        "random", (".sample", "pandas.DataFrame.sample", "pandas.Series.sample"),
        _RANDOM, _STATE, draws_rows,
    ),
    Trap(
        "machine",
        (
            "os.environ", "os.environb", "os.getenv", "os.getcwd", "os.cpu_count", "os.process_cpu_count",
            "os.sched_getaffinity", "os.getpid", "os.getppid", "os.uname", "os.getlogin", "os.getuid",
            "os.path.expanduser", "pathlib.Path.cwd", "pathlib.Path.home", "multiprocessing.cpu_count",
            "sys.argv", "sys.platform", "time.tzname", "platform.*", "locale.*", "getpass.*", "psutil.*",
        ),
        _MACHINE, _PARAMETER,
    ),
    Trap("machine", ("luigi.configuration.*", "luigi.configuration.*.*"), _CONFIGURATION, _PARAMETER),
    Trap(
        "machine",
        ("datetime.datetime.fromtimestamp", "datetime.date.fromtimestamp"),
        "the machine's time zone decides what day and hour it is", "say tz=datetime.UTC", without_zone,
    ),
    Trap(
        "machine", (".astimezone",),
        "the machine's time zone decides what day and hour it is", "name the zone", bare,
    ),
    Trap(
        "file",
        (
            "builtins.open", "io.open", "os.open", "os.listdir", "os.scandir", "os.walk", "os.stat",
            "os.path.exists", "os.path.isfile", "os.path.isdir", "os.path.getmtime", "os.path.getsize",
            "glob.*", "pathlib.Path.exists", "pathlib.Path.is_file", "pathlib.Path.is_dir",
            "pathlib.Path.open", "pathlib.Path.stat", "pathlib.Path.walk", "pathlib.Path.read_*",
            "pathlib.Path.iterdir", "pathlib.Path.glob", "pathlib.Path.rglob", "importlib.resources.*",
            "pkgutil.get_data", "pandas.read_*", "pandas.HDFStore", "pandas.ExcelFile",
            "pyarrow.parquet.read_*", "pyarrow.parquet.ParquetFile", "pyarrow.parquet.ParquetDataset",
            "pyarrow.csv.read_csv", "pyarrow.csv.open_csv", "pyarrow.json.read_json",
            "pyarrow.feather.read_*", "pyarrow.orc.read_table", "pyarrow.dataset.dataset",
            "pyarrow.dataset.parquet_dataset", "pyarrow.memory_map", "pyarrow.OSFile",
            "pyarrow.input_stream", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile",
            "numpy.memmap", "polars.read_*", "polars.scan_*", "joblib.load", "sqlite3.connect",
            "sklearn.datasets.fetch_*", "sklearn.datasets.load_files", "subprocess.*", "os.system",
            "os.popen",
        ),
        _FILE, _INPUT,
    ),
    Trap(
        "file", (".read_text", ".read_bytes", ".iterdir", ".glob", ".rglob"), _FILE, _INPUT, called
    ),
    Trap(
        "import", ("importlib.import_module", "builtins.__import__"),
        "a module whose name is not written there is in no key: an edit of it rebuilds nothing",
        "import what there is by name, and choose from a dict", of_a_variable,
    ),
    Trap(
        "network",
        (
            "requests.*", "urllib.request.*", "urllib3.*", "httpx.*", "aiohttp.*", "http.client.*",
            "socket.*", "ftplib.*", "smtplib.*", "boto3.*", "fsspec.*", "s3fs.*", "gcsfs.*", "paramiko.*",
        ),
        "what the network answers is in no key, and another run may be told otherwise", _INPUT,
    ),
    Trap(
        "threads", (".group_by", "pyarrow.Table.group_by", "pyarrow.TableGroupBy"),
        _THREADS, "call pipeline.values.relational.group_by", threaded,
    ),
    Trap(
        "threads", (".join", "pyarrow.Table.join", "pyarrow.dataset.Dataset.join"),
        _THREADS, "call pipeline.values.relational.join", joins_tables,
    ),
    Trap(
        "threads", ("pyarrow.acero.Declaration.to_table", "pyarrow.acero.Declaration.to_reader"),
        _THREADS, "say use_threads=False, or call what is in pipeline.values.relational", threaded,
    ),
    Trap(
        "threads",
        ("concurrent.futures.as_completed", "asyncio.as_completed"),
        "what is done first comes first", "take the results in the order of the calls: pool.map does",
    ),
    Trap(
        "threads", (".imap_unordered",),
        "what is done first comes first", "take the results in the order of the calls: pool.imap does",
        called,
    ),
)  # fmt: skip

ORDER = Trap(
    "order", (), "sets of text have another order in each process", "put sorted() around it"
)  # fmt: skip
HASH = Trap(
    "hash",
    ("builtins.hash",),
    "hashes of text are salted: they differ from process to process",
    "use hashlib.sha256 over its bytes, or pipeline.values.digest.digest_value",
)
STATE = Trap(
    "global",
    (),
    "what an earlier build in the same process left changes what the next one makes",
    "hand it over as an argument, and give it back",
)
CONFIGURED = Trap("machine", (), _CONFIGURATION, _PARAMETER)
"""For instances of the user's own `luigi.Config`."""
KINDS = tuple(dict.fromkeys(trap.kind for trap in (*TRAPS, ORDER, HASH, STATE)))
"""The words that `# headrace: allow` knows."""
