"""Machines as data: what a site is, and how it becomes a Parsl configuration."""
