"""Distances from a convex hull beside those of pymatgen, and the references that a dataset gives."""

from __future__ import annotations

import numpy as np
import pytest
from hulls_for_tests import above_hull_by_pymatgen
from hypothesis import given, settings
from hypothesis import strategies as st
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.analysis.phase_diagram import PhaseDiagram

from zonemelt.tasks.convert.checked import new_record
from zonemelt.tasks.datasets.dataset import open_dataset
from zonemelt.tasks.datasets.parts import write_part
from zonemelt.tasks.datasets.versions import commit
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge import hull
from zonemelt.tasks.judge.hull import Phase, References, phases_of, systems_within
from zonemelt.tasks.judge.hull_jobs import place_job
from zonemelt.tasks.judge.joint_hull import placed_together
from zonemelt.tasks.records import Convergence, Correction, Geometry, Ingested
from zonemelt.tasks.theory import Theory

ELEMENTS = ("Li", "Fe", "O")
KNOWN = [
    Phase("Li2O", {"Li": 2, "O": 1}, -2.0),
    Phase("FeO", {"Fe": 2, "O": 2}, -1.4),
    Phase("Fe2O3", {"Fe": 4, "O": 6}, -1.7),
    Phase("LiFeO2", {"Li": 1, "Fe": 1, "O": 2}, -1.9),
    Phase("above", {"Li": 1, "Fe": 1, "O": 2}, -1.5),
]

compositions = st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 6), min_size=1, max_size=3)


@settings(max_examples=40)
@given(st.lists(st.tuples(compositions, st.floats(-3, 1)), max_size=8), compositions, st.floats(-3, 1))
def test_it_is_the_hull_of_all_elements_together(rows, composition, energy):
    known = [Phase(f"k{i}", c, e) for i, (c, e) in enumerate(rows)]
    candidate = Phase("new", composition, energy)
    (found,) = References(known, elements=ELEMENTS).place([candidate])
    wanted = above_hull_by_pymatgen(candidate, known, elements=ELEMENTS)
    assert found.above_hull == pytest.approx(wanted, abs=1e-7)
    assert sum(found.decomposition.values()) == pytest.approx(1)
    energies = {one.identifier: one.energy for one in known} | dict.fromkeys(ELEMENTS, 0.0)
    mixed = sum(energies[name] * amount for name, amount in found.decomposition.items())
    assert energy - mixed == pytest.approx(found.above_hull, abs=1e-7)


@pytest.mark.parametrize("together", [False, True])
def test_a_programme_for_many_elements_gives_what_a_diagram_does(together, monkeypatch):
    rng = np.random.default_rng(1)

    def drawn(name):
        some = rng.choice(ELEMENTS, size=int(rng.integers(2, 4)), replace=False).tolist()
        return Phase(name, {el: int(rng.integers(1, 5)) for el in some}, float(rng.uniform(-2, 0.2)))

    references = References([drawn(f"k{i}") for i in range(12)], elements=ELEMENTS)
    new = [drawn(f"n{i}") for i in range(20)]
    place = (lambda: placed_together(new, references)) if together else (lambda: references.place(new))
    by_diagram = {one.identifier: one for one in place()}
    monkeypatch.setattr(hull, "_FEW", 0)
    for one in place():
        other = by_diagram[one.identifier]
        assert one.above_hull == pytest.approx(other.above_hull, abs=1e-9)
        assert one.formation_energy == pytest.approx(other.formation_energy, abs=1e-9)


def test_ten_elements_take_no_longer_than_one_programme():
    many = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Ba", "Ti", "Zr", "O")
    pairs = [
        Phase(f"{a}{b}", {a: 1, b: 1}, -0.1 * (i + j))
        for i, a in enumerate(many) for j, b in enumerate(many[:i])
    ]  # fmt: skip
    (found,) = References(pairs, elements=many).place([Phase("new", dict.fromkeys(many, 1), 0.0)])
    assert found.above_hull == pytest.approx(0.9)  # each pair is (i + j) / 10 down, and holds a fifth
    assert sum(found.decomposition.values()) == pytest.approx(1)


@given(
    st.lists(st.frozensets(st.sampled_from("ABCDE"), min_size=1), max_size=40),
    st.sets(st.sampled_from("ABCDE")),
)
def test_known_systems_within_one_are_found_in_either_way(known, system):
    held = dict.fromkeys(known)
    found = list(systems_within(system, held))
    assert sorted(map(sorted, found)) == sorted(sorted(one) for one in held if one <= system)
    assert found == list(systems_within(system, held | {frozenset((f"x{i}",)): None for i in range(40)}))


def test_total_energies_give_the_same_as_energies_of_formation():
    shift = {"Li": -1.9, "Fe": -8.3, "O": -4.9}

    def total(phase):
        atoms = sum(phase.composition.values())
        return phase._replace(
            energy=phase.energy + sum(shift[el] * n for el, n in phase.composition.items()) / atoms
        )

    pure = [Phase(f"pure {el}", {el: 4}, 0.0) for el in ELEMENTS]
    formed = {one.identifier: one for one in References(KNOWN, elements=ELEMENTS).place(KNOWN)}
    summed = References(map(total, [*KNOWN, *pure])).place(map(total, KNOWN))
    for one in summed:
        assert one.above_hull == pytest.approx(formed[one.identifier].above_hull, abs=1e-9)
        assert one.formation_energy == pytest.approx(formed[one.identifier].formation_energy, abs=1e-9)


