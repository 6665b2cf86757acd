"""Conditions on verdicts, in words, and the order in which rows come."""

from __future__ import annotations

import pytest
from ase.build import bulk

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.judge.filters import Conditions, row_of, sorted_rows
from zonemelt.tasks.judge.verdict import Confirmation, Estimate, Verdict, Word, counted
from zonemelt.tasks.records import Geometry


def verdict(name, above, **more):
    given = {
        "formula": name, "geometry": Geometry.of(bulk("NaCl", "rocksalt", 5.6)), "above_hull": above,
        "group": name, "verdict": Word.UNDEFINED if above is None else Word.METASTABLE, "converged": True,
        "novel": True, **more,
    }  # fmt: skip
    return Verdict(identifier=name, **given)


SOME = [
    verdict("p", 0.02, properties={"band_gap": Estimate(value=1.2, unit="eV")}),
    verdict("q", -0.01, verdict=Word.STABLE, novel=False),
    verdict("r", None, geometry=Geometry.of(bulk("Pb"))),
    verdict(
        "s", 0.3, verdict=Word.UNSTABLE, label=Confirmation(oracle="emt", above_hull=0.2), left_basin=True
    ),
    verdict("t", None, geometry=None, valid=False, verdict=Word.INVALID, novel=None),
]
FIELDS = list({name: None for one in SOME for name in row_of(one)})


def kept(*said):
    wanted = Conditions(said, FIELDS)
    return "".join(
        one.identifier
        for one in SOME
        if wanted.hold(row_of(one), one.geometry.symbols if one.geometry else ())
    )


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("above_hull<0.05", "pq"),
        ("above_hull <= 0.02, novel", "p"),
        ("above_hull > 1e-2", "ps"),
        ("above_hull != 0.3", "pqrt"),
        ("verdict=stable", "q"),
        ("verdict != 'stable'", "prst"),
        ("not novel", "q"),
        ("novel = no", "q"),
        ("not left_basin, valid", "pqr"),
        ("no Pb", "pqs"),
        ("with Na, above_hull<1", "pqs"),
        ("at most 1 elements", "r"),
        ("elements = 2", "pqs"),
        ("band_gap > 1", "p"),
        ("label.above_hull < 0.25, labelled", "s"),
        ("", "pqrst"),
    ],
)
def test_what_holds_is_kept(said, names):
    assert kept(said) == names
    assert kept(*said.split(",")) == names


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        ("abov_hull<1", UnknownKeyError, "did you mean 'above_hull'"),
        ("not nowel", UnknownKeyError, "did you mean 'novel'"),
        ("verdict<3", InputError, "such as 'metastable'"),
        ("novel<1", InputError, "with = or !="),
        ("above_hull<low", InputError, "above_hull is such as 0.02"),
        ("above_hull<nan", InputError, "'nan' is no number"),
        ("no Xx", InputError, "'Xx' is no element"),
        ("no Na, with Na", InputError, "both required and forbidden"),
        ("__import__('os')", InputError, "cannot be read"),
        ("novel or valid", InputError, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused(said, error, match):
    with pytest.raises(error, match=match):
        kept(said)


def test_sorted_with_what_is_not_known_last():
    rows = [row_of(one) for one in SOME]
    assert [one["identifier"] for one in sorted_rows(rows, "above_hull", FIELDS)] == list("qpsrt")
    assert [one["identifier"] for one in sorted_rows(rows, "above_hull", FIELDS, reverse=True)] == list(
        "spqrt"
    )
    with pytest.raises(UnknownKeyError, match="did you mean 'formula'"):
        sorted_rows(rows, "formla", FIELDS)


def test_the_funnel_narrows():
    counts = counted(SOME)
    assert [counts[name] for name in ("generated", "valid", "wanted", "converged", "unique", "novel")] == [
        5, 4, 4, 4, 4, 3,
    ]  # fmt: skip
    assert (counts["stable"], counts["metastable"], counts["left_basin"]) == (0, 1, 1)
