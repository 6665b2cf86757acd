"""Units that people read, from ours: eV, Å, eV/Å and eV/Å³ with tension positive.

Constants of nature and other units are those of ``ase.units``; what documents of other programs use stands
in ``tasks/convert/documents/units.py``.
"""

from __future__ import annotations

from typing import Final

GPA: Final = 160.21766208
"""GPa in one eV/Å³ (CODATA 2014, as ``1 / ase.units.GPa``)."""
