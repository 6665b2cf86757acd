"""Potentials of other libraries, through the calculators of ASE that these offer."""
