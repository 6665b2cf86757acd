"""Small outputs of electronic-structure codes, written from numbers, so that what they hold is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.units import Bohr, GPa, Hartree, Rydberg

TAG = "TIT" + "EL"  # of VASP; spelled so that spelling checkers let it pass


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A labelled frame: eV, Å, eV/Å, eV/Å³ with tension positive."""

    symbols: tuple[str, ...] = ("Al", "Al", "O")
    cell: Any = ((4.0, 0.0, 0.0), (0.5, 4.5, 0.0), (0.0, 0.3, 5.0))
    positions: Any = ((0.0, 0.0, 0.0), (2.0, 2.2, 0.1), (1.9, 0.2, 2.6))
    energy_free: float = -12.5
    energy_sigma0: float = -12.25
    forces: Any = ((0.1, -0.2, 0.3), (0.2, 0.1, -0.4), (-0.3, 0.1, 0.1))
    stress: Any = ((0.01, 0.002, 0.003), (0.002, -0.02, 0.004), (0.003, 0.004, 0.03))
    iterations: int = 3

    @property
    def scaled(self) -> Any:
        return np.linalg.solve(np.array(self.cell).T, np.array(self.positions).T).T

    @property
    def elements(self) -> list[str]:
        return list(dict.fromkeys(self.symbols))


def frames(count: int, **changes: Any) -> list[Frame]:
    """Frames that differ in energy and in the first position."""
    first = Frame(**changes)
    made = []
    for number in range(count):
        positions = np.array(first.positions)
        positions[0, 0] += 0.01 * number
        made.append(
            replace(
                first,
                positions=tuple(map(tuple, positions.tolist())),
                energy_free=first.energy_free - number,
                energy_sigma0=first.energy_sigma0 - number,
            )
        )
    return made


def rows(array: Any, form: str = "{:16.8f}", before: str = "", after: str = "") -> str:
    return "\n".join(
        before + "".join(form.format(x) for x in row) + after for row in np.asarray(array).tolist()
    )


def varray(name: str, array: Any) -> str:
    return f'<varray name="{name}">\n{rows(array, before="<v>", after="</v>")}\n</varray>'


def structure(frame: Frame, name: str = "") -> str:
    cell = np.array(frame.cell)
    named = f' name="{name}"' if name else ""
    return (
        f"<structure{named}><crystal>{varray('basis', cell)}"
        f'<i name="volume">{abs(np.linalg.det(cell)):.8f}</i>{varray("rec_basis", np.linalg.inv(cell).T)}'
        f"</crystal>{varray('positions', frame.scaled)}</structure>"
    )


def energies(free: float, sigma0: float) -> str:
    without = 2 * sigma0 - free
    return (
        f'<energy><i name="e_fr_energy">{free:.8f}</i><i name="e_wo_entrp">{without:.8f}</i>'
        f'<i name="e_0_energy">{sigma0:.8f}</i></energy>'
    )


def vasprun(
    given: list[Frame],
    *,
    nelm: int = 60,
    nsw: int = 99,
    ended: bool = True,
    summary_sigma0: float | None = None,
) -> str:
    """A vasprun.xml; ``summary_sigma0`` is what VASP writes wrongly into the summary of a step."""
    first = given[0]
    atoms = "".join(
        f"<rc><c>{symbol:<2}</c><c>{first.elements.index(symbol) + 1:4d}</c></rc>" for symbol in first.symbols
    )
    types = "".join(
        f"<rc><c>{first.symbols.count(element):4d}</c><c>{element:<2}</c><c>26.9</c><c>3.0</c>"
        f"<c>PAW_PBE {element} 04Jan2001</c></rc>"
        for element in first.elements
    )
    settings = f"""<i type="int" name="NELM">{nelm}</i><i type="int" name="NSW">{nsw}</i>
<i type="int" name="IBRION">2</i><i type="int" name="ISPIN">1</i><i name="ENMAX">400.0</i>
<i type="int" name="ISMEAR">1</i><i name="SIGMA">0.2</i><i type="logical" name="LHFCALC">F</i>
<i name="AEXX">0.0</i><i type="string" name="GGA">--</i><i type="logical" name="LDAU">F</i>"""
    text = f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
