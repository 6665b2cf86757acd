"""The benchmark of discovery says what it lacks, and measures what it has."""

from __future__ import annotations

import gzip
import json

import pytest

CRYSTALS = [  # atomic numbers, energy of formation, energy above the hull: eV/atom
    ([3, 3, 8], -2.0, 0.0),
    ([3, 8], -1.0, 0.6),
    ([11, 11, 8], -1.5, 0.0),
]


@pytest.fixture
def hull(monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    from benchmarks import discovery_hull

    return discovery_hull


def test_absent_data_are_said_to_be_absent(hull):
    (row,) = hull.rows(quick=True)
    assert row.ours is None
    assert "absent" in row.note


def test_what_is_measured(hull, tmp_path):
    place = tmp_path / "06_mp_hull"
    place.mkdir()
    lines = "".join(
        json.dumps({"id": i, "Z": z, "y": {"formation_energy_per_atom": e, "e_above_hull": above}}) + "\n"
        for i, (z, e, above) in enumerate(CRYSTALS)
    )
    for name in ("mp_20_biternary_val_test", "mpts_52_val"):
        (place / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (place / "pdentries_test.csv").write_text(
        "Name,Li,Fe,O,Final energy\nLi,1,0,0,-2\nFe,0,1,0,-8\nO2,0,0,2,-10\nLiO,1,0,1,-6\n"
    )
    never, equal, stable, speed = hull.rows(quick=True)
    assert never.met is True
    assert equal.ours == pytest.approx(2 / 3)  # LiO is 0.5 above Li2O and oxygen here
    assert stable.ours == 11 - 3  # the elements are found, LiO is not stable, the others are not there
    assert speed.ours > 0


TINY = {
    "initial": 10, "batch": 3, "target": "above_hull < 0.1, at most 2 atoms",
    "start": {"displacement": 0.1, "strain": 0.04, "volume": [-0.2, 0.2]},
    "seeds": [{"orderings": ["Al", "Au"], "lattices": ["fcc"], "sizes": [2]}],
    "committee": {"members": 2, "basis": {"cutoff": 4.5, "radial": 4, "degree": 1}},
    "generator": {
        "architecture": {"width": 16, "layers": 1, "frequencies": 2}, "settings": {"epochs": 3},
        "within": 1.0, "most_atoms": 2,
    },
    "sample": [{"count": 6, "near": 4, "strength": 0.2, "steps": 10}],
    "relax": {"force": 0.2, "steps": 15, "method": "lbfgs"},
    "acquire": {"reach": 1.0},
}  # fmt: skip


@pytest.mark.slow
def test_the_loop_beside_chance(monkeypatch):
    from benchmarks import discovery_loop

    monkeypatch.setattr(discovery_loop, "CLOSED", {**discovery_loop.CLOSED, **TINY})
    found = list(discovery_loop.rows(quick=True))
    assert len(found) == len(discovery_loop.LIMITS)
    for row in found:
        assert row.ours is not None
        assert 0 <= row.ours <= 1
        assert "1 seeds, labels [" in row.note
        assert row.quick


@pytest.mark.slow
def test_a_whole_judgement_beside_the_way_by_hand(monkeypatch):
    from benchmarks import discovery_screen

    monkeypatch.setattr(discovery_screen, "CANDIDATES", 400)
    monkeypatch.setattr(discovery_screen, "LABELS", 40)
    rate, shape, memory, among = discovery_screen.rows(quick=True)
    assert rate.ours > 0
    assert rate.peer > 0
    assert "20 candidates" in rate.note
    assert shape.ours > 0
    assert memory.ours > 100
    assert among.ours > 0
