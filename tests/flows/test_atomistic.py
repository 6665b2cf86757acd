"""Calculations with a potential as graphs: in jobs of some structures each, gone on with where time is up."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
from ase.build import bulk
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from potentials_for_tests import Morse

from zonemelt.flows.atomistic import DynamicsMaker, ElasticMaker, EosMaker, NebMaker, PhononMaker, RelaxMaker
from zonemelt.tasks.atomistic import jobs
from zonemelt.tasks.atomistic.relax import RelaxSettings, relax
from zonemelt.tasks.atomistic.trajectory import trajectory_atoms
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.deadline import DEADLINE_VARIABLE
from zonemelt.tasks.errors import InputError, JobError
from zonemelt.tasks.records import Geometry

ATOMS = [bulk("Cu", a=3.9), bulk("NaCl", "rocksalt", a=5.6), bulk("Al", cubic=True, a=4.2)]
DOCUMENTS = [Geometry.of(atoms).model_dump(mode="json") for atoms in ATOMS]


@pytest.fixture
def _morse(monkeypatch):
    monkeypatch.setattr(jobs, "load_potential", lambda name, **_: Morse())


def outputs(flow):
    responses = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True)
    return responses[flow.output.uuid][max(responses[flow.output.uuid])].output


@pytest.mark.usefixtures("_morse")
@pytest.mark.parametrize("structures", [2, 10])
def test_all_are_relaxed_in_their_order(tmp_path, monkeypatch, structures):
    monkeypatch.chdir(tmp_path)
    maker = RelaxMaker(directory=str(tmp_path / "c"), structures=structures, settings={"force": 0.01})
    found = outputs(maker.make(DOCUMENTS))
    expected = relax(Morse(), Crystals.of_atoms(ATOMS), RelaxSettings(force=0.01))
    assert [one["outcome"] for one in found] == ["converged"] * 3
    assert [one["steps"] for one in found] == expected.steps_G.tolist()
    np.testing.assert_allclose([one["energy"] for one in found], expected.energies_G, atol=1e-10)
    assert [len(one["geometry"]["symbols"]) for one in found] == [1, 2, 4]


@pytest.mark.usefixtures("_morse")
def test_what_has_no_time_is_replaced_by_what_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = []

    class Impatient(jobs.Watch):
        def __init__(self, deadline):
            super().__init__(deadline)
            made.append(self)

        def __call__(self):
            return self.evaluations < 7 and super().__call__()

    monkeypatch.setattr(jobs, "Watch", Impatient)
    maker = RelaxMaker(directory=str(tmp_path / "c"), settings={"force": 0.01})
    flow = maker.make(DOCUMENTS)
    found = outputs(flow)
    expected = relax(Morse(), Crystals.of_atoms(ATOMS), RelaxSettings(force=0.01))
    assert len(made) > 2
    assert [one["steps"] for one in found] == expected.steps_G.tolist()
    np.testing.assert_allclose([one["energy"] for one in found], expected.energies_G, atol=1e-10)


@pytest.mark.usefixtures("_morse")
@pytest.mark.parametrize(
    ("maker", "settings", "numbers"),
    [
        (EosMaker, {"points": 5}, "fit"),
        (ElasticMaker, {"strains": [-0.01, 0.01]}, "stiffness"),
        pytest.param(
            PhononMaker,
            {"length": 5, "mesh": 10, "points": 3},
            "numbers",
            marks=pytest.mark.skipif(find_spec("phonopy") is None, reason="phonopy is not installed"),
        ),
    ],
)
def test_properties_as_flows(tmp_path, monkeypatch, maker, settings, numbers):
    monkeypatch.chdir(tmp_path)
    found = outputs(maker(directory=str(tmp_path / "c"), settings=settings).make(DOCUMENTS[:1]))
    assert found[0]["reason"] is None
    assert found[0][numbers]
    json.dumps(found, allow_nan=False)


@pytest.mark.usefixtures("_morse")
def test_paths_as_a_flow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = bulk("Cu", cubic=True, a=3.6).repeat((2, 2, 1))
    hole, jumper = first.positions[0].copy(), 1
    del first[0]
    last = first.copy()
    last.positions[jumper - 1] = hole
    initial, final = (Geometry.of(atoms).model_dump(mode="json") for atoms in (first, last))
    maker = NebMaker(directory=str(tmp_path / "c"), settings={"images": 1, "relax": False})
    found = outputs(maker.make([{"initial": initial, "final": final}]))
    assert found[0]["outcome"] == "converged"
    assert found[0]["barrier"] > 0.1
    with pytest.raises(InputError, match="path 0: 15 atoms at the first end, 4 at the last"):
        maker.make([{"initial": initial, "final": DOCUMENTS[2]}])
    with pytest.raises(InputError, match="path 0: final: Field required"):
        maker.make([{"initial": initial}])


@pytest.mark.usefixtures("_morse")
def test_dynamics_as_a_flow_is_the_same_however_it_is_cut(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"steps": 20, "temperature": 200, "rescaling": 50.0, "breathing": 100.0, "every": 5}
    atoms = [bulk("Cu", cubic=True, a=3.7)] * 3
    documents = [Geometry.of(one).model_dump(mode="json") for one in atoms]
    ends = []
    for structures in (1, 3):
        place = tmp_path / str(structures)
        maker = DynamicsMaker(directory=str(place), structures=structures, settings=settings)
        found = outputs(maker.make(documents))
        assert [one["end"] for one in found] == ["finished"] * 3
        assert found[0]["drift"] is None
        json.dumps(found, allow_nan=False)
        frames = trajectory_atoms(found[0]["trajectory"]["path"])
        assert len(frames) == found[0]["trajectory"]["frames"] == 5
        assert str(place / "trajectories") in found[0]["trajectory"]["path"]
        ends.append([one["geometry"]["positions"] for one in found])
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)
    assert np.abs(np.array(ends[0][0]) - ends[0][1]).max() > 1e-3
    found = outputs(
        DynamicsMaker(directory=str(tmp_path), settings={"steps": 5, "temperature": 9}).make(documents)
    )
    assert abs(found[0]["drift"]) < 1.0


@pytest.mark.usefixtures("_morse")
def test_no_time_at_all_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv(DEADLINE_VARIABLE, "1000.0")
    first = RelaxMaker(directory=str(tmp_path / "c")).make(DOCUMENTS).jobs[0]
    with pytest.raises(JobError, match="relax: no time for a single evaluation"):
        jobs.calculate_job.original(**first.function_kwargs)


def test_a_watch_keeps_time_for_three_evaluations(monkeypatch):
    now = iter([0.0, 10.0, 15.0, 61.0])
    monkeypatch.setattr(jobs.time, "time", lambda: next(now))
    watch = jobs.Watch(100.0)
    assert [watch() for _ in range(4)] == [True, True, True, False]
    assert watch.evaluations == 3


@pytest.mark.parametrize(
    ("maker", "geometries", "said"),
    [
        (RelaxMaker(directory="/d"), [], "0 structures"),
        (RelaxMaker(directory="/d", settings={"fmax": 1}), DOCUMENTS, "fmax"),
        (EosMaker(directory="/d", settings={"span": "wide"}), DOCUMENTS, "eos: span.*wide"),
        (ElasticMaker(directory="/d", settings={"strains": [0.0]}), DOCUMENTS, "none of them 0"),
        (DynamicsMaker(directory="/d", settings={"steps": 5}), DOCUMENTS, "temperature' is missing"),
        (
            DynamicsMaker(directory="/d", settings={"steps": 5, "temperature": -3}),
            DOCUMENTS,
            "temperature: -3",
        ),
        (PhononMaker(directory="/d", settings={"temperatures": [-1]}), DOCUMENTS, "temperatures: -1"),
        (RelaxMaker(directory="d"), DOCUMENTS, "absolute"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(maker, geometries, said):
    with pytest.raises(InputError, match=said):
        maker.make(geometries)
