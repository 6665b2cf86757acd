"""Mixed levels of theory are refused unless asked for, and a person sees what is mixed."""

from __future__ import annotations

import pytest
from ase.build import bulk
from labels_for_tests import VASP, record_of

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.judge import judged
from zonemelt.tasks.quality.theories import differing, levels, theory_table
from zonemelt.tasks.records import one_theory

IRON, SALT = bulk("Fe"), bulk("NaCl", "rocksalt", a=5.6)


def record(atoms=IRON, **theory):
    return record_of(atoms, theory=VASP.model_copy(update=theory))


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("version", "6.4.2", "6.3.0"),
        ("functional", "PBE", "r2SCAN"),
        ("dispersion", None, "D3(BJ)"),
        ("cutoff", 520.0, 680.0),
        ("spin", True, False),
        ("smearing_width", 0.05, 0.2),
        ("setups", {"Fe": "Fe_pv"}, {"Fe": "Fe"}),
        ("hubbard_u", {"Fe": 5.3}, {}),
    ],
)
def test_a_difference_is_refused_unless_asked_for(field, one, other):
    mixed = [record(**{field: one}), record(**{field: other})]
    with pytest.raises(InputError, match=r"mixed|two "):
        one_theory(mixed)
    assert one_theory(mixed, ignoring={field}) == one_theory(mixed[::-1], ignoring={field})


def test_ignoring_one_field_does_not_ignore_another():
    mixed = [record(version="6.4.2"), record(version="6.3.0", functional="r2SCAN")]
    with pytest.raises(InputError, match="mixed"):
        one_theory(mixed, ignoring={"version"})


def test_other_elements_may_have_other_setups():
    assert one_theory([record(setups={"Fe": "Fe_pv"}), record(SALT, setups={"Na": "Na_pv", "Cl": "Cl"})])


def test_what_nothing_says_about_setups_is_no_contradiction():
    assert one_theory([record(setups={"Fe": "Fe_pv"}), record()])


def test_levels_are_counted():
    records = [judged(record()), record(setups={"Fe": "Fe_pv"}), record(SALT), record(functional="r2SCAN")]
    most, least = levels(records)
    assert (most.records, most.accepted, most.elements) == (3, 1, ("Cl", "Fe", "Na"))
    assert (least.records, least.theory.functional) == (1, "r2SCAN")
    assert differing([most, least]) == {"functional": ("PBE", "r2SCAN")}
    rows = theory_table([most, least])
    assert rows[0]["functional"] == "PBE"
    assert rows[0]["key"] == records[0].theory.key
    assert "version" not in rows[0]


def test_what_is_mixed_within_a_level_is_said():
    (level,) = levels([record(setups={"Fe": "Fe_pv"}), record(setups={"Fe": "Fe"}, hubbard_u={"Fe": 4.0})])
    assert level.mixed == ("2 setups for Fe: Fe, Fe_pv", "2 hubbard_u for Fe: 0.0, 4.0")
    assert theory_table([level])[0]["mixed"].startswith("2 setups for Fe")
    assert levels([]) == []
    assert theory_table([]) == []
