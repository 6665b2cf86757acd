"""Units that people read, from ours: eV, Å, eV/Å and eV/Å³ with tension positive.

Constants of nature and other units are those of ``ase.units``; what documents of other programs use stands
in ``tasks/convert/documents/units.py``.
"""

from __future__ import annotations

from typing import Final

GPA: Final = 160.21766208
"""GPa in one eV/Å³ (CODATA 2014, as ``1 / ase.units.GPa``)."""
KJ_MOL: Final = 96.48533
"""kJ/mol in one eV."""
MICROCOULOMB_CM2: Final = 1602.176634
"""µC/cm² in one e/Å²."""
MAH_MOL: Final = 26_801.48
"""mAh in a mole of elementary charges."""
G_CM3: Final = 1.66053907
"""g/cm³ in one u/Å³."""
