"""Oracles: what turns a structure into a labelled record."""
