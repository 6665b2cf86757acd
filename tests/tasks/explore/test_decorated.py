"""Elements swapped and sites shared out: what comes in, at which size, and how often by symmetry."""

from __future__ import annotations

import pytest
from ase.build import bulk
from ase.spacegroup import crystal

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import Candidate
from zonemelt.tasks.explore.explorers import explore, explorer_of
from zonemelt.tasks.explore.substitutions import with_charges
from zonemelt.tasks.records import Geometry

TITANATE = crystal(
    ["Sr", "Ti", "O"],
    [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)],
    spacegroup=221,
    cellpar=[3.905] * 3 + [90] * 3,
)


def proposed(settings, *parents):
    documents = [
        {"identifier": name, "geometry": Geometry.of(atoms).model_dump(mode="json")}
        for name, atoms in parents
    ]
    found = explore(explorer_of(settings), documents, seed=0)
    return [Candidate.model_validate(one) for one in found["candidates"]], found["counts"]


def test_elements_are_swapped_in_cells_of_the_right_size():
    settings = {"explorer": "substitutions", "swaps": [{"Sr": "Ba"}, {"Sr": "Ca", "Ti": "Zr"}]}
    found, counts = proposed(settings, ("STO", TITANATE), ("copper", bulk("Cu")))
    assert [sorted(set(one.geometry.symbols)) for one in found] == [["Ba", "O", "Ti"], ["Ca", "O", "Zr"]]
    assert [one.origin.settings["swap"] for one in found] == ["Sr → Ba", "Sr → Ca, Ti → Zr"]
    assert found[0].geometry.cell[0][0] == pytest.approx(4.00, abs=0.1)  # of BaTiO3
    assert counts["refused: no Sr in it"] == 1
    plain, _ = proposed({**settings, "scale": False}, ("STO", TITANATE))
    assert plain[0].geometry.cell[0][0] == pytest.approx(3.905)


@pytest.mark.slow
def test_likely_substitutions_keep_the_charges():
    settings = {"explorer": "substitutions", "likely": 0.015, "elements": ["Ca", "Sn", "Mn", "Eu"], "most": 2}
    found, counts = proposed(settings, ("STO", TITANATE), ("copper", bulk("Cu")))
    assert [one.origin.settings["probability"] for one in found] == sorted(
        (one.origin.settings["probability"] for one in found), reverse=True
    )
    assert len(found) == 2
    for one in found:
        assert one.origin.settings["probability"] >= 0.015
        new = set(one.geometry.symbols) - set(TITANATE.symbols)
        assert new
        assert new <= set(settings["elements"])
        assert with_charges(one.geometry.structure()) is not None
    assert counts["refused: its charges cannot be guessed"] == 1


@pytest.mark.parametrize(
    ("sites", "repeat", "number"),
    [
        ({"Sr": {"Sr": 0.5, "Ba": 0.5}}, (2, 2, 1), 2),  # stripes and a chessboard
        ({"Sr": {"Sr": 0.5}}, (2, 1, 1), 1),
    ],
)
def test_orders_come_once_each_by_symmetry(sites, repeat, number):
    found, _ = proposed({"explorer": "decorations", "sites": sites, "repeat": repeat}, ("STO", TITANATE))
    assert len(found) == number
    cells = repeat[0] * repeat[1] * repeat[2]
    for one in found:
        counts = {el: one.geometry.symbols.count(el) for el in ("Sr", "Ba", "O")}
        expected = {el: round(cells * sites["Sr"].get(el, 0)) for el in ("Sr", "Ba")}
        assert counts == {**expected, "O": 3 * cells}


def test_orders_that_cannot_be_are_told():
    settings = {"explorer": "decorations", "sites": {"Sr": {"Ba": 0.3}}}
    assert proposed(settings, ("STO", TITANATE))[1]["refused: 0.3 of its 1 Sr are no whole Ba"] == 1
    for bad, said in (
        ({"Sr": {"Sr": 0.7, "Ba": 0.7}}, "sum up to 1"),
        ({"Sr": {"Xy": 0.5}}, "'Xy' is no element"),
    ):
        with pytest.raises(InputError, match=said):
            explorer_of({**settings, "sites": bad})
    with pytest.raises(InputError, match="neither swaps nor likely"):
        explorer_of({"explorer": "substitutions"})
