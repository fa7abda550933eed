"""The hand-over: a model leaves training as a signed bundle, and production takes only what passed the gate.

Bottom up: `signing` keys and signatures, `signed` bundles in a store, `served` a bundle that predicts,
`aliases` which bundle serves under a name, `registry` who changes that, `reader` what a service holds, `gate`
who may pass, `task` the pattern that does it all at the end of a run: it knows how values are built, and so
do `production` and `configured`.
"""
