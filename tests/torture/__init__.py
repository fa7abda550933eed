"""Campaigns: what is done to the framework by the thousand, each from a seed, with counts as its result."""
