"""A model's identity is its fitted state; skops is only how it rests.

The invariant: two fits that ended in the same state have the same digest, in any process and after
any number of trips through a file. Pickle and skops promise neither: their bytes hold memory
addresses, dates and the order in which attributes were set.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from itertools import count
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.values.digest import Digest, digest_bytes, digest_value
from pipeline.values.unpacking import require_archive_fits

if TYPE_CHECKING:
    import numpy as np

SEMANTICS = 1
"""Raise it when `digest_model` or the bytes' meaning changes; it enters the keys."""

TRUSTED_TYPES = (
    # Trees are arrays of node numbers that are followed unchecked: safe only in bytes whose digest,
    # or signature, was checked before.
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    # Parts of fitted scikit-learn estimators, which skops knows but doesn't trust by itself.
    "functools.partial",
    "numpy.dtype",
    "scipy.interpolate._bsplines.BSpline",
    "scipy.sparse._csr.csr_matrix",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils.validation.check_array",
)
"""What `load_model` makes besides skops' own list: types that do nothing when they are made.

An estimator of your own isn't among them, and neither is a function of your own: loading it would
run code that a file names.
"""

_PLAIN = {type(None), bool, int, float, str, bytes}
_SCHEMA = "schema.json"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can say

# What an object remembers of the machine or the library, though no prediction depends on it.
_CIRCUMSTANCES = {"_sklearn_version"}
_CIRCUMSTANCES_OF = {"sklearn.ensemble._hist_gradient_boosting.binning._BinMapper": {"n_threads"}}


def digest_model(estimator: object) -> Digest:
    """Return the digest of an estimator's state: of its parameters, and of all that it has learnt.

    Counted are the names of types, attributes, the contents of containers, and arrays by dtype,
    shape and values. Not counted are memory layout, which parts are shared, the order of
    attributes, the library's version, and the number of threads that a histogram was made with.

    `TypeError` names the place of something that has no state to compare, such as a lambda.
    """
    return digest_value(("headrace/model/1", _Describer().describe(estimator)))


def dump_model(estimator: object) -> bytes:
    """Return the model as a skops file without dates, addresses or chance in its layout.

    Two dumps are equal byte for byte, except where numpy structures have gaps (the nodes of trees), which
    hold what memory held.

    The file is read back first, so that what is returned is known to give the same model. Raises
    what `digest_model` and `load_model` raise, and `TypeError` for what skops can't hold.
    """
    from skops import io as skops

    digest = digest_model(estimator)
    try:
        data = _canonical_zip(skops.dumps(estimator))
    except RecursionError:
        raise TypeError("found a model that contains itself, which skops can't hold") from None
    if digest_model(load_model(data)) != digest:
        raise TypeError(
            f"found a {_name(type(estimator))} that reads back as another model than was written; "
            "keep what skops can't hold out of its attributes"
        )
    return data


def load_model(data: bytes) -> Any:
    """Return the model that `dump_model` wrote.

    Check the digest of `data` first: none but the types in `TRUSTED_TYPES` and skops' own list are
    made, but what they hold is taken as it is. `DataError` names other types, says why nothing loads, or
    what is larger than `pipeline.values.unpacking` allows.
    """
    from skops import io as skops

    try:
        require_archive_fits(data)
        untrusted = set(skops.get_untrusted_types(data=data)) - set(TRUSTED_TYPES)
        if not untrusted:
            return skops.loads(data, trusted=list(TRUSTED_TYPES))
    except Exception as error:  # whatever damage, or another version of a library, sets off
        raise DataError(
            f"found bytes that don't load as a model: {error!r}; "
            "use the versions of the libraries that the model's record names"
        ) from error
    raise DataError(
        f"found a model with the types {sorted(untrusted)}, which aren't in TRUSTED_TYPES; "
        "build it of scikit-learn's own parts"
    )


