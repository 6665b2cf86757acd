"""A contract: one vasprun.xml gives the same numbers through emmet's document and through ASE."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from monty.json import jsanitize
from vasprun_for_tests import E_0, E_FR, STRESS, vasprun

from zonemelt.tasks.convert.documents.read import records_of_document
from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.records import Ingested, Record

pytestmark = [
    pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning"),  # spglib's own
    pytest.mark.filterwarnings("ignore:The default value of .* will change:FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:pymatgen.*"),
]


def document_of(path: Path) -> Any:
    """emmet's document of a vasprun.xml; emmet's own way asks for an OUTCAR too."""
    from emmet.core.tasks import OutputDoc, TaskDoc
    from emmet.core.types.enums import TaskState
    from emmet.core.vasp.calculation import Calculation, CalculationInput, CalculationOutput
    from pymatgen.io.vasp import Vasprun

    run = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    calculation = Calculation(
        vasp_version=run.vasp_version,
        has_vasp_completed=TaskState.SUCCESS if run.converged else TaskState.FAILED,
        input=CalculationInput.from_vasprun(run),
        output=CalculationOutput(
            energy=run.final_energy, structure=run.final_structure, ionic_steps=run.ionic_steps, efermi=1.5
        ),
        run_type="PBE",
        task_name="standard",
    )
    end = run.ionic_steps[-1]
    return TaskDoc.from_structure(
        meta_structure=run.final_structure,
        structure=run.final_structure,
        calcs_reversed=[calculation],
        input=calculation.input,
        output=OutputDoc(
            structure=run.final_structure, energy=run.final_energy, forces=end["forces"], stress=end["stress"]
        ),
        state=TaskState.SUCCESS,
        run_type="PBE",
        vasp_version=run.vasp_version,
    )


def both(tmp_path: Path, **changes: Any) -> tuple[list[Any], Any, Any]:
    """Our records of the document, the document as a store keeps it, and what ASE reads."""
    path = tmp_path / "vasprun.xml"
    path.write_text(vasprun(**changes))
    stored = jsanitize(document_of(path), strict=True)
    return list(records_of_document(stored, source="store:x", name="v")), stored, ase.io.read(path, index=":")


def test_the_document_gives_what_ase_reads(tmp_path: Path) -> None:
    records, _, images = both(tmp_path)
    assert len(records) == len(images) == 2
    for number, (record, atoms) in enumerate(zip(records, images, strict=True)):
        assert isinstance(record, Record)
        assert record.energy_free == pytest.approx(
            atoms.get_potential_energy(force_consistent=True), abs=1e-9
        )
        assert record.energy_sigma0 == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        assert np.allclose(record.forces, atoms.get_forces(), atol=1e-12)
        assert np.allclose(record.stress, atoms.get_stress(voigt=False), rtol=1e-9)
        assert np.allclose(record.geometry.positions, atoms.positions, atol=1e-7)
        assert np.allclose(record.geometry.cell, atoms.cell.array, atol=1e-9)
        assert (record.energy_free, record.energy_sigma0) == (E_FR[number], E_0[number])
        assert np.sign(record.stress[0][0]) == -np.sign(STRESS[number][0][0])
        assert isinstance(record.provenance, Ingested)
        assert (record.provenance.calculation, record.provenance.frame) == ("v", number)


def test_theory_and_convergence_are_the_documents(tmp_path: Path) -> None:
    records, _, _ = both(tmp_path)
    theory = records[0].theory
    assert (theory.code, theory.version, theory.functional) == ("vasp", "6.4.2", "PBE")
    assert theory.setups["Na"].startswith("PAW_PBE Na_pv 19Sep2006")
    assert (theory.cutoff, theory.kpoint_density) == (500.0, 4.0)
    assert (theory.smearing, theory.smearing_width, theory.spin) == ("gaussian", 0.05, False)
    assert theory.hubbard_u == {}
    assert [r.convergence.electronic for r in records] == [True, True]
    assert [r.convergence.ionic for r in records] == [None, True]
    assert [r.convergence.iterations for r in records] == [2, 2]
    assert "fermi_level" not in records[0].properties
    assert records[1].properties["fermi_level"].value == 1.5


def test_the_theory_of_the_file_itself_has_the_same_key(tmp_path: Path) -> None:
    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.ingest.outputs.vasprun import vasprun

    records, _, _ = both(tmp_path)
    (path,) = tmp_path.glob("**/vasprun*.xml")
    found = next(iter(vasprun(path, Origin(source=str(path)))))
    assert isinstance(found, Record)
    assert found.theory == records[0].theory


@pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.outputs.UnconvergedVASPWarning")
def test_frames_that_ran_out_of_cycles_say_so(tmp_path: Path) -> None:
    records, _, _ = both(tmp_path, cycles=3, nelm=3)
    assert [r.convergence.electronic for r in records] == [False, False]
    assert records[1].convergence.ionic is None  # emmet says only that not both converged
    assert records[1].convergence.complete is None


@pytest.mark.parametrize("wrong", [0.0, -10.5])
def test_a_wrong_e_0_of_ionic_steps_is_not_read(tmp_path: Path, wrong: float) -> None:
    records, stored, images = both(tmp_path, ionic_e_0=wrong)
    assert [r.energy_sigma0 for r in records] == list(E_0)
    assert [atoms.get_potential_energy() for atoms in images] == pytest.approx(list(E_0))
    for step in stored["calcs_reversed"][0]["output"]["ionic_steps"]:
        step["electronic_steps"] = None
    stored["calcs_reversed"][0]["output"]["energy"] = E_0[1] - 1e-3
    bare = list(records_of_document(stored, source="x", name="v"))
    assert [r.energy_sigma0 for r in bare] == [None, E_0[1] - 1e-3]
    assert [r.energy_free for r in bare] == list(E_FR)


def test_documents_without_steps_give_their_end(tmp_path: Path) -> None:
    _, stored, images = both(tmp_path)
    stored["calcs_reversed"] = None
    (record,) = records_of_document(stored, source="x", name="v")
    assert isinstance(record, Record)
    assert (record.energy_free, record.energy_sigma0) == (None, E_0[1])
    assert np.allclose(record.stress, images[1].get_stress(voigt=False), rtol=1e-9)


def test_a_bad_step_does_not_lose_the_other(tmp_path: Path) -> None:
    _, stored, _ = both(tmp_path)
    step = stored["calcs_reversed"][0]["output"]["ionic_steps"][0]
    step["forces"] = [[1, 2, "x"], [0, 0, 0]]
    bad, good = records_of_document(stored, source="x", name="v")
    assert isinstance(bad, BadRow)
    assert "no numbers" in bad.reason
    assert isinstance(good, Record)


def test_a_bad_end_does_not_lose_the_steps(tmp_path: Path) -> None:
    _, stored, _ = both(tmp_path)
    stored["calcs_reversed"][0]["output"]["structure"] = {}
    records = list(records_of_document(stored, source="x", name="v"))
    assert [r.energy_free for r in records] == list(E_FR)
    assert [r.magmoms for r in records] == [None, None]


def test_calculations_come_in_the_order_in_which_they_ran(tmp_path: Path) -> None:
    _, stored, _ = both(tmp_path)
    later = deepcopy(stored["calcs_reversed"][0])
    for step in later["output"]["ionic_steps"]:
        step["e_fr_energy"] -= 1
    stored["calcs_reversed"].insert(0, later)
    records = list(records_of_document(stored, source="x", name="v"))
    assert [r.identifier for r in records] == ["v-0-0", "v-0-1", "v-1-0", "v-1-1"]
    assert [r.energy_free for r in records] == pytest.approx([*E_FR, *(energy - 1 for energy in E_FR)])
    assert [r.provenance.frames for r in records] == [2, 2, 2, 2]
