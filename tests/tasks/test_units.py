"""Units that people read agree with the constants of nature of ASE and SciPy."""

from __future__ import annotations

import pytest
from ase import units as ase_units
from scipy import constants

from zonemelt.tasks import units


def test_they_are_those_of_others():
    assert pytest.approx(1 / ase_units.GPa, rel=1e-9) == units.GPA
    assert pytest.approx(ase_units.mol / ase_units.kJ, rel=1e-7) == units.KJ_MOL
    assert pytest.approx(constants.e * 1e6 / 1e-16, rel=1e-9) == units.MICROCOULOMB_CM2
    assert pytest.approx(constants.e * constants.N_A / 3.6, rel=1e-6) == units.MAH_MOL
    assert pytest.approx(constants.atomic_mass * 1e3 / 1e-24, rel=1e-8) == units.G_CM3
