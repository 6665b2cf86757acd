"""Campaigns: a validated spec becomes a jobflow graph."""
