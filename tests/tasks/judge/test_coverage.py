"""Coverage, match rate and distances are those of the published evaluation, on small sets."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.ase import AseAtomsAdaptor
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.coverage import CUTOFFS, Prints, _scale, coverage, prints
from zonemelt.tasks.judge.distributions import element_counts, mass_densities, space_groups, wasserstein
from zonemelt.tasks.judge.matching import match
from zonemelt.tasks.judge.site_fingerprints import site_fingerprints

matminer = pytest.importorskip("matminer")

SALT = bulk("NaCl", "rocksalt", 5.64)
CAESIUM = bulk("CsCl", "cesiumchloride", 4.12)


def perovskite(a: str, b: str, x: str, length: float, seed: int = -1) -> Atoms:
    atoms = Atoms(
        [a, b, x, x, x],
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        cell=[length] * 3,
        pbc=True,
    )
    if seed >= 0:
        atoms.rattle(0.15, seed=seed)
    return atoms


TRUE = [perovskite("Sr", "Ti", "O", 3.9), perovskite("Cs", "Pb", "I", 6.2), perovskite("K", "Ta", "O", 4.0)]
MADE = [perovskite("Ba", "Ti", "O", 4.0, seed=0), perovskite("Sr", "Ti", "O", 3.9, seed=1), SALT]


@pytest.fixture(scope="module")
def both() -> tuple[Prints, Prints]:
    return prints(Crystals.of_atoms(MADE)), prints(Crystals.of_atoms(TRUE))


def test_fingerprints_are_matminers(both):
    from matminer.featurizers.composition.composite import ElementProperty
    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sites = CrystalNNFingerprint.from_preset("ops")
        for found, atoms in zip(both[0].sites_GS, MADE, strict=True):
            structure = AseAtomsAdaptor.get_structure(atoms)
            plain = [sites.featurize(structure, index) for index in range(len(structure))]
            assert found == pytest.approx(np.mean(plain, axis=0), abs=1e-9)
        magpie = ElementProperty.from_preset("magpie", impute_nan=False)
        one = magpie.featurize(AseAtomsAdaptor.get_structure(TRUE[0]).composition)
    mean_M, deviation_M = _scale()
    assert both[1].composition_GM[0] == pytest.approx((np.array(one) - mean_M) / deviation_M)
    assert (mean_M[0], deviation_M[-1]) == (21.194441759304013, 85.980205895116)  # as published


def test_coverage_is_that_of_the_published_evaluation(both):
    made, true = both
    for cutoffs in [(0.2, 4.0), (0.4, 10.0), (0.05, 3.0), (0.0, 0.0)]:
        sites = cdist(made.sites_GS, true.sites_GS)
        compositions = cdist(made.composition_GM, true.composition_GM)
        found = coverage(made, true, cutoffs=cutoffs)
        for axis, share in ((0, found.recall), (1, found.precision)):
            near = (sites.min(axis) <= cutoffs[0]) & (compositions.min(axis) <= cutoffs[1])
            assert share == near.mean()
        assert found.sites_recall == pytest.approx(sites.min(0).mean())
        assert found.sites_precision == pytest.approx(sites.min(1).mean())
        assert found.composition_recall == pytest.approx(compositions.min(0).mean())
        assert found.composition_precision == pytest.approx(compositions.min(1).mean())


def test_a_set_covers_itself(both):
    for one in both:
        found = coverage(one, one, cutoffs=(0.0, 0.0))
        assert (found.recall, found.precision) == (1.0, 1.0)
        assert found.sites_recall == found.composition_precision == 0.0
    assert set(CUTOFFS) == {"perov_5", "carbon_24", "mp_20"}


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_more_crystals_never_cover_less(seed):
    rng = np.random.default_rng(seed)

    def some(count: int) -> Prints:
        return Prints(
            sites_GS=rng.normal(size=(count, 61)), composition_GM=rng.normal(size=(count, 132)), reasons={}
        )

    true, made = some(int(rng.integers(1, 30))), some(int(rng.integers(1, 30)))
    more = some(5)
    together = Prints(
        sites_GS=np.concatenate([made.sites_GS, more.sites_GS, made.sites_GS]),
        composition_GM=np.concatenate([made.composition_GM, more.composition_GM, made.composition_GM]),
        reasons={},
    )
    cutoffs = (10.5, 15.7)
    once, then = coverage(made, true, cutoffs=cutoffs), coverage(together, true, cutoffs=cutoffs)
    assert then.recall >= once.recall
    swapped = coverage(true, made, cutoffs=cutoffs)
    assert (swapped.recall, swapped.precision) == pytest.approx((once.precision, once.recall))


def test_what_has_no_fingerprint_counts_against_precision_only(both):
    lost = np.full((1, 61), np.nan), np.full((1, 132), np.nan)
    true = both[1]
    torn = Prints(
        sites_GS=np.concatenate([true.sites_GS, lost[0]]),
        composition_GM=np.concatenate([true.composition_GM, lost[1]]),
        reasons={3: "it has none"},
    )
    found = coverage(torn, true, cutoffs=(0.2, 4.0))
    assert (found.recall, found.precision) == (1.0, 0.75)
    assert coverage(true, torn, cutoffs=(0.2, 4.0)).precision == 1.0
    none = Prints(sites_GS=lost[0], composition_GM=lost[1], reasons={0: "it has none"})
    assert coverage(none, true, cutoffs=(0.2, 4.0)).recall == 0.0
    with pytest.raises(InputError, match="no true crystal"):
        coverage(true, none, cutoffs=(0.2, 4.0))


def test_fingerprints_are_kept_and_bad_crystals_have_reasons(tmp_path, monkeypatch):
    nan = SALT.copy()
    nan.positions[0, 0] = np.nan
    lonely = Atoms("Na", cell=[40, 40, 40], pbc=True)
    dummy = Atoms("XCl", [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    overlap = Atoms("NaCl", [[1, 1, 1], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
    crystals = Crystals.of_atoms([SALT, nan, lonely, dummy, overlap, Atoms(cell=[3, 3, 3], pbc=True), SALT])
    kept, told = tmp_path / "cache" / "prints.sqlite", []
    found, reasons = site_fingerprints(crystals, kept=kept, tell=told.append)
    assert sum(told) == len(crystals)
    assert {1, 3, 5} <= set(reasons) <= {1, 2, 3, 4, 5}
    assert np.isnan(found[sorted(reasons)]).all()
    assert (found[0] == found[6]).all()
    monkeypatch.setattr("zonemelt.tasks.judge.site_fingerprints._one", lambda _: "computed again")
    again, why = site_fingerprints(crystals, kept=kept)
    assert (again[0] == found[0]).all()
    assert set(why) == set(reasons)
    computed, told = site_fingerprints(crystals.take(slice(0, 1)))
    assert told == {0: "computed again"}
    assert np.isnan(computed).all()
    assert site_fingerprints(Crystals.of_atoms([]))[0].shape == (0, 61)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_distances_are_scipys(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(size=int(rng.integers(1, 50))), rng.normal(1, 2, int(rng.integers(1, 50)))
    found = wasserstein(ours, theirs)
    assert found.every == pytest.approx(wasserstein_distance(ours, theirs))
    assert wasserstein(ours + 3, ours).every == pytest.approx(3.0)
    assert found.drawn is None


def test_published_distances_are_of_a_thousand_drawn():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=3000), rng.normal(size=500)
    found = wasserstein(ours, theirs, seed=1)
    assert found == wasserstein(ours, theirs, seed=1)
    assert found.drawn is not None
    assert 0 < found.spread < 0.1
    assert abs(found.drawn - found.every) < 0.1
    assert wasserstein(ours[:1000], theirs).drawn == pytest.approx(wasserstein(ours[:1000], theirs).every)
    with pytest.raises(InputError, match="0 finite values of 0 generated"):
        wasserstein(np.empty(0), theirs)
    with pytest.raises(InputError, match="true"):
        wasserstein(theirs, np.array([np.nan]))


def test_densities_and_elements_are_pymatgens():
    crystals = Crystals.of_atoms([*TRUE, SALT, bulk("Al")])
    structures = [AseAtomsAdaptor.get_structure(crystals.atoms(row)) for row in range(len(crystals))]
    assert mass_densities(crystals) == pytest.approx([structure.density for structure in structures])
    assert element_counts(crystals).tolist() == [3, 3, 3, 2, 1]
    assert space_groups(crystals).tolist() == [221, 221, 221, 225, 225]
    assert len(mass_densities(crystals.take(slice(0, 0)))) == 0


def test_matches_are_pymatgens_and_the_best_of_several_counts():
    true = [*TRUE, CAESIUM]
    predicted = [perovskite("Sr", "Ti", "O", 4.1, 1), perovskite("Cs", "Pb", "Br", 6.0), TRUE[2], SALT]
    matcher = StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10)
    expected = [
        matcher.get_rms_dist(*(AseAtomsAdaptor.get_structure(atoms) for atoms in pair))
        for pair in zip(predicted, true, strict=True)
    ]
    found = match(Crystals.of_atoms(predicted), Crystals.of_atoms(true))
    assert found.rms_T.tolist() == pytest.approx(
        [np.nan if one is None else one[0] for one in expected], nan_ok=True
    )
    assert found.rate == 0.5
    assert found.rms == pytest.approx(np.mean([expected[0][0], expected[2][0]]))
    assert found.best_T.tolist() == [0, -1, 2, -1]
    several = [atoms for pair in zip(predicted, true, strict=True) for atoms in pair]
    best = match(Crystals.of_atoms(several), Crystals.of_atoms(true))
    assert best.rate == 1.0
    assert best.rms == pytest.approx(0, abs=1e-6)
    strict = match(
        Crystals.of_atoms(predicted), Crystals.of_atoms(true), valid_G=np.array([True, True, False, True])
    )
    assert strict.best_T.tolist() == [0, -1, -1, -1]


def test_predictions_that_do_not_fit_are_refused_and_bad_ones_do_not_match():
    true = Crystals.of_atoms(TRUE[:2])
    with pytest.raises(InputError, match="3 predictions of 2 crystals"):
        match(Crystals.of_atoms(TRUE), true)
    nan = TRUE[0].copy()
    nan.positions[0] = np.nan
    overlap = TRUE[1].copy()
    overlap.positions[:] = 0
    found = match(Crystals.of_atoms([nan, overlap]), true)
    assert found.rate == 0
    assert np.isnan(found.rms)
