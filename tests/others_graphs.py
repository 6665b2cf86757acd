"""Graphs of other people's packages as they are: `python others_graphs.py NAME FOLDER` runs one both ways.

A script, because these packages read their environment when they are imported, in head and workers alike.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.build import bulk
from comparing_documents import compare

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Structure

COPPER = {"max_index": 1, "min_slab_size": 4.0, "min_vacuum_size": 4.0}


def silicon(folder: str = "Si_double_relax/relax_1") -> Structure:
    """The structure of a recorded run of VASP."""
    import os

    from pymatgen.core import Structure
    from replayed_vasp import RECORDED

    return Structure.from_file(Path(os.environ[RECORDED], folder, "inputs", "POSCAR"))


def aluminium() -> Structure:
    from pymatgen.core import Lattice, Structure

    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.05), ["Al"], [[0, 0, 0]])


# ── quacc, with jobflow as its engine ───────────────────────────────────────────────────────────────────


def quacc_relax() -> Any:
    from quacc.recipes.emt.core import relax_job

    return relax_job(bulk("Cu"), relax_cell=True)


def quacc_two_jobs() -> Any:
    from jobflow import Flow
    from quacc.recipes.emt.core import relax_job, static_job

    first = relax_job(bulk("Cu"))
    return Flow([first, static_job(first.output["atoms"])])


def quacc_slabs() -> Any:
    """A flow whose jobs are known only while it runs, with parameters for one kind of them."""
    from quacc.recipes.emt.slabs import bulk_to_slabs_flow

    parameters = {"relax_job": {"opt_params": {"fmax": 0.2}}}
    return bulk_to_slabs_flow(bulk("Cu"), make_slabs_kwargs=COPPER, job_params=parameters)


def quacc_dynamics() -> Any:
    from quacc.recipes.emt.md import md_job

    return md_job(bulk("Cu", cubic=True), steps=10)


# ── atomate2 ────────────────────────────────────────────────────────────────────────────────────────────


def atomate2_dynamics() -> Any:
    from atomate2.ase.md import LennardJonesMDMaker
    from pymatgen.core import Lattice, Structure

    argon = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.3), ["Ar"], [[0, 0, 0]])
    parameters = {"epsilon": 0.0104, "sigma": 3.4, "rc": 8.5}
    return LennardJonesMDMaker(
        calculator_kwargs=parameters, ensemble="nve", n_steps=20, temperature=30, mb_velocity_seed=1
    ).make(argon)


def atomate2_band() -> Any:
    """A nudged elastic band by EMT."""
    from atomate2.ase.neb import EmtNebFromImagesMaker
    from pymatgen.core import Lattice, Structure

    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.05), ["Al"], [[0, 0, 0]])
    start, end = cell.copy(), cell.copy()
    start.remove_sites([0])
    end.remove_sites([1])
    return EmtNebFromImagesMaker().make(start.interpolate(end, nimages=4, autosort_tol=0.5))


def by_emt(**more: Any) -> Any:
    """A relaxation by atomate2's way to a potential that it does not know: EMT, which costs nothing."""
    from atomate2.forcefields.jobs import ForceFieldRelaxMaker

    return ForceFieldRelaxMaker(
        force_field_name={"@module": "ase.calculators.emt", "@callable": "EMT"}, steps=20, **more
    )


def atomate2_eos() -> Any:
    from atomate2.forcefields.flows.eos import ForceFieldEosMaker

    return ForceFieldEosMaker(
        initial_relax_maker=by_emt(), eos_relax_maker=by_emt(relax_cell=False), number_of_frames=4
    ).make(aluminium())


def atomate2_phonons() -> Any:
    from atomate2.forcefields.flows.phonons import PhononMaker
    from atomate2.forcefields.jobs import ForceFieldStaticMaker

    static = ForceFieldStaticMaker(force_field_name={"@module": "ase.calculators.emt", "@callable": "EMT"})
    return PhononMaker(
        bulk_relax_maker=by_emt(), static_energy_maker=static, phonon_displacement_maker=static,
        born_maker=None, kpath_scheme="setyawan_curtarolo", min_length=7.0,
        use_symmetrized_structure="primitive",
        create_thermal_displacements=False, store_force_constants=False,
        generate_frequencies_eigenvectors_kwargs={"npoints_band": 5, "tstep": 200, "tmax": 400},
    ).make(aluminium().get_primitive_structure())  # fmt: skip


def vasp_double_relax() -> Any:
    from atomate2.vasp.flows.core import DoubleRelaxMaker

    return DoubleRelaxMaker().make(silicon())


def vasp_elastic() -> Any:
    from atomate2.vasp.flows.elastic import ElasticMaker

    return ElasticMaker().make(silicon("Si_elastic/tight_relax_1"))


def vasp_matpes() -> Any:
    from atomate2.vasp.flows.matpes import MatPesStaticFlowMaker

    return MatPesStaticFlowMaker().make(silicon("Si_band_structure/static"))


def vasp_mp_static() -> Any:
    from atomate2.vasp.flows.mp import MPGGADoubleRelaxStaticMaker

    return MPGGADoubleRelaxStaticMaker().make(silicon())


GRAPHS: dict[str, Callable[[], Any]] = {
    name: made for name, made in globals().items() if name.startswith(("quacc_", "atomate2_", "vasp_"))
}


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    warnings.simplefilter("ignore")
    print(compare(GRAPHS[name], "local", Path(folder)), "numbers and words are equal")
