"""Generators trained and drawn from as jobs, what becomes of what is drawn, and what a person gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from ase.build import bulk, make_supercell
from generators_for_tests import SMALL, salts
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from zonemelt.flows.generator import GeneratorMaker
from zonemelt.tasks.convert.checked import new_record
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets.parts import write_part
from zonemelt.tasks.datasets.versions import commit
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.generate.draw import candidates_of
from zonemelt.tasks.generate.draw import settings_of as draw_settings_of
from zonemelt.tasks.generate.generator import Generator, GeneratorCard, load_generator
from zonemelt.tasks.generate.jobs import drawn_split, read_crystals, sample_job, wish_of
from zonemelt.tasks.generate.reduced import reduced
from zonemelt.tasks.generate.sampling import SampleSettings
from zonemelt.tasks.generate.wishes import Wish
from zonemelt.tasks.quality.symmetry import quiet
from zonemelt.tasks.records import Convergence, Geometry, Ingested
from zonemelt.tasks.theory import Theory


def record(name, atoms):
    return new_record(
        where=name,
        identifier=name,
        geometry=Geometry.of(atoms),
        energy_sigma0=-3.0 * len(atoms) - 0.1 * atoms.get_volume(),
        theory=Theory(code="vasp", functional="PBE"),
        convergence=Convergence(electronic=True, ionic=True, complete=True),
        provenance=Ingested(source=name, sha256=None, calculation="", parser="a 1", frame=0, frames=1),
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("dataset")
    crystals = salts(20)
    records = [record(f"salt-{i}", crystals.atoms(i)) for i in range(20)]
    records.append(record("large", bulk("NaCl", "rocksalt", a=5.4).repeat((3, 1, 1))))
    return str(place), commit(place, [write_part(place, records)], message="salts").hash


def test_reduced_cells_are_the_same_crystals():
    skewed = make_supercell(bulk("NaCl", "rocksalt", a=5.4), [[1, 2, 0], [0, 1, 3], [0, 0, 1]])
    (cell,) = reduced(Crystals.of_atoms([skewed])).cells_G33
    lengths = np.sort(np.linalg.norm(cell, axis=1))
    np.testing.assert_allclose(lengths, 5.4 / np.sqrt(2), rtol=1e-6)
    assert np.linalg.det(cell) == pytest.approx(skewed.get_volume())
    found = reduced(Crystals.of_atoms([skewed])).atoms(0)
    with quiet():
        group = spglib.get_spacegroup((found.cell.array, found.get_scaled_positions(), found.numbers))
    assert group == "Fm-3m (225)"


def test_large_crystals_are_left_out_and_energies_can_be_wished_for(dataset):
    crystals, names, target = read_crystals(*dataset, most_atoms=2, wish="energy_per_atom")
    assert len(crystals) == len(names) == 20
    assert "large" not in names
    assert target[:2] == ("energy_per_atom", "eV/atom")
    assert np.isfinite(target[2]).all()
    with pytest.raises(InputError, match="no crystal has 1 atoms or fewer"):
        read_crystals(*dataset, most_atoms=1)


def test_train_and_draw_as_jobs(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow = GeneratorMaker(
        architecture={"width": 16, "layers": 1, "frequencies": 2},
        settings={"seed": 1, "epochs": 2, "batch_size": 8},
        directory=str(tmp_path / "generator"), most_atoms=2, wish="energy_per_atom", device="cpu",
    ).make(*dataset)  # fmt: skip
    found = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True)
    folder = found[flow.jobs[-1].uuid][1].output["folder"]
    assert load_generator(folder).card.target.name == "energy_per_atom"

    made = sample_job(
        generator=folder, count=6, seed=2, settings={"steps": 4},
        wishes=[{"composition": {"Na": 1, "Cl": 1}, "value": -4.8}, {"system": ["Mg", "O"]}],
    )  # fmt: skip
    drawn = run_locally(made, store=JobStore(MemoryStore()), ensure_success=True)[made.uuid][1].output
    assert drawn["counts"]["proposed"] == 6
    assert drawn["candidates"]
    for one in drawn["candidates"]:
        number = one["origin"]["settings"]["number"]
        symbols = set(one["geometry"]["symbols"])
        assert symbols == {"Na", "Cl"} if number % 2 == 0 else symbols <= {"Mg", "O"}


def test_what_is_no_structure_among_the_drawn_is_counted():
    sound, flat, endless, lost = (bulk("NaCl", "rocksalt", a=5.4) for _ in range(4))
    flat.cell[2] = flat.cell[1]
    endless.cell[0, 0] = np.inf
    lost.positions[1, 2] = np.nan
    close = sound.copy()
    close.positions[1] = close.positions[0] + 0.1
    card = GeneratorCard(
        network=SMALL, elements=("Na", "Cl"), sizes={2: 1}, stretch_mean=(0.0,) * 6, stretch_deviation=0.1
    )
    found = candidates_of(
        Crystals.of_atoms([flat, sound, endless, lost, close, sound]),
        Generator(name="drawn", network=SMALL.make(species=2), card=card),
        SampleSettings(seed=1),
        parents=list("abcdef"),
    ).document()
    assert found["counts"] == {
        "proposed": 6, "refused: its cell is not finite or has no volume": 3, "refused: atoms too close": 1,
        "refused: the same as another": 1, "kept": 1,
    }  # fmt: skip
    (one,) = found["candidates"]
    assert one["origin"]["parent"] == "b"
    assert one["origin"]["settings"]["number"] == 1


def test_what_a_person_gets_wrong(dataset, tmp_path):
    good = {"settings": {"seed": 1}, "directory": str(tmp_path)}
    with pytest.raises(UnknownKeyError, match=r"(?s)colour.*known"):
        GeneratorMaker(**good, architecture={"colour": 3}).make(*dataset)
    with pytest.raises(UnknownKeyError, match=r"(?s)place.*places"):
        GeneratorMaker(**good, loss={"place": 3}).make(*dataset)
    with pytest.raises(InputError, match="most_atoms 0"):
        GeneratorMaker(**good, most_atoms=0).make(*dataset)
    with pytest.raises(InputError, match="not absolute"):
        GeneratorMaker(settings={"seed": 1}, directory="here").make(*dataset)
    for split in ({"seed": 1}, {"seed": 1, "validation": 1.0}, {"seed": 1, "validation": -0.1}):
        with pytest.raises(InputError, match="split of a generator"):
            drawn_split(10, split)
    with pytest.raises(UnknownKeyError, match=r"wish 3: unknown key 'values'\n.*mean 'value'"):
        wish_of({"values": 1.0}, number=3)
    with pytest.raises(InputError, match="wish 0: value: 'high' cannot be used"):
        wish_of({"value": "high"}, number=0)
    with pytest.raises(InputError, match=r"composition\.Na: 1\.5 cannot be used"):  # and is not one
        wish_of({"composition": {"Na": 1.5, "Cl": 2}}, number=0)
    assert wish_of({"system": ["Na", "Cl"], "value": None}, number=0) == Wish(system=frozenset({"Na", "Cl"}))
    with pytest.raises(UnknownKeyError, match="did you mean 'steps'"):
        draw_settings_of({"step": 10}, seed=1)
    with pytest.raises(InputError, match=r"steps: 10\.5 cannot be used"):
        draw_settings_of({"steps": 10.5}, seed=1)
    with pytest.raises(UnknownKeyError, match="unknown key 'seed'"):
        draw_settings_of({"seed": 10}, seed=1)
