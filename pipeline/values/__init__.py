"""The floor of values: pure, no I/O, and nothing heavy imported before a value is made."""
