from __future__ import annotations

from datetime import date, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DataError, NotReplayed
from pipeline.model import sanity
from pipeline.model.estimate import estimates
from pipeline.model.evaluation import evaluate
from pipeline.values.model import digest_model
from tasks import learning
from tasks.contracts import SERVED
from tests import flight_days, released
from tests.flight_days import ORDINARY

if TYPE_CHECKING:
    import pyarrow as pa
    from sklearn.pipeline import Pipeline

    from pipeline.values.bundle import Bundle

TRAINED = [ORDINARY + timedelta(days=ahead) for ahead in (0, 1, 2)]
JUDGED = ORDINARY + timedelta(days=3)


@cache
def _features() -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables([flight_days.features_of(day) for day in TRAINED])


@cache
def _model() -> Pipeline:
    return learning.fit(_features())


def _without_labels(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    at = table.column_names.index("is_late")
    return table.set_column(at, "is_late", pa.nulls(table.num_rows, pa.bool_()))


def test_a_second_fit_is_the_same_to_the_bit() -> None:
    again = learning.fit(_features())

    assert again[-1].coef_.tobytes() == _model()[-1].coef_.tobytes()
    judged = flight_days.features_of(JUDGED)
    found, expected = (learning.predict(model, judged).tobytes() for model in (again, _model()))
    assert found == expected


def test_rows_without_a_label_are_not_trained_on() -> None:
    import pyarrow as pa

    more = pa.concat_tables([_features(), _without_labels(flight_days.features_of(JUDGED))])

    assert learning.fit(more)[-1].coef_.tobytes() == _model()[-1].coef_.tobytes()


def test_every_flight_gets_a_probability_labelled_or_not() -> None:
    judged = flight_days.features_of(JUDGED)

    probability = learning.predict(_model(), judged)

    assert probability.shape == (judged.num_rows,)
    assert ((probability > 0) & (probability < 1)).all()
    assert (learning.predict(_model(), _without_labels(judged)) == probability).all()


@cache
def _production() -> Bundle:
    judged = flight_days.features_of(JUDGED)
    scores = learning.PROBLEM.scores_by_day(learning.predict(_model(), judged), judged)
    metrics = {**evaluate(scores, {}), "model": digest_model(_model())}
    return released.assembled(_model(), judged, metrics, learning.PROBLEM, SERVED)


def test_flights_are_scored_by_the_model_of_the_bundle() -> None:
    judged = flight_days.features_of(JUDGED)

    scored = learning.score(_production(), judged)

    assert scored["late_probability"].to_pylist() == learning.predict(_model(), judged).tolist()


def test_a_model_that_does_not_replay_scores_nothing() -> None:
    """Of another library, say: what it then answers is not what was judged."""
    golden = _production().json("golden.json")
    golden["predictions"][3] += 1e-3

    with pytest.raises(NotReplayed, match="golden row 3 is predicted as"):
        learning.score(
            released.with_json(_production(), "golden.json", golden), flight_days.features_of(JUDGED)
        )


def test_a_destination_never_seen_is_no_obstacle() -> None:
    import pyarrow as pa

    judged = flight_days.features_of(JUDGED)
    elsewhere = judged.set_column(
        judged.column_names.index("dest"), "dest", pa.array(["XXX"] * judged.num_rows)
    )

    assert len(learning.predict(_model(), elsewhere)) == judged.num_rows


def test_a_judgement_is_of_the_labelled_rows_alone() -> None:
    import pyarrow.compute as pc

    judged = flight_days.features_of(JUDGED)
    labelled = judged.filter(pc.is_valid(judged["is_late"]))
    late = labelled["is_late"].to_numpy().astype(float)

    scores = learning.PROBLEM.scores(learning.predict(_model(), judged), judged)
    found = estimates({JUDGED: scores})

    assert scores.rows == labelled.num_rows < judged.num_rows
    assert found["base_rate"].value == late.mean()
    squares = (learning.predict(_model(), labelled) - late) ** 2
    assert found["brier"].value == pytest.approx(squares.mean())


@pytest.mark.parametrize("kind", learning.RUNGS)
def test_every_rung_can_be_fitted_again_to_the_bit(kind: str) -> None:
    judged = flight_days.features_of(JUDGED)

    one, other = (learning.predict(learning.fit(_features(), kind), judged) for _ in range(2))

    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("kind", learning.RUNGS[1:])
def test_every_rung_that_looks_at_a_flight_is_trained_sanely(kind: str) -> None:
    found = sanity.outcomes(partial(learning.fit, kind=kind), learning.predict, _features(), learning.PROBLEM)

    assert [outcome.why for outcome in found if outcome.status != "pass"] == []


def test_a_constant_tells_no_flights_apart() -> None:
    found = sanity.outcomes(
        partial(learning.fit, kind="constant"), learning.predict, _features(), learning.PROBLEM
    )

    assert [outcome.name for outcome in found if outcome.status != "pass"] == [
        "few rows are learnt by heart", "turned labels are learnt as well",
    ]  # fmt: skip


def test_a_higher_rung_knows_more_of_what_it_learnt_from() -> None:
    losses = []
    for kind in learning.RUNGS:
        scores = learning.PROBLEM.scores(
            learning.predict(learning.fit(_features(), kind), _features()), _features()
        )
        losses.append(estimates({JUDGED: scores})["log_loss"].value)

    assert losses == sorted(losses, key=lambda loss: -(loss or 0))


def test_without_both_outcomes_there_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="both outcomes are needed"):
        learning.fit(_without_labels(_features()))


def test_the_departure_delay_is_caught_as_a_leak() -> None:
    day = TRAINED[0]
    # Landed and cleaned flights are both in the order of their key.
    delay = flight_days.admitted("flights", day).table["dep_delay"]

    assert learning.leaks(flight_days.features_of(day).append_column("dep_delay", delay)) == ["dep_delay"]


def test_a_leak_that_ranks_backwards_is_caught_too() -> None:
    import pyarrow.compute as pc

    features = flight_days.features_of(TRAINED[0])

    assert learning.leaks(features.append_column("on_time", pc.invert(features["is_late"]))) == ["on_time"]


def test_the_features_themselves_pass() -> None:
    assert learning.leaks(_features()) == []


def test_two_weeks_with_a_leak_are_refused() -> None:
    import pyarrow as pa

    fortnight = [ORDINARY + timedelta(days=ahead) for ahead in range(learning.LEAK_DAYS)]
    features = pa.concat_tables([flight_days.features_of(day) for day in fortnight])
    delays = [flight_days.admitted("flights", day).table["dep_delay"] for day in fortnight]
    delay = pa.chunked_array([chunk for column in delays for chunk in column.chunks])

    learning.refuse_leaks(features)
    with pytest.raises(DataError, match="dep_delay alone tells is_late"):
        learning.refuse_leaks(features.append_column("dep_delay", delay))


def test_a_day_of_storms_is_not_taken_for_a_leak() -> None:
    """That evening all went wrong: the scheduled minute alone has an AUC of 0.92."""
    stormy = flight_days.features_of(date(2013, 7, 22))

    assert "scheduled_minute" in learning.leaks(stormy)
    learning.refuse_leaks(stormy)
