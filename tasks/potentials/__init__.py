"""Interatomic potentials: energies, forces and stresses of many structures in one pass."""
