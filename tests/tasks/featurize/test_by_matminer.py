"""Featurizers of matminer by name, in this process, with a reason for each material without a row."""

from __future__ import annotations

import json
import multiprocessing

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from crystals_for_tests import crystals, known

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.by_matminer import by_matminer, matminer_job
from zonemelt.tasks.featurize.formulas import parse
from zonemelt.tasks.featurize.magpie import labels, magpie
from zonemelt.tasks.featurize.structural import densities
from zonemelt.tasks.records import Geometry

pytest.importorskip("matminer", reason="needs the extra 'databases'")


@pytest.fixture(autouse=True)
def _no_pools(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a pool of processes was started")

    monkeypatch.setattr(multiprocessing, "Pool", refuse)
    monkeypatch.setattr("matminer.featurizers.base.Pool", refuse)


def test_formulas_through_a_preset():
    formulas = ["Fe2O3", "NaCl", "nonsense", "Al(NiB)2"]
    found = by_matminer("ElementProperty", formulas, preset="magpie", options={"impute_nan": False})
    assert found.labels == labels()
    assert found.rows_N.tolist() == [0, 1, 3]
    assert found.values_NF == pytest.approx(
        magpie(parse(["Fe2O3", "NaCl", "Al(NiB)2"]).compositions), rel=1e-9
    )
    assert [(refused.row, refused.value) for refused in found.refused] == [(2, "'nonsense'")]
    assert "Error" in found.refused[0].reason


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_structures_words_and_reasons():
    given = crystals(*known()[:2], Atoms("Al", cell=4 * np.eye(3)), bulk("He", "fcc", 4.2))
    found = by_matminer("DensityFeatures", given)
    assert found.rows_N.tolist() == [0, 1]
    assert found.values_NF == pytest.approx(densities(given.take(slice(0, 2))))
    assert [refused.row for refused in found.refused] == [2, 3]
    assert "does not repeat" in found.refused[0].reason
    symmetry = by_matminer("GlobalSymmetryFeatures", given.take(slice(0, 2))).frame()
    assert symmetry["crystal_system"].tolist() == ["cubic", "cubic"]
    assert symmetry["spacegroup_num"].tolist() == [225, 225]


def test_site_featurizers_become_statistics_of_sites():
    found = by_matminer("GaussianSymmFunc", crystals(known()[1]))
    assert found.values_NF.shape == (1, len(found.labels))
    assert found.labels[0].startswith("mean ")


@pytest.mark.filterwarnings("ignore:to_reduced_dict:FutureWarning")
def test_what_must_be_fitted_says_so():
    given = crystals(*known()[:2])
    options = {"cutoff": 4.0, "bin_size": 1.0}
    with pytest.raises(InputError, match="fit_on"):
        by_matminer("PartialRadialDistributionFunction", given, options=options)
    found = by_matminer("PartialRadialDistributionFunction", given, options=options, fit_on=given)
    assert found.values_NF.shape == (2, 6 * 4)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="did you mean 'DensityFeatures'"):
        by_matminer("DensityFeature", crystals(*known()[:1]))
    with pytest.raises(InputError, match="unknown key"):
        by_matminer("DensityFeatures", ["NaCl"])
    with pytest.raises(InputError, match="preset and options"):
        by_matminer("ElementProperty", ["NaCl"], preset="magpy")
    with pytest.raises(InputError, match="preset and options"):
        by_matminer("DensityFeatures", crystals(), options={"colour": "red"})


def test_the_job_says_the_same():
    geometry = Geometry.of(bulk("Al", "fcc", 4.05)).model_dump()
    found = matminer_job.original(name="DensityFeatures", geometries=[geometry])
    assert found["labels"] == ["density", "vpa", "packing fraction"]
    assert found["rows"] == [0]
    assert found["values"][0][1] == pytest.approx(4.05**3 / 4)
    found = matminer_job.original(name="Stoichiometry", formulas=["NaCl", "?"])
    assert found["values"][0][0] == 2
    assert found["refused"][0]["row"] == 1
    assert json.loads(json.dumps(found)) == found
    with pytest.raises(InputError, match="neither geometries nor formulas"):
        matminer_job.original(name="Stoichiometry")
    with pytest.raises(InputError, match="geometries and formulas"):
        matminer_job.original(name="Stoichiometry", formulas=["NaCl"], geometries=[geometry])
