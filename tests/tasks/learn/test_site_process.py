"""The Gaussian process of sites: what sites add up to is learned from few labels."""

from __future__ import annotations

import numpy as np
import pytest

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.site_process import fit, occupations

METALS = (11, 19, 37, 12, 20, 38, 22, 40, 27, 28)
SITES = [((a,), (b,), (8, 8, other)) for a in METALS for b in METALS for other in (8, 7)]


def additive():
    """Electronegativity on one site, radius on another, and a little of both together."""
    from ase.data import covalent_radii

    first = np.array([covalent_radii[one[0][0]] for one in SITES])
    second = np.array([one[1][0] / 40 for one in SITES])
    third = np.array([float(one[2][2] == 7) for one in SITES])
    return first + second + 0.5 * third + 0.3 * first * third


def test_sum_over_sites_is_learned_from_a_fifth():
    known, labels = occupations(SITES), additive()
    order = np.random.default_rng(0).permutation(len(SITES))
    seen, new = order[:40], order[40:]
    mean, deviation = fit(known, seen, labels[seen]).predict(new)
    errors = mean - labels[new]
    assert np.sqrt((errors**2).mean()) < 0.15 * labels.std()
    assert (np.abs(errors) < 3 * deviation).mean() > 0.9
    assert deviation.min() > 0


def test_labels_are_met_and_order_does_not_matter():
    known, labels = occupations(SITES), additive()
    seen = np.arange(0, 200, 7)
    model = fit(known, seen, labels[seen])
    mean, deviation = model.predict(seen)
    assert np.abs(mean - labels[seen]).max() < 0.1 * labels.std()
    assert deviation.max() < model.predict(np.setdiff1d(np.arange(200), seen))[1].max()
    turned = occupations([(a, b, tuple(reversed(x))) for a, b, x in SITES])
    again = fit(turned, seen, labels[seen]).predict(np.arange(200))[0]
    assert again == pytest.approx(model.predict(np.arange(200))[0])


def test_fit_goes_on_from_an_earlier_one_and_learns_from_the_last_labels():
    known, labels = occupations(SITES), additive()
    first = fit(known, np.arange(30), labels[:30])
    again = fit(known, np.arange(60), labels[:60], start=first, most=40)
    assert len(again.rows_N) == 60
    assert not np.allclose(again.logarithms, first.logarithms)
    anew = fit(known, np.arange(60), labels[:60], most=40)
    assert again.logarithms.tolist() != anew.logarithms.tolist()  # it began elsewhere, and has so many steps
    last = fit(known, np.arange(20, 60), labels[20:60])
    assert anew.logarithms.tolist() == last.logarithms.tolist()


def test_bad_input_is_told():
    with pytest.raises(InputError, match="crystals of no sites"):
        occupations([])
    with pytest.raises(InputError, match="crystals of 1, 2 sites"):
        occupations([((1,),), ((1,), (2,))])
    known = occupations(SITES[:4])
    with pytest.raises(InputError, match="1 labels"):
        fit(known, np.arange(1), np.ones(1))
    with pytest.raises(InputError, match="2 labels, of which 1 are finite"):
        fit(known, np.arange(2), np.array([1.0, np.nan]))
