"""Symmetry functions and SOAP: per atom, averaged, and under the right names."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from crystals_for_tests import crystals, distorted, known, same

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.acsf import acsf, acsf_labels, acsf_of_atoms
from zonemelt.tasks.featurize.soap import soap, soap_labels, soap_of_atoms

ELEMENTS = ["Na", "Cl", "Al"]
SETTINGS = {"elements": ELEMENTS, "cutoff": 4.0}
AVERAGES = [(acsf, "outer"), (acsf, "centres"), (soap, "outer"), (soap, "inner")]


@pytest.mark.parametrize(("kind", "average"), AVERAGES)
def test_averages_are_the_same_however_a_crystal_is_described(kind, average):
    atoms = distorted()
    for how, other in same(atoms).items():
        one, two = kind(crystals(atoms, other), **SETTINGS, average=average)
        assert two == pytest.approx(one, abs=1e-6, rel=1e-5), how
    assert np.abs(one).max() > 0.1


@pytest.mark.parametrize("kind", [acsf_of_atoms, soap_of_atoms])
def test_atoms_keep_their_rows(kind):
    atoms = distorted()
    order = [2, 0, 3, 1]
    values = kind(crystals(atoms, atoms[order]), **SETTINGS)
    assert values.shape[0] == 8
    assert values[4:] == pytest.approx(values[:4][order], abs=1e-8)
    assert np.abs(values[0] - values[1]).max() > 0.1


def test_outer_averages_are_means_over_atoms():
    given = crystals(distorted(), bulk("NaCl", "rocksalt", 5.64))
    for average, each in [(acsf, acsf_of_atoms), (soap, soap_of_atoms)]:
        values = each(given, **SETTINGS)
        expected = [values[:4].mean(axis=0), values[4:].mean(axis=0)]
        assert average(given, **SETTINGS) == pytest.approx(np.array(expected))


def test_centres_keep_elements_apart_and_sum_to_the_outer_mean():
    given = crystals(distorted())
    apart = acsf(given, **SETTINGS, average="centres").reshape(3, -1)  # Al, Cl, Na
    assert apart.sum(axis=0) == pytest.approx(acsf(given, **SETTINGS)[0])
    atoms = acsf_of_atoms(given, **SETTINGS)
    assert apart[0] == pytest.approx(atoms[2] / 4)
    assert apart[2] == pytest.approx((atoms[0] + atoms[3]) / 4)


@pytest.mark.parametrize("element", ELEMENTS)
def test_labels_name_the_elements_of_their_columns(element):
    alone = crystals(bulk(element, "fcc", 4.0))
    values = acsf(alone, **SETTINGS)[0]
    labels = acsf_labels(**SETTINGS)
    assert len(labels) == len(values) == len(set(labels))
    seen = {label.split()[-1] for label in np.array(labels)[values > 0]}
    assert seen == {element, f"{element}-{element}"}
    centres = acsf(alone, **SETTINGS, average="centres")[0]
    named = np.array(acsf_labels(**SETTINGS, average="centres"))[centres > 0]
    assert {label.split(":")[0] for label in named} == {element}
    power = soap(alone, **SETTINGS)[0]
    names = soap_labels(elements=ELEMENTS)
    assert len(names) == len(power) == len(set(names))
    assert {name.split()[1] for name in np.array(names)[np.abs(power) > 1e-9]} == {f"{element}-{element}"}


def test_symmetry_functions_count_neighbours_at_their_distances():
    cutoff = 4.0
    found = acsf(crystals(bulk("Al", "fcc", 4.05)), elements=["Al"], cutoff=cutoff)[0]
    values = dict(zip(acsf_labels(elements=["Al"], cutoff=cutoff), found, strict=True))
    distance = 4.05 / 2**0.5
    assert values["G1 Al"] == pytest.approx(12 * 0.5 * (1 + np.cos(np.pi * distance / cutoff)))


def test_nothing_gives_no_rows():
    for kind in (acsf, soap, acsf_of_atoms, soap_of_atoms):
        assert kind(crystals(), **SETTINGS).shape[0] == 0


def test_wrong_elements_and_averages_are_named():
    given = crystals(known()[1], distorted())
    with pytest.raises(InputError, match="structure 1: it has Al"):
        acsf(given, elements=["Na", "Cl"], cutoff=4.0)
    with pytest.raises(InputError, match="'Xx' is no element"):
        soap(given, elements=["Na", "Xx"], cutoff=4.0)
    with pytest.raises(InputError, match="no elements"):
        soap(given, elements=[], cutoff=4.0)
    with pytest.raises(InputError, match="'inner' of symmetry functions"):
        acsf(given, **SETTINGS, average="inner")
    with pytest.raises(InputError, match="'off' of SOAP"):
        soap(given, **SETTINGS, average="off")
