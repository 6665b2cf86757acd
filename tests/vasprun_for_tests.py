"""A small vasprun.xml, written as VASP writes it, for tests that read it with several libraries."""

from typing import Any

CELL = ((4.1, 0.0, 0.0), (0.2, 4.0, 0.0), (0.0, 0.1, 4.3))
FRACTIONAL = (((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), ((0.0, 0.0, 0.01), (0.5, 0.5, 0.49)))
FORCES = (((0.1, -0.2, 0.3), (-0.1, 0.2, -0.3)), ((0.01, -0.02, 0.03), (-0.01, 0.02, -0.03)))
STRESS = (
    ((12.0, 1.0, 2.0), (1.0, -5.0, 3.0), (2.0, 3.0, 7.0)),
    ((1.2, 0.1, 0.2), (0.1, -0.5, 0.3), (0.2, 0.3, 0.7)),
)
E_FR = (-10.5, -10.75)
E_0 = (-10.25, -10.5)


def _vectors(name: str, rows: Any) -> str:
    inner = "".join(f"<v>{' '.join(f'{x:.8f}' for x in row)}</v>" for row in rows)
    return f'<varray name="{name}">{inner}</varray>'


def _structure(fractional: Any, name: str = "") -> str:
    named = f' name="{name}"' if name else ""
    reciprocal = _vectors("rec_basis", ((0.25, 0, 0), (0, 0.25, 0), (0, 0, 0.25)))
    crystal = f'<crystal>{_vectors("basis", CELL)}<i name="volume">70.52</i>{reciprocal}</crystal>'
    return f"<structure{named}>{crystal}{_vectors('positions', fractional)}</structure>"


def _energy(fr: float, zero: float) -> str:
    return (
        f'<energy><i name="e_fr_energy">{fr:.8f}</i><i name="e_wo_entrp">{2 * zero - fr:.8f}</i>'
        f'<i name="e_0_energy">{zero:.8f}</i></energy>'
    )


def vasprun(*, cycles: int = 2, nelm: int = 60, ionic_e_0: float | None = None) -> str:
    """The text of a relaxation of NaCl with two ionic steps.

    Args:
        cycles: electronic ones, of each ionic step.
        nelm: how many were allowed.
        ionic_e_0: what the ionic steps say is e_0, which some versions of VASP write wrongly.
    """
    steps = ""
    for fractional, forces, stress, fr, zero in zip(FRACTIONAL, FORCES, STRESS, E_FR, E_0, strict=True):
        scf = f"<scstep>{_energy(fr, zero)}</scstep>" * cycles
        said = zero if ionic_e_0 is None else ionic_e_0
        steps += (
            f"<calculation>{scf}{_structure(fractional)}{_vectors('forces', forces)}"
            f"{_vectors('stress', stress)}{_energy(fr, said)}</calculation>"
        )
    parameters = (
        f'<i name="ENMAX">500.0</i><i type="int" name="NELM">{nelm}</i><i type="int" name="ISMEAR">0</i>'
        '<i name="SIGMA">0.05</i><i type="int" name="ISPIN">1</i><i type="int" name="NSW">9</i>'
        '<i type="int" name="IBRION">2</i><i type="logical" name="LDAU"> F </i>'
        '<i type="logical" name="LHFCALC"> F </i><i type="string" name="GGA">PE</i>'
        '<i type="string" name="METAGGA">--</i><i type="logical" name="LUSE_VDW"> F </i>'
        '<i type="int" name="IVDW">0</i><i name="EDIFFG">-0.01</i>'
    )
    kinds = "".join(
        f"<rc><c>1</c><c>{symbol}</c><c>{mass}</c><c>1.0</c><c>{title}</c></rc>"
        for symbol, mass, title in (
            ("Na", 22.99, "PAW_PBE Na_pv 19Sep2006"),
            ("Cl", 35.45, "PAW_PBE Cl 06Sep2000"),
        )
    )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
<generator><i name="program" type="string">vasp </i><i name="version" type="string">6.4.2</i></generator>
<incar><i name="ENCUT">500.0</i><i name="KSPACING">0.25</i><i type="int" name="IBRION">2</i></incar>
<kpoints><generation param="Gamma"><v type="int" name="divisions">1 1 1</v></generation>
<varray name="kpointlist"><v>0.0 0.0 0.0</v></varray><varray name="weights"><v>1.0</v></varray></kpoints>
<parameters>{parameters}</parameters>
<atominfo><atoms>2</atoms><types>2</types>
<array name="atoms"><dimension dim="1">ion</dimension><field type="string">element</field>
<field type="int">atomtype</field><set><rc><c>Na</c><c>1</c></rc><rc><c>Cl</c><c>2</c></rc></set></array>
<array name="atomtypes"><dimension dim="1">type</dimension><field type="int">atomspertype</field>
<field type="string">element</field><field>mass</field><field>valence</field>
<field type="string">pseudopotential</field><set>{kinds}</set></array></atominfo>
{_structure(FRACTIONAL[0], "initialpos")}
{steps}
{_structure(FRACTIONAL[1], "finalpos")}
</modeling>
"""
