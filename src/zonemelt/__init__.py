"""Campaigns of machine-learning-driven materials design, run durably on supercomputers."""

__version__ = "0.1.0"
