"""Defects, surfaces, phonons and files: what is enumerated is what crystallography counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.io import write
from crystals_for_tests import parent
from potentials_for_tests import Morse

from zonemelt.tasks.atomistic.vibrations import vibrations
from zonemelt.tasks.crystals import Crystals, repeats
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.defects import interstitial_places, symmetry
from zonemelt.tasks.explore.explorers import explore, explorer_of
from zonemelt.tasks.explore.phonons import SOFTEST, displaced, widths
from zonemelt.tasks.records import Geometry


def asked(document, *parents, **more):
    return explore(explorer_of(document), list(parents), seed=0, **more)


def kinds(found):
    return Counter(one["origin"]["settings"]["kind"] for one in found["candidates"])


def test_defects_of_salt_are_those_of_its_two_orbits():
    salt = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    found = asked({"explorer": "defects", "size": 5.0, "places": 1}, parent(salt))
    assert kinds(found) == {"vacancy": 2, "antisite": 2, "interstitial": 2}
    for one in found["candidates"]:
        counts = Counter(one["geometry"]["symbols"])
        kind, site = one["origin"]["settings"]["kind"], one["origin"]["settings"]["site"]
        if kind == "vacancy":
            assert sorted(counts.values()) == [3, 4]
        elif kind == "antisite":
            assert sorted(counts.values()) == [3, 5]
        else:  # the middle of the small cubes, between four of each
            assert sorted(counts.values()) == [4, 5]
            assert site.split(" at ")[1].split() == ["0.250"] * 3


def test_supercells_are_as_large_as_asked_for():
    found = asked({"explorer": "defects", "size": 8.0, "kinds": ["vacancy"]}, parent(bulk("Al")))
    (one,) = found["candidates"]
    heights = 1 / np.linalg.norm(np.linalg.inv(np.array(one["geometry"]["cell"])), axis=0)
    assert heights.min() >= 8.0
    assert len(one["geometry"]["symbols"]) == np.prod(repeats(bulk("Al").cell.array, 8.0)) - 1


def test_interstitial_places_of_fcc_are_octahedral_then_tetrahedral():
    copper = bulk("Cu", cubic=True, a=3.6)
    places = interstitial_places(copper, symmetry(copper, 0.01)[1])

    def nearest(place):
        moved = (copper.get_scaled_positions() - place / 3.6 + 0.5) % 1 - 0.5
        return np.linalg.norm(moved * 3.6, axis=1).min()

    assert [round(nearest(place) / 3.6, 3) for place in places] == [0.5, 0.433]


def test_foreign_antisites_and_what_is_no_crystal():
    document = {"explorer": "defects", "kinds": ["antisite"], "elements": ["Cu", "Al"], "size": 4.0}
    found = asked(document, parent(bulk("Al")))
    assert [one["origin"]["settings"]["site"] for one in found["candidates"]] == ["Cu on Al0"]
    wire = bulk("Al")
    wire.pbc = (True, False, False)
    assert asked(document, parent(wire))["counts"] == {
        "proposed": 1, "refused: not a crystal": 1, "kept": 0,
    }  # fmt: skip


def test_surfaces_keep_composition_thickness_and_vacuum():
    salt = bulk("NaCl", "rocksalt", 5.64)
    found = asked({"explorer": "surfaces", "displacement": 0.0}, parent(salt))
    millers = {tuple(one["origin"]["settings"]["miller"]) for one in found["candidates"]}
    assert millers == {(1, 0, 0), (1, 1, 0), (1, 1, 1)}
    for one in found["candidates"]:
        counts = Counter(one["geometry"]["symbols"])
        assert counts["Na"] == counts["Cl"]
        atoms = Geometry.model_validate(one["geometry"]).atoms()
        normal = np.cross(*atoms.cell.array[:2])
        heights = np.sort(atoms.get_scaled_positions()[:, 2]) * abs(np.linalg.det(atoms.cell.array))
        heights /= np.linalg.norm(normal)
        gaps = np.diff(
            np.append(heights, heights[0] + abs(np.linalg.det(atoms.cell.array)) / np.linalg.norm(normal))
        )
        assert gaps.max() >= 9.0
    fewer = asked({"explorer": "surfaces", "atoms": 10}, parent(salt))["counts"]
    assert fewer["refused: more than 10 atoms"] >= 1


def formulas(found):
    return {
        Geometry.model_validate(one["geometry"]).atoms().symbols.formula.reduce()[0].format()
        for one in found["candidates"]
    }


def test_slabs_with_two_equal_sides_may_have_another_composition():
    fluorite = parent(bulk("CaF2", "fluorite", 5.46))
    document = {"explorer": "surfaces", "thickness": 5.0}
    assert formulas(asked(document, fluorite)) == {"CaF2"}
    assert formulas(asked({**document, "symmetric": True}, fluorite)) - {"CaF2"}


def test_phonons_have_the_width_of_oscillators():
    frequencies = np.array([100.0, 300.0, SOFTEST / 2])
    cold, hot = widths(frequencies, 0.0), widths(frequencies, 3000.0)
    hbar_omega = frequencies * units.invcm
    # classical limit: kT / ω², with ω = ħω / ħ in ASE's unit of time
    hbar = units._hbar * units.J * units.s
    classical = np.sqrt(units.kB * 3000.0) * hbar / hbar_omega
    assert hot[:2] == pytest.approx(classical[:2], rel=0.01)
    assert cold[:2] == pytest.approx(hbar / np.sqrt(2 * hbar_omega[:2]))
    assert hot[2] == pytest.approx(widths(np.array([SOFTEST]), 3000.0)[0])


def test_mean_harmonic_energy_is_half_kt_a_mode():
    copper = bulk("Cu", cubic=True, a=3.55)
    (own,) = vibrations(Morse(), Crystals.of_atoms([copper]))
    flat = own.constants_N3N3.reshape(12, 12)
    generator, energies = np.random.default_rng(0), []
    for _ in range(2000):
        moves = displaced(own, 2000.0, generator).reshape(-1)
        energies.append(0.5 * moves @ flat @ moves)
    assert np.mean(energies) == pytest.approx(0.5 * units.kB * 2000 * len(own.frequencies_M), rel=0.05)


def test_phonon_supercells_are_candidates():
    document = {"explorer": "phonons", "repeat": [1, 1, 2], "copies": 2, "temperatures": [100, 900]}
    start = parent(bulk("Cu", cubic=True, a=3.55))
    found = asked(document, start, potential=Morse())
    assert found["counts"]["kept"] == 4
    assert {len(one["geometry"]["symbols"]) for one in found["candidates"]} == {8}
    with pytest.raises(InputError, match="explorer phonons: it needs a potential"):
        asked(document, start)


def test_structures_of_files_and_directories(tmp_path):
    write(tmp_path / "one.cif", bulk("Al"))
    write(tmp_path / "several.xyz", [bulk("Cu"), bulk("Ag"), bulk("Cu")], format="extxyz")
    (tmp_path / "notes.txt").write_text("nothing")
    found = asked({"explorer": "sources", "paths": [str(tmp_path)]})
    assert found["counts"] == {
        "proposed": 5, "refused: no structure": 1, "refused: the same as another": 1, "kept": 3,
    }  # fmt: skip
    assert found["candidates"][0]["origin"]["parent"] == str(tmp_path / "one.cif")
    wanted = asked({"explorer": "sources", "paths": [str(tmp_path)], "elements": ["Cu"]})
    assert wanted["counts"]["refused: other elements"] == 2
    with pytest.raises(InputError, match="neither paths nor queries"):
        asked({"explorer": "sources"})
    with pytest.raises(InputError, match="no such file"):
        asked({"explorer": "sources", "paths": [str(tmp_path / "absent.cif")]})
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no structure in it"):
        asked({"explorer": "sources", "paths": [str(tmp_path / "empty")]})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"explorer": "defects", "elements": ["Na", "Xx"]},
            r"elements\.1: 'Xx' cannot be used\n.*no element",
        ),
        ({"explorer": "sources", "elements": ["X"]}, "'X' is no element"),
        ({"explorer": "substitutions", "swaps": [{"Na": "Kk"}]}, "'Kk' is no element"),
        ({"explorer": "decorations", "sites": {"Lj": {"Li": 0.5}}}, "'Lj' is no element"),
        ({"explorer": "deform", "repeat": [1, 0, 1]}, r"repeat\.1: 0 cannot be used"),
        ({"explorer": "deform", "volume": [-1.5, 0.0]}, "nothing would be left"),
        ({"explorer": "phonons", "temperatures": [-300]}, r"temperatures\.0: -300 cannot be used"),
        ({"explorer": "sources", "queries": [{"databases": "mp"}]}, "did you mean 'database'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_done(document, words):
    with pytest.raises(InputError, match=words):
        explorer_of(document)


def test_each_source_is_looked_at_for_itself(tmp_path):
    write(tmp_path / "a.cif", bulk("Al"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: there is no structure in it"):
        asked({"explorer": "sources", "paths": [str(tmp_path / "a.cif"), str(tmp_path / "empty")]})


def test_a_parent_that_is_none_is_named():
    flat = parent(bulk("Al"), "flat")
    flat["geometry"]["cell"][2] = flat["geometry"]["cell"][1]
    with pytest.raises(InputError, match=r"parents, number 1: the cell has no volume\n"):
        asked({"explorer": "deform"}, parent(bulk("Al")), flat)
    with pytest.raises(InputError, match=r"number 0: it has no 'geometry'"):
        asked({"explorer": "deform"}, {"identifier": "a"})


def test_a_parent_without_a_symmetry_has_no_surfaces_and_others_have():
    twice = Atoms("Al2", positions=[[0, 0, 0], [0, 0, 1e-4]], cell=[4, 4, 4], pbc=True)
    found = asked({"explorer": "surfaces"}, parent(twice, "twice"), parent(bulk("Al")))
    assert found["counts"]["refused: its symmetry cannot be determined"] == 1
    assert found["counts"]["kept"] > 0
