"""The floor that makes values, and the only one that knows Luigi."""
