"""Judging potentials: errors against labels, and properties of crystals against references."""
