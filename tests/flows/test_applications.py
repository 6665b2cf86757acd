"""Ready campaigns with a potential, from written structures to judged ones; what is refused beforehand."""

from __future__ import annotations

import pytest
from inline_runs import output_of

from zonemelt.flows.applications import CathodesMaker, FerroelectricsMaker, PolymorphsMaker
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.workflows.campaigns.spec import build_flow, load_campaign

pytest.importorskip("chgnet")

SALT = {"space_group": "Fm-3m", "cell": {"a": 5.7}, "sites": {"Na": [[0, 0, 0]], "Cl": [[0.5, 0.5, 0.5]]}}
CESIUM = {"space_group": "Pm-3m", "cell": {"a": 3.5}, "sites": {"Na": [[0, 0, 0]], "Cl": [[0.5, 0.5, 0.5]]}}
LAYERED = {
    "space_group": "R-3m", "cell": {"a": 2.82, "c": 14.05},
    "sites": {"Li": [[0, 0, 0.5]], "Co": [[0, 0, 0]], "O": [[0, 0, 0.26]]},
}  # fmt: skip
TITANATE = {"a": "Ba", "b": "Ti", "x": "O", "length": 4.03, "valences": [2, 4, -2]}


def test_the_salt_is_more_stable_as_rocksalt(tmp_path):
    made = PolymorphsMaker(
        potential="chgnet-0.3.0", polymorphs={"rocksalt": SALT, "cesium": CESIUM}, reference="rocksalt",
        directory=str(tmp_path / "work"), relax={"force": 0.05, "method": "lbfgs"},
    )  # fmt: skip
    found = {one["name"]: one for one in output_of(made.make(), tmp_path / "campaign")}
    assert found["rocksalt"]["energy"] == 0
    assert found["cesium"]["energy"] > 1  # kJ/mol
    assert found["cesium"]["density"] > found["rocksalt"]["density"]


def test_a_cathode_with_the_barrier_of_a_hop(tmp_path):
    made = CathodesMaker(
        potential="chgnet-0.3.0", cathodes={"LiCoO2": LAYERED}, directory=str(tmp_path / "work"),
        relax={"force": 0.1, "steps": 30}, length=4.0, neb={"images": 1, "force": 1.0, "steps": 5},
    )  # fmt: skip
    (found,) = output_of(made.make(), tmp_path / "campaign")
    assert found["formula"] == "LiCoO2"
    assert found["capacity"] == pytest.approx(273.8, abs=0.2)
    assert found["reason"] == ""
    assert 3 < found["voltage"] < 5
    assert found["hop"] == pytest.approx(2.8, abs=0.1)
    assert found["barrier"] is None
    assert found["barrier_reason"] == "the band does not settle: out of steps"  # of five


def test_what_cannot_be_is_said_before_anything_runs(tmp_path):
    place = {"directory": str(tmp_path)}
    for made, error, match in (
        (PolymorphsMaker(**place), InputError, "no polymorphs"),
        (PolymorphsMaker(polymorphs={"a": SALT}, reference="b", **place), InputError, "there is no 'b'"),
        (PolymorphsMaker(polymorphs={"a": SALT}, reference="a"), InputError, "not absolute"),
        (CathodesMaker(cathodes={"x": SALT}, **place), InputError, "it has no Li"),
        (CathodesMaker(cathodes={"x": LAYERED}, ion="Xe", **place), InputError, "no metal is known"),
        (CathodesMaker(cathodes={"x": LAYERED}, neb={"image": 3}, **place), UnknownKeyError, "'images'"),
        (FerroelectricsMaker(compounds={"x": {"a": "Ba"}}, **place), InputError, "'b' is missing"),
        (
            FerroelectricsMaker(compounds={"x": {**TITANATE, "b": "Tl2"}}, **place),
            InputError,
            "compound x: b: 'Tl2' is no element",
        ),
        (
            FerroelectricsMaker(compounds={"x": {**TITANATE, "valences": [2, 4, -1]}}, **place),
            InputError,
            "not three that are neutral",
        ),
        (
            FerroelectricsMaker(compounds={"x": {**TITANATE, "valences": [2, -2]}}, **place),
            InputError,
            "not three that are neutral",
        ),
        (
            FerroelectricsMaker(compounds={"x": {**TITANATE, "born": {"a": 2.7}}}, **place),
            InputError,
            "compound x: born",
        ),
        (
            FerroelectricsMaker(compounds={"x": {**TITANATE, "lengths": 4.0}}, **place),
            UnknownKeyError,
            "did you mean 'length'",
        ),
    ):
        with pytest.raises(error, match=match):
            made.make()


@pytest.mark.parametrize(("name", "structures"), [("cathodes", 11), ("ferroelectrics", 8), ("zeolites", 7)])
def test_the_campaigns_of_the_catalog_are_whole(name, structures, tmp_path):
    flow = build_flow(load_campaign(name, {"directory": str(tmp_path), "structures": 100}))
    first, _ = next(iter(flow.iterflow()))
    assert len(first.function_kwargs["inputs"]) == structures


def test_a_word_that_no_campaign_knows():
    with pytest.raises(UnknownKeyError, match="did you mean 'space_group'"):
        load_campaign("zeolites", {"polymorphs.quartz.spacegroup": "P1"})
    with pytest.raises(InputError, match=r"compounds\.BaTiO3\.b: 'Tl2' cannot be used"):
        load_campaign("ferroelectrics", {"compounds.BaTiO3.b": "Tl2"})