class _Describer:
    """Turns an object into a plain value that says all of its state: (tag, ...) for whatever isn't plain."""

    def __init__(self) -> None:
        self.path: list[str] = []  # where the element in hand stands
        self.open: dict[int, int] = {}  # the objects around it, and how deep each of them is

    def describe(self, value: object, place: str = "model") -> object:
        """Describe the element that stands at `place` in the one around it."""
        import numpy as np

        if type(value) in _PLAIN:
            return value
        if isinstance(value, np.dtype):
            return ("dtype", value.descr if value.names else value.str)
        if isinstance(value, np.generic):
            return ("scalar", value.dtype.str, value.tobytes())
        if isinstance(value, ModuleType):
            return ("module", value.__name__)
        if id(value) in self.open:
            return ("cycle", len(self.open) - self.open[id(value)])
        self.path.append(place)
        self.open[id(value)] = len(self.open)
        description = self._global(value) if _is_global(value) else self._compound(value)
        del self.open[id(value)]
        self.path.pop()
        return description

    def _compound(self, value: Any) -> object:
        import numpy as np
        from scipy import sparse

        if type(value) in (list, tuple):
            return ("sequence", self._each(value))
        if type(value) in (set, frozenset):
            return ("set", {digest_value(element) for element in self._each(value)})
        if type(value) is dict:
            return ("mapping", self._pairs(value.items()))
        if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
            return self._array(value)
        if sparse.issparse(value):
            return self._sparse(value)
        if isinstance(value, np.random.Generator):
            return ("random", self.describe(value.bit_generator.state))
        if isinstance(value, np.random.RandomState):
            return ("random", self.describe(value.get_state(legacy=False)))
        return self._object(value)

    def _each(self, values: Iterable[object]) -> list[object]:
        return [self.describe(value, f"[{index}]") for index, value in enumerate(values)]

    def _pairs(self, items: Iterable[tuple[object, object]]) -> dict[Digest, object]:
        """Describe a mapping by what identifies its keys: these may be anything that has a hash."""
        return {
            digest_value(self.describe(key, "key")): self.describe(value, f"[{key!r:.50}]")
            for key, value in items
        }

    def _array(self, array: np.ndarray[Any, Any]) -> object:
        import numpy as np

        if array.dtype.names:  # field by field: what fills the gaps between them is left to chance
            fields = [(name, self._array(array[name])) for name in array.dtype.names]
            return ("structure", array.shape, fields)
        if array.dtype.kind in "OT":
            return ("objects", array.shape, self._each(array.ravel().tolist()))
        return ("array", array.dtype.str, array.shape, digest_bytes(np.ascontiguousarray(array).tobytes()))

    def _sparse(self, matrix: Any) -> object:
        """Describe the entries that differ from zero, in whatever order the matrix held them."""
        entries = matrix.tocsr(copy=True)
        entries.sum_duplicates()
        parts = (entries.data, entries.indices.astype("int64"), entries.indptr.astype("int64"))
        return ("sparse", _name(type(matrix)), matrix.shape, [self._array(part) for part in parts])

    def _global(self, value: Any) -> object:
        name = _name(value)
        if "<" in name:  # <lambda>, <locals>
            raise TypeError(
                f"{''.join(self.path)} has no digest: found {name}, expected a function of a module"
            )
        return ("global", name)

    def _object(self, value: Any) -> object:
        """Describe an object as the pickle protocol takes it apart, without making a pickle."""
        try:
            reduced = value.__reduce_ex__(4)
        except TypeError as error:
            raise TypeError(f"{''.join(self.path)} has no digest: {error}") from None
        if isinstance(reduced, str):
            return ("global", f"{value.__module__}.{reduced}")
        maker, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        if isinstance(state, dict):
            kind = _name(type(value))
            left_out = _CIRCUMSTANCES | _CIRCUMSTANCES_OF.get(kind, set())
            state = {name: part for name, part in state.items() if name not in left_out}
        return (
            "object",
            self.describe(maker, ".maker"),
            self.describe(arguments, ".arguments"),
            self._state(state),
            self._each(items or ()),
            self._pairs(pairs or ()),
        )

    def _state(self, state: object) -> object:
        """Describe attributes without their order: it tells who set them, not what they are."""
        if isinstance(state, tuple) and len(state) == 2:  # with __slots__: the two kinds apart
            return ("state", self._state(state[0]), self._state(state[1]))
        return self.describe(state, ".state")


def _is_global(value: object) -> bool:
    """Whether it is found by its name: a class, a function, a numpy ufunc."""
    import numpy as np

    if isinstance(value, BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, ModuleType | type)
    return isinstance(value, type | FunctionType | np.ufunc)


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', 'numpy')}.{value.__qualname__}"


def _canonical_zip(data: bytes) -> bytes:
    """Pack a skops file anew: no dates, and places in the traversal instead of memory addresses."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    order = _Order()
    schema = order.apply(json.loads(members[_SCHEMA]))
    contents = {new: members[old] for old, new in order.names.items()}
    contents[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    repacked = io.BytesIO()
    with zipfile.ZipFile(repacked, "w") as target:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            target.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=6)
    return repacked.getvalue()


class _Order:
    """Numbers the nodes of a skops schema as they are met, and names the members by it."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._numbers: dict[int, int] = {}
        self._next = count()

    def apply(self, node: Any) -> Any:
        """Return the schema with the new numbers and names."""
        if isinstance(node, list):
            return [self.apply(each) for each in node]
        if not isinstance(node, dict):
            return node
        changed = {key: self.apply(value) for key, value in node.items() if key != "__id__"}
        if "file" in changed:
            suffix = node["file"].rsplit(".", 1)[-1]
            changed["file"] = self.names.setdefault(node["file"], f"{len(self.names)}.{suffix}")
        if "__id__" in node:
            # Whether two equal numbers or texts are one object is up to the interpreter.
            shared = {} if node.get("is_json") else self._numbers
            changed["__id__"] = shared.setdefault(node["__id__"], next(self._next))
        return changed
