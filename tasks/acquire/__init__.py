"""Decide what to label next."""
