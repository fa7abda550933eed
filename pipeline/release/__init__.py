"""The hand-over: a model leaves training as a signed bundle, and production takes only what passed the gate.

Bottom up: `signing` keys and signatures, `signed` bundles in a store, `served` a bundle that predicts,
`registry` the online store with its aliases, `reader` what a service holds, `gate` who may pass,
`task` the pattern that does it all at the end of a run: the one file here that knows how values are built.
"""