<generator><i name="program" type="string">vasp</i><i name="version" type="string">6.4.2</i></generator>
<incar><i name="ENCUT">400.0</i></incar>
<kpoints><generation param="Gamma"><v type="int" name="divisions">1 1 1</v></generation>
{varray("kpointlist", [[0, 0, 0]])}{varray("weights", [[1.0]])}</kpoints>
<parameters>{settings}</parameters>
<atominfo><atoms>{len(first.symbols)}</atoms><types>{len(first.elements)}</types>
<array name="atoms"><dimension dim="1">ion</dimension><field type="string">element</field>
<field type="int">atomtype</field><set>{atoms}</set></array>
<array name="atomtypes"><dimension dim="1">type</dimension><field type="int">atomspertype</field>
<field type="string">element</field><field>mass</field><field>valence</field>
<field type="string">pseudopotential</field><set>{types}</set></array></atominfo>
{structure(first, "initialpos")}
"""
    for frame in given:
        step = f"<scstep>{energies(frame.energy_free, frame.energy_sigma0)}</scstep>\n"
        told = frame.energy_sigma0 if summary_sigma0 is None else summary_sigma0
        text += (
            f"<calculation>\n{step * frame.iterations}{structure(frame)}\n{varray('forces', frame.forces)}\n"
        )
        text += f"{varray('stress', -np.array(frame.stress) / GPa * 10)}\n"
        text += f"{energies(frame.energy_free, told)}\n</calculation>\n"
    return text + (f"{structure(given[-1], 'finalpos')}</modeling>\n" if ended else "")


def outcar(given: list[Frame], *, nelm: int = 60, nsw: int = 99, ended: bool = True) -> str:
    """An OUTCAR of VASP 6."""
    first = given[0]
    potcars = "".join(f" POTCAR:    PAW_PBE {element} 04Jan2001\n" for element in first.elements)
    titles = "".join(
        f"   {TAG}  = PAW_PBE {element} 04Jan2001\n   LEXCH  = PE\n" for element in first.elements
    )
    counts = "".join(f"{first.symbols.count(element):4d}" for element in first.elements)
    text = f""" vasp.6.4.2 20Jul23 (build Jan 01 2024 00:00:00) complex

 executed on             LinuxIFC date 2024.01.01  00:00:00
 running on    1 total cores
{potcars}{potcars}{titles}   ions per type =            {counts}
   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     4
   total plane-waves  NPLWV =    1000
   ISPIN  =      1    spin polarized calculation?
   ENCUT  =  400.0 eV  29.40 Ry    5.42 a.u.   1.0  1.0  1.0*2*pi/ulx,y,z
   NELM   =     {nelm:2d};   NELMIN=  2; NELMDL= -5     # of ELM steps
   EDIFFG = 0.1E-01   stopping-criterion for IOM
   NSW    = {nsw:6d}    number of steps for IOM
   NBLOCK =      1;   KBLOCK =    1    inner block; outer block
   IBRION =      2    ionic relax: 0-MD 1-quasi-New 2-CG
   ISMEAR =     1;   SIGMA  =   0.20  broadening in eV -4-tet -1-fermi 0-gaus
   GGA     =    --    GGA type
   LHFCALC =     F    Hartree Fock is set to
 k-points in reciprocal lattice and weights: Gamma
   0.00000000  0.00000000  0.00000000       1.000

"""
    for number, frame in enumerate(given):
        without = 2 * frame.energy_sigma0 - frame.energy_free
        xx, yy, zz, xy, yz, zx = (
            -np.array(frame.stress)[i, j] / GPa * 10
            for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))
        )
        for iteration in range(frame.iterations):
            text += f"{'-' * 30} Iteration {number + 1:6d}({iteration + 1:4d})  {'-' * 30}\n"
        inverse = np.linalg.inv(np.array(frame.cell)).T
        table = rows(np.hstack([frame.positions, frame.forces]), "{:14.6f}")
        text += f"""------------------------ aborting loop because EDIFF is reached ------------------------
  in kB  {xx:11.5f} {yy:11.5f} {zz:11.5f} {xy:11.5f} {yz:11.5f} {zx:11.5f}
  external pressure =        0.00 kB  Pullay stress =        0.00 kB

  VOLUME and BASIS-vectors are now :
 -----------------------------------------------------------------------------
  energy-cutoff  :      400.00
  volume of cell :       {abs(np.linalg.det(np.array(frame.cell))):.2f}
      direct lattice vectors                 reciprocal lattice vectors
{rows(np.hstack([frame.cell, inverse]), "{:15.9f}")}

 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
{table}
 -----------------------------------------------------------------------------------
    total drift:                                0.000000      0.000000      0.000000

  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  = {frame.energy_free:18.8f} eV

  energy  without entropy= {without:17.8f}  energy(sigma->0) = {frame.energy_sigma0:17.8f}