def test_a_hull_is_built_once_for_a_system(monkeypatch):
    built = []
    original = PhaseDiagram.__init__

    def counting(self, *arguments, **named):
        built.append(1)
        original(self, *arguments, **named)

    monkeypatch.setattr(PhaseDiagram, "__init__", counting)
    many = [Phase(f"{i}-{j}", {"Li": i, "O": j}, -1.0) for i in range(1, 9) for j in range(1, 9)]
    assert len(list(References(KNOWN, elements=ELEMENTS).place(many))) == 64
    assert len(built) == 1


def test_without_an_element_there_is_no_hull():
    found = list(References(KNOWN, elements=["Li", "O"]).place([KNOWN[0], KNOWN[1]]))
    assert {one.identifier: one.undefined for one in found} == {
        "Li2O": "",
        "FeO": "there is no reference for Fe",
    }
    above = {one.identifier: one.above_hull for one in found}
    assert above["Li2O"] == pytest.approx(0, abs=1e-9)
    assert above["FeO"] is None


def test_a_candidate_below_the_hull_is_negative():
    better = Phase("better", {"Li": 2, "O": 1}, -2.2)
    (found,) = References(KNOWN, elements=ELEMENTS).place([better])
    assert found.above_hull == pytest.approx(-0.2)
    assert found.decomposition == {"Li2O": pytest.approx(1)}


def record(name, symbols, energy, *, functional="PBE", correction=None, sigma0=True):
    positions = [(0.0, 0.0, 2.5 * i) for i in range(len(symbols))]
    return new_record(
        where=name,
        identifier=name,
        geometry=Geometry(
            cell=((9, 0, 0), (0, 9, 0), (0, 0, 9)), symbols=tuple(symbols), positions=tuple(positions)
        ),
        energy_sigma0=energy if sigma0 else None,
        energy_free=energy,
        correction=None if correction is None else Correction(scheme="a", energy=correction),
        theory=Theory(code="vasp", functional=functional),
        convergence=Convergence(electronic=True, ionic=True, complete=True),
        provenance=Ingested(source=name, sha256=None, calculation="", parser="a 1", frame=0, frames=1),
    )


@pytest.fixture
def dataset(tmp_path):
    def made(*records):
        place = tmp_path / "references"
        commit(place, [write_part(place, records)], message="references")
        return open_dataset(place)

    return made


def test_the_records_of_a_dataset(dataset):
    opened = dataset(
        record("Li", ["Li", "Li"], -4.0),
        record("O", ["O"], -5.0),
        record("LiO", ["Li", "O"], -10.0, correction=-1.0),
    )
    references = References(phases_of(opened))
    (found,) = references.place([Phase("new", {"Li": 1, "O": 1}, -5.0)])
    assert found.formation_energy == pytest.approx(-5.0 + 3.5)
    assert found.above_hull == pytest.approx(0.5)


def test_mixed_functionals_are_refused_and_what_has_no_energy(dataset):
    opened = dataset(record("Li", ["Li"], -2.0), record("O", ["O"], -5.0, functional="r2SCAN"))
    with pytest.raises(InputError, match="levels of theory are mixed"):
        list(phases_of(opened))
    assert len(list(phases_of(opened, ignoring=["functional"]))) == 2
    with pytest.raises(InputError, match=r"(?s)that of the candidates other.*ignoring"):
        list(phases_of(opened, ignoring=["functional"], theory="other"))
    lacking = dataset(record("Fe", ["Fe"], -8.0, sigma0=False, functional="r2SCAN"))
    with pytest.raises(InputError, match=r"record Fe of .* extrapolated"):
        list(phases_of(lacking, ignoring=["functional"]))


def test_as_a_job(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = dataset(record("Li", ["Li"], -2.0), record("O", ["O"], -5.0))
    candidates = [
        {"identifier": "b", "symbols": ["O", "Li"], "energy_per_atom": -4.0},
        {"identifier": "a", "symbols": ["Fe"], "energy_per_atom": -8.0},
    ]
    made = place_job(candidates=candidates, dataset=str(opened.directory))
    output = run_locally(made, store=JobStore(MemoryStore()), ensure_success=True)[made.uuid][1].output
    assert [one["identifier"] for one in output["placed"]] == ["b", "a"]
    assert output["placed"][0]["above_hull"] == pytest.approx(-0.5)
    assert "Fe" in output["placed"][1]["undefined"]
    assert output["references"]["version"] == opened.version


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ([{"identifier": "a", "symbols": ["Li"]}], "candidate 0.*energy_per_atom"),
        ([{"identifier": "a", "symbols": ["Li"], "energy_per_atom": 0.0}] * 2, "'a' is there twice"),
        ([{"identifier": "a", "symbols": ["Li"], "energy_per_atom": "nan"}], "candidate 0: .*is nan"),
        ([{"identifier": "a", "symbols": [], "energy_per_atom": 0.0}], "candidate 0: it has no symbols"),
    ],
)
def test_bad_candidates(dataset, candidates, said):
    opened = dataset(record("Li", ["Li"], -2.0))
    with pytest.raises(InputError, match=said):
        place_job.original(candidates=candidates, dataset=str(opened.directory))


def test_cost_grows_with_systems_and_candidates_not_with_their_product(monkeypatch):
    asked = np.random.default_rng(0)
    references = References(KNOWN, elements=ELEMENTS)
    looked = []
    original = References.within
    monkeypatch.setattr(References, "within", lambda self, system: looked.append(1) or original(self, system))
    for count in (20, 200):
        looked.clear()
        many = [Phase(str(i), {"Li": int(asked.integers(1, 5)), "O": 1}, 0.0) for i in range(count)]
        list(references.place(many))
        assert len(looked) == 1
