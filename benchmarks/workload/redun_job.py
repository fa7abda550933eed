"""W(N) in redun: `redun run redun_job.py main --landing LANDING --out OUT`.

Files are told apart by content, and a task is another one when the function changes that it calls. What that
function calls in turn, redun does not look for. (It reads annotations as types, so they can't be postponed.)
"""

import inspect

from redun import task
from redun.file import ContentFile

from benchmarks.workload import features, files, learning, summary

redun_namespace = "workload"


@task(hash_includes=[inspect.getsource(features.features)])
def day_features(sales: ContentFile, out: str) -> ContentFile:
    """Read, make, write."""
    files.write_features(features.features(files.read_sales(sales.path)), out)
    return ContentFile(out)


@task(hash_includes=[inspect.getsource(summary.summarize)])
def day_stats(made: ContentFile, out: str) -> ContentFile:
    """Read, summarize, write."""
    files.write_json(summary.summarize(files.read_features(made.path)), out)
    return ContentFile(out)


@task(hash_includes=[inspect.getsource(summary.merge_all)])
def all_stats(days: list[ContentFile], out: str) -> ContentFile:
    """Read, merge, write."""
    files.write_json(summary.merge_all(files.read_json(each.path) for each in days), out)
    return ContentFile(out)


@task(hash_includes=[inspect.getsource(learning.fit)])
def model(made: list[ContentFile], stats: ContentFile, out: str) -> ContentFile:
    """Read, fit, write."""
    rows = files.read_to_learn(each.path for each in made)
    files.write_model(learning.fit(rows, files.read_json(stats.path)), out)
    return ContentFile(out)


@task(cache=False)
def main(landing: str, out: str) -> ContentFile:
    """Every day, and then the model."""
    days = files.landed(landing)
    made = [
        day_features(ContentFile(f"{landing}/{day}.csv"), f"{out}/features/{day}.parquet") for day in days
    ]
    summaries = [day_stats(each, f"{out}/stats/{day}.json") for each, day in zip(made, days, strict=True)]
    return model(made, all_stats(summaries, f"{out}/stats.json"), f"{out}/model.joblib")
