"""The floor of bytes at rest: storage, and the verified repository over it."""
