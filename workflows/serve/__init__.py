"""Structures of campaigns and datasets for programs of others: an OPTIMADE endpoint."""
