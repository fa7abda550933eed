"""Campaigns: what a store survives, counted."""
