"""What was made to stand out is found, with its reason; what was not is left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_for_tests import record_of

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.composition import fit_energies, pure_energies, reduced_formula
from zonemelt.tasks.quality.judge import judged, quarantined
from zonemelt.tasks.quality.outliers import find_outliers, measures, reasons_of, robust_z, unjudged

ELEMENTS = {"Al": -3.7, "O": -4.9, "Fe": -8.3, "Na": -1.3}


def table(count: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 5, (count, len(ELEMENTS)))
    numbers[:, 0] += numbers.sum(axis=1) == 0
    mixed = numbers @ list(ELEMENTS.values()) / numbers.sum(axis=1)
    return pd.DataFrame(
        {
            "identifier": [f"r{i:04d}" for i in range(count)],
            "formula": [
                "".join(f"{e}{n}" for e, n in zip(ELEMENTS, row, strict=True) if n) for row in numbers
            ],
            "energy_per_atom": mixed + rng.normal(0, 0.1, count),
            "largest_force": rng.lognormal(-1, 1, count),
            "largest_stress": rng.lognormal(-4, 1, count),
            "volume_per_atom": rng.lognormal(2.7, 0.2, count),
            "closest": rng.lognormal(0, 0.05, count),
            "theory": "one",
        }
    )


def test_nothing_stands_out_of_what_is_normal():
    assert find_outliers(table()) == []


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("energy_per_atom", -60.0, "energy less that of its elements"),
        ("energy_per_atom", 30.0, "energy less that of its elements"),
        ("largest_force", 40_000.0, "largest force 4e+04 eV/Å"),
        ("largest_stress", 500.0, "largest stress component 500 eV/Å³"),
        ("volume_per_atom", 300.0, "volume per atom 300 Å³/atom"),
        ("volume_per_atom", 1.5, "volume per atom 1.5 Å³/atom"),
        ("closest", 0.5, "smallest distance over the sum of covalent radii 0.5:"),
    ],
)
def test_what_stands_out_is_found_with_a_reason(column, value, words):
    rows = table()
    rows.loc[17, column] = value
    (found,) = find_outliers(rows)
    assert found.identifier == "r0017"
    assert found.reason.startswith(words)
    assert "robust deviations" in found.reason


def test_no_forces_and_long_bonds_are_no_fault():
    rows = table()
    rows.loc[3, "largest_force"] = 0.0
    rows.loc[4, "closest"] = 1.9
    rows.loc[5, ["energy_per_atom", "largest_force", "volume_per_atom"]] = np.nan
    assert find_outliers(rows) == []
    assert find_outliers(rows[["identifier"]]) == []


def test_levels_of_theory_are_judged_apart():
    shifted = table(seed=1).assign(theory="other", energy_per_atom=lambda t: t.energy_per_atom - 50)
    few = table(count=10, seed=2).assign(theory="few", energy_per_atom=7.0)
    rows = pd.concat([table(), shifted, few], ignore_index=True)
    assert find_outliers(rows, by="theory") == []
    assert unjudged(rows, by="theory") == {"few": 10}


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no column source"):
        find_outliers(table(), by="source")


def test_half_of_one_value_does_not_divide_by_nothing():
    z, median, deviation = robust_z(np.array([1.0] * 30 + [1.001]), 0.05)
    assert (median, deviation) == (1.0, 0.05)
    assert np.abs(z).max() == pytest.approx(0.02)


def test_measures_of_records():
    good = record_of(
        bulk("NaCl", "rocksalt", a=5.6), "salt", energy_sigma0=-6.8, forces=((3.0, 4, 0), (0, 0, 0))
    )
    crushed = record_of(bulk("Al", a=0.1), "crushed", stress=np.diag([0, -2.0, 1]).tolist())
    rows = measures([good, crushed]).set_index("identifier")
    assert rows.loc["salt", "formula"] == "Cl1Na1"
    assert rows.loc["salt", "energy_per_atom"] == pytest.approx(-3.4)
    assert rows.loc["salt", "largest_force"] == pytest.approx(5)
    assert rows.loc["salt", "volume_per_atom"] == pytest.approx(5.6**3 / 8)
    assert rows.loc["salt", "closest"] == pytest.approx(2.8 / (1.66 + 1.02))
    assert rows.loc["crushed", "largest_stress"] == pytest.approx(2)
    assert rows.loc["crushed", ["energy_per_atom", "largest_force", "closest"]].isna().all()


def test_an_outlier_is_quarantined_not_lost():
    rows = table()
    rows.loc[0, "volume_per_atom"] = 5000.0
    reasons = reasons_of(find_outliers(rows))
    record = judged(record_of(bulk("Al"), "r0000"))
    kept = quarantined(record, reasons["r0000"])
    assert record.quality.accepted
    assert not kept.quality.accepted
    assert kept.quality.reasons == tuple(reasons["r0000"])
    assert quarantined(kept, reasons["r0000"]) == kept
    assert quarantined(record, []) is record


@settings(max_examples=20)
@given(
    wrong=st.lists(st.integers(0, 399), max_size=60, unique=True),
    by=st.floats(-1000, 1000),
)
def test_wrong_labels_do_not_move_the_reference(wrong, by):
    rows = table()
    rows.loc[wrong, "energy_per_atom"] += by
    counts = [{e: float(n) for e, n in parsed(formula)} for formula in rows.formula]
    fitted = fit_energies(counts, rows.energy_per_atom.to_numpy())
    assert fitted.undetermined == ()
    for element, energy in ELEMENTS.items():
        assert fitted.energies[element] == pytest.approx(energy, abs=0.15)


def parsed(formula):
    from zonemelt.tasks.quality.outliers import counted

    return counted(formula).items()


def test_elements_that_always_come_together_are_named():
    counts = [{"Na": 1, "Cl": 1}, {"Na": 2, "Cl": 2}, {"Al": 1}, {"Al": 1, "Na": 1, "Cl": 1}]
    fitted = fit_energies(counts, np.array([-3.0, -3.0, -4.0, -10 / 3]))
    assert fitted.undetermined == ("Cl", "Na")
    assert fitted.of(["Na", "Cl", "Al"]) == pytest.approx(-10)
    known = fit_energies(counts, np.array([-3.0, -3.0, -4.0, -10 / 3]), fixed={"Na": -1.3, "Al": -4.0})
    assert known.undetermined == ()
    assert known.energies["Cl"] == pytest.approx(-4.7)
    with pytest.raises(InputError, match="no reference energy for K"):
        fitted.of(["K"])


def test_pure_elements_give_their_lowest_energy():
    found = pure_energies([{"Al": 4}, {"Al": 1}, {"Al": 1, "O": 1}], np.array([-3.6, -3.7, -9.0]))
    assert found == {"Al": -3.7}


def test_a_fit_needs_numbers():
    with pytest.raises(InputError, match="not a number"):
        fit_energies([{"Al": 1}], np.array([np.nan]))
    with pytest.raises(InputError, match="no energies"):
        fit_energies([], np.array([]))


def test_reduced_formula():
    assert reduced_formula(["O", "Al", "O", "Al", "O"] * 2) == "Al2O3"
