"""References that come from databases, through the clients that people use, from servers on this machine."""

from __future__ import annotations

import pytest
from ase.build import bulk
from inline_runs import output_of
from materials_project_server import KEY, materials_project
from potentials_for_tests import Morse, judge_by
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.entries.computed_entries import ComputedStructureEntry, ConstantEnergyAdjustment
from pymatgen.io.ase import AseAtomsAdaptor

from zonemelt.flows.judge import JudgeMaker
from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.addresses import read_address
from zonemelt.tasks.judge.verdict import Verdict
from zonemelt.tasks.label.by_ase import emt
from zonemelt.tasks.label.settings import EmtSettings
from zonemelt.tasks.records import Geometry, Record
from zonemelt.tasks.theory import Theory

CRYSTALS = {
    "Al": bulk("Al"), "Ni": bulk("Ni"), "NiAl": bulk("NiAl", "cesiumchloride", a=2.9), "Cu": bulk("Cu"),
}  # fmt: skip
CANDIDATE = {
    "identifier": "B1", "geometry": Geometry.of(bulk("NiAl", "rocksalt", a=5.0)).model_dump(mode="json"),
}  # fmt: skip


class Metals(Morse):
    elements = frozenset({"Cu", "Al", "Ni"})
    theory = Theory(code="vasp", functional="PBE", version="as of the project, corrected by MP2020")


@pytest.fixture(autouse=True)
def _metals(monkeypatch):
    judge_by(monkeypatch, Metals())


def judged(references, place):
    made = JudgeMaker(
        potential="metals", references=references, directory=str(place / "work"),
        relax={"force": 0.01, "method": "lbfgs"},
    )  # fmt: skip
    made.check()
    (one,) = output_of(made.make([CANDIDATE]), place / "c")["verdicts"]
    return Verdict.model_validate(one)


def kept(address, place):
    """What `zonemelt ingest` keeps of an address."""
    records = list(read_address(address))
    assert all(isinstance(one, Record) for one in records), records
    commit(place, [write_part(place, records)], message=address)
    return place


def mp_entry(name, atoms, energy, correction):
    structure = AseAtomsAdaptor.get_structure(atoms)
    adjustment = ConstantEnergyAdjustment(
        correction, uncertainty=0.0, cls={"@class": "MaterialsProject2020Compatibility"}
    )
    return ComputedStructureEntry(
        structure, energy * len(structure), entry_id=f"mp-{len(name)}{ord(name[0])}-GGA",
        energy_adjustments=[adjustment] if correction else [],
        parameters={"run_type": "GGA", "hubbards": {}, "potcar_spec": []},
        data={"material_id": "mp-1", "oxide_type": "None"},
    )  # fmt: skip


def test_the_client_of_the_materials_project_reads_references(tmp_path, monkeypatch):
    energies = {"Al": -3.7, "Ni": -5.8, "NiAl": -5.4, "Cu": -4.1}
    entries = [
        mp_entry(name, atoms, energies[name], -0.3 if name == "NiAl" else 0.0)
        for name, atoms in CRYSTALS.items()
    ]
    with materials_project(entries) as (address, asked):
        monkeypatch.setenv("MP_API_ENDPOINT", address)
        monkeypatch.setenv("MP_API_KEY", KEY)
        place = kept("mp:Al-Ni", tmp_path / "mp")
        assert set(asked[0]["chemsys"].split(",")) == {"Al", "Ni", "Al-Ni"}
        assert asked[0]["thermo_types"] == "GGA_GGA+U"
        monkeypatch.setenv("MP_API_KEY", "x" * 32)
        with pytest.raises(InputError, match="does not answer") as caught:
            list(read_address("mp:Al-Ni"))
        assert "x" * 32 not in str(caught.value)
    with pytest.raises(InputError, match="does not answer"):  # the server is gone
        list(read_address("mp:Al-Ni"))
    records = {"".join(sorted(set(one.geometry.symbols))): one for one in open_dataset(place).records()}
    assert set(records) == {"Al", "Ni", "AlNi"}
    assert records["AlNi"].energy_per_atom == pytest.approx(-5.4)
    assert records["AlNi"].correction.energy == pytest.approx(-0.3)
    found = judged({"dataset": str(place), "energies": "labels", "correct": False}, tmp_path / "labels")
    diagram = PhaseDiagram([one for one in entries if "Cu" not in one.composition])
    mine = PDEntry("NiAl", 2 * found.energy_per_atom)
    assert found.above_hull == pytest.approx(diagram.get_e_above_hull(mine, allow_negative=True))
    by_potential = judged({"dataset": str(place)}, tmp_path / "potential")
    assert by_potential.decomposition
    assert by_potential.decomposition.keys() <= {one.identifier for one in records.values()}
    assert by_potential.above_hull is not None


def test_an_optimade_server_of_ours_gives_references(tmp_path):
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    from serving_for_tests import serving

    records = [
        emt(Geometry.of(atoms), EmtSettings(), identifier=name, workdir=tmp_path)
        for name, atoms in CRYSTALS.items()
    ]
    published = tmp_path / "published"
    commit(published, [write_part(published, records)], message="metals")
    with serving(published) as address:
        place = kept(f'optimade:{address}?filter=elements HAS ONLY "Al","Ni"', tmp_path / "references")
    assert sorted(one.identifier for one in open_dataset(place).records()) == ["Al", "Ni", "NiAl"]
    found = judged({"dataset": str(place)}, tmp_path / "fetched")
    own = [
        {"identifier": name, "geometry": Geometry.of(atoms).model_dump(mode="json")}
        for name, atoms in CRYSTALS.items()
    ]
    expected = judged({"crystals": own}, tmp_path / "given")
    assert found.above_hull == pytest.approx(expected.above_hull, abs=1e-6)
    assert found.decomposition == pytest.approx(expected.decomposition)
