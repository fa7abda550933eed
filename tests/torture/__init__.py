"""The torture of the store: rows of attacks that count, and what each of them may not find.

`make torture` runs them all, within a budget; a short slice of each is among the tests.
"""
