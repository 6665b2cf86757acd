"""Read a log of GPAW with GPAW's own parser: ``python gpaw_log_run.py gpaw.txt`` prints its frames as JSON.

This file is run by the Python of GPAW's environment, so it imports nothing but the standard library and GPAW.
"""

from __future__ import annotations

import json
import sys
from typing import Any

KEYS = {"atoms", "unit_cell", "energy_contributions", "forces", "stress_tensor", "magnetic_moments"}


def frame(told: dict[str, Any]) -> dict[str, Any]:
    """One configuration: lengths in Å, energies in eV, forces in eV/Å, stress in eV/Å³."""
    energies = told.get("energy_contributions", {})
    moments = told.get("magnetic_moments")
    return {
        "symbols": [row[1] for row in told["atoms"]],
        "positions": [row[2:5] for row in told["atoms"]],
        "cell": [row[1:4] for row in told["unit_cell"]],
        "pbc": [row[0] == "yes" for row in told["unit_cell"]],
        "free_energy": energies.get("free_energy"),
        "energy": energies.get("extrapolated"),
        "forces": told.get("forces"),
        "stress": told.get("stress_tensor"),
        "magmoms": [row[1:] for row in moments] if moments else None,
    }


def main(path: str) -> None:
    """Print the frames of a log."""
    import gpaw
    from gpaw.io.log_file_reader import parse_file

    frames = [frame(told) for told in parse_file(path, keys=KEYS) if "atoms" in told and "unit_cell" in told]
    json.dump({"gpaw": gpaw.__version__, "frames": frames}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
