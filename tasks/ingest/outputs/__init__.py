"""Readers of what electronic-structure codes write; numbers are parsed by emmet, pymatgen, ASE and dpdata."""