"""
    if ended:
        text += " reached required accuracy - stopping structural energy minimisation\n\n"
        text += " General timing and accounting:\n"
    return text


def espresso(given: list[Frame], *, ended: bool = True, converged: bool = True, smeared: bool = True) -> str:
    """The text output of pw.x, a relaxation of the atoms where there are several frames."""
    first = given[0]
    alat = float(np.linalg.norm(first.cell[0]))
    sites = "".join(
        f"{i + 1:10d}           {s:<2}  tau({i + 1:4d}) = ({x:12.7f}{y:12.7f}{z:12.7f}  )\n"
        for i, (s, (x, y, z)) in enumerate(zip(first.symbols, np.array(first.positions) / alat, strict=True))
    )
    axes = "".join(
        f"               a({i + 1}) = ({x:11.6f}{y:11.6f}{z:11.6f} )  \n"
        for i, (x, y, z) in enumerate(np.array(first.cell) / alat)
    )
    smearing = "  Marzari-Vanderbilt smearing, width (Ry)=  0.0100" if smeared else ""
    text = f"""
     Program PWSCF v.7.2 starts on  1Jan2024 at  0: 0: 0

     bravais-lattice index     =            0
     lattice parameter (alat)  = {alat / Bohr:11.4f}  a.u.
     unit-cell volume          =     500.0000 (a.u.)^3
     number of atoms/cell      = {len(first.symbols):12d}
     number of atomic types    = {len(first.elements):12d}
     number of electrons       =        12.00
     number of Kohn-Sham states=            8
     kinetic-energy cutoff     =      40.0000  Ry
     Exchange-correlation= PBE
     celldm(1)= {alat / Bohr:11.6f}  celldm(2)=   0.000000  celldm(3)=   0.000000

     crystal axes: (cart. coord. in units of alat)
{axes}
   Cartesian axes

     site n.     atom                  positions (alat units)
{sites}
     number of k points=     1{smearing}
                       cart. coord. in units 2pi/alat
        k(    1) = (   0.0000000   0.0000000   0.0000000), wk =   2.0000000

