"""The first step: a day's sales as numbers that a model can learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.workload import amounts, count

if TYPE_CHECKING:
    import pandas as pd

NAMES = ("paid", "rebate", "sine", "cosine", "of_shop", "rank", "visits", "pause")
LABEL = "returned"


def features(sales: pd.DataFrame) -> pd.DataFrame:
    """One row a sale: eight features and the label, in the order of the sales."""
    count.tell("features")
    import numpy as np
    import pandas as pd

    paid = amounts.paid(sales)
    # The time of day lies on a circle: the last second is next to the first.
    angle = sales["second"] * (2 * np.pi / 86_400)
    since = sales.sort_values(["second", "sale"]).groupby("shop")["second"].diff()
    return pd.DataFrame(
        {
            "sale": sales["sale"],
            "paid": np.log1p(paid),
            "rebate": sales["discount"].fillna(0.0),
            "sine": np.sin(angle),
            "cosine": np.cos(angle),
            "of_shop": np.log1p(paid / paid.groupby(sales["shop"]).transform("mean")),
            "rank": paid.groupby(sales["kind"]).rank(pct=True),
            "visits": sales.groupby("customer")["sale"].transform("size"),
            "pause": np.log1p(since.reindex(sales.index).fillna(0.0)),
            LABEL: sales["returned"],
        }
    )
