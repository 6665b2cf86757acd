"""Verdicts on materials: above the hull, on target; and the published metrics of generated crystals."""