"""
    for number, frame in enumerate(given):
        if number:
            text += "\nATOMIC_POSITIONS (angstrom)\n"
            for symbol, (x, y, z) in zip(frame.symbols, frame.positions, strict=True):
                text += f"{symbol:<4}{x:16.10f}{y:16.10f}{z:16.10f}\n"
        kbar = np.array(frame.stress) / GPa * 10
        text += "\n     End of self-consistent calculation\n\n"
        text += "          k = 0.0000 0.0000 0.0000 (   500 PWs)   bands (ev):\n\n     1.0000   2.0000\n\n"
        text += "     the Fermi energy is     8.0000 ev\n\n"
        text += f"!    total energy              = {frame.energy_free / Rydberg:16.8f} Ry\n\n"
        said = "convergence has been achieved in" if converged else "convergence NOT achieved after"
        text += f"     {said} {frame.iterations:3d} iterations\n\n"
        text += "     Forces acting on atoms (cartesian axes, Ry/au):\n\n"
        for i, force in enumerate(np.array(frame.forces) / (Rydberg / Bohr)):
            text += f"     atom {i + 1:4d} type  1   force = {rows([force], '{:14.8f}')}\n"
        text += "\n     Total force =     0.100000     Total SCF correction =     0.000001\n\n"
        text += "     Computing stress (Cartesian axis) and pressure\n\n"
        text += "          total   stress  (Ry/bohr**3)                   (kbar)     P=        0.00\n"
        per_volume = np.array(frame.stress) / (Rydberg / Bohr**3)
        text += rows(np.hstack([-per_volume, -kbar]), "{:14.8f}") + "\n\n"
    if len(given) > 1:
        text += "     BFGS Geometry Optimization\n     bfgs converged in   3 scf cycles\n"
        text += "     End of BFGS Geometry Optimization\n"
    return text + ("\n=---=\n   JOB DONE.\n=---=\n" if ended else "")


def cp2k(frame: Frame, *, ended: bool = True, converged: bool = True) -> str:
    """A log of CP2K 9 that prints coordinates, forces and the stress."""
    vectors = "".join(
        f" CELL| Vector {name} [angstrom]: {x:14.6f} {y:14.6f} {z:14.6f}    |{name}| = {1.0:10.6f}\n"
        for name, (x, y, z) in zip("abc", frame.cell, strict=True)
    )
    kinds = "".join(
        f"  {i + 1}. Atomic kind: {e}                          Number of atoms: {frame.symbols.count(e)}\n\n"
        "     Orbital Basis Set                                   DZVP-MOLOPT-SR-GTH\n\n"
        for i, e in enumerate(frame.elements)
    )
    numbers = [frame.elements.index(s) + 1 for s in frame.symbols]
    sites = "".join(
        f"{i + 1:8d}{k:6d} {s:<2} 13 {x:11.6f} {y:11.6f} {z:11.6f} 3.0000 26.9800\n"
        for i, (k, s, (x, y, z)) in enumerate(zip(numbers, frame.symbols, frame.positions, strict=True))
    )
    forces = "".join(
        f"{i + 1:7d}{k:7d}      {s:<2} {x:15.8f} {y:15.8f} {z:15.8f}\n"
        for i, (k, s, (x, y, z)) in enumerate(
            zip(numbers, frame.symbols, np.array(frame.forces) / (Hartree / Bohr), strict=True)
        )
    )
    said = f"*** SCF run converged in {frame.iterations:5d} steps ***"
    if not converged:
        said = "*** WARNING in qs_scf.F:598 :: SCF run NOT converged ***"
    energy = frame.energy_free / Hartree
    stress = -np.array(frame.stress) / GPa
    tensor = "".join(
        f" STRESS TENSOR {n} {rows([r], '{:18.8f}')}\n" for n, r in zip("XYZ", stress, strict=True)
    )
    tensor = tensor.replace("STRESS TENSOR", "             ")
    return f""" DBCSR| Multiplication driver                                               BLAS
 CP2K| version string:                                          CP2K version 9.1
 CELL| Volume [angstrom^3]:                                            90.000000
{vectors}
 DFT| Spin restricted Kohn-Sham (RKS) calculation                            RKS
 FUNCTIONAL| PBE:
 QS| Density cutoff [a.u.]:                                                200.0

 ATOMIC KIND INFORMATION

{kinds}
 MODULE QUICKSTEP:  ATOMIC COORDINATES IN angstrom

  Atom  Kind  Element       X           Y           Z          Z(eff)       Mass

{sites}
  {said}

 ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:           {energy:22.15f}

 ATOMIC FORCES in [a.u.]

 # Atom   Kind   Element          X              Y              Z
{forces} SUM OF ATOMIC FORCES           0.00000000     0.00000000     0.00000000     0.00000000

 STRESS TENSOR [GPa]

            X               Y               Z
{tensor}
{"  **** **** ******  **  PROGRAM ENDED AT                 2024-01-01 00:00:00.000" if ended else ""}
"""


def movement(given: list[Frame]) -> str:
    """PWmat's MOVEMENT."""
    from ase.data import atomic_numbers

    text = ""
    for frame in given:
        z = [atomic_numbers[symbol] for symbol in frame.symbols]
        sites = "".join(
            f"  {n:2d} {rows([r], '{:22.15f}')}     1  1  1\n" for n, r in zip(z, frame.scaled, strict=True)
        )
        minus = -np.array(frame.forces)  # as PWmat writes them
        forces = "".join(f"  {n:2d} {rows([f], '{:22.15f}')}\n" for n, f in zip(z, minus, strict=True))
        energy = f"{frame.energy_free:20.10E}"
        text += (
            f"  {len(z):3d} atoms,Iteration (fs) =    0.1000000000E+01, Etot,Ep,Ek (eV) = {energy} {energy}"
        )
        text += (
            f"   0.0000000000E+00, SCF =    19\n Lattice vector (Angstrom)\n{rows(frame.cell, '{:20.10E}')}\n"
        )
        text += f" Position (normalized), move_x, move_y, move_z\n{sites} Force (eV/Angstrom)\n{forces}"
        text += " -------------------------------------------------\n"
    return text
