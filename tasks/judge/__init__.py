"""Verdicts on materials: above the hull or not, what target they meet; generated crystals by the published metrics."""
