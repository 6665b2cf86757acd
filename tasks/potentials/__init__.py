"""Interatomic potentials: energies and forces of many structures at once, and what is made of them."""
