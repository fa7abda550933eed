"""Learning and judging: what a model said and what came, how sure one can be of it, who is better.

`problem` what is asked; `scores` what a model said of some rows, in total and by slice, mergeable, of which
`binary`, `classes` and `regression` are the kinds (`summary` knows all three, `histogram` counts for two);
`estimate` every metric with its interval; `compare` two models on the same rows; `evaluation` all that is
known of a candidate beside simpler models. `leaks`, `determinism`, `sanity` and `seeds` are what training
itself is held to. No Luigi, and nothing that reads.

`linear`, `bayes` models made of aggregates instead of rows.
"""
