"""Campaigns and datasets for browsers and for programs of others: a live page, an OPTIMADE endpoint."""
