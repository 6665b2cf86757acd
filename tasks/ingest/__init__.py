"""Outputs, tables and databases of others as records, each file with exactly one verdict."""
