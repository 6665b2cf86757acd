"""Which columns the results of cathodes, ferroelectrics and polymorphs have."""

from __future__ import annotations

from typing import Final

COLUMNS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "cathodes": (
        ("formula", "formula"), ("voltage (V)", "voltage"), ("capacity (mAh/g)", "capacity"),
        ("energy (Wh/kg)", "energy_density"), ("volume change (%)", "volume_change"),
        ("barrier (eV)", "barrier"), ("hop (Å)", "hop"),
    ),
    "ferroelectrics": (
        ("c/a", "tetragonality"), ("energy gain (meV)", "energy_gain"),
        ("P nominal (µC/cm²)", "polarization_nominal"), ("P Born (µC/cm²)", "polarization_born"),
    ),
    "polymorphs": (
        ("energy (kJ/mol)", "energy"), ("volume (Å³)", "volume"), ("density (g/cm³)", "density"),
        ("cations/1000 Å³", "framework_density"),
    ),
}  # fmt: skip
"""Kind of campaign → column, key."""
