"""A judgement from candidates to verdicts, with a pair potential on paper; what is refused, and how."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from crystals_for_tests import named
from inline_runs import output_of
from potentials_for_tests import Morse, judge_by
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

from zonemelt.flows.judge import JudgeMaker
from zonemelt.tasks.convert.checked import new_record
from zonemelt.tasks.datasets.parts import write_part
from zonemelt.tasks.datasets.versions import commit
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.judge import verdict_jobs
from zonemelt.tasks.judge.verdict import Verdict
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.records import Convergence, Correction, Geometry, Ingested
from zonemelt.tasks.theory import Theory

PURE = {"Cu": bulk("Cu", a=3.8), "Al": bulk("Al", a=3.9)}
ORDERED = bulk("CuAl", "cesiumchloride", a=3.0)
SALT = bulk("CuAl", "rocksalt", a=5.0)


def references(place, atoms, *, functional="PBE", correction=None, energy=-1.0, **theory):
    records = [
        new_record(
            where=name,
            identifier=name,
            geometry=Geometry.of(one),
            energy_sigma0=energy * len(one),
            correction=None if correction is None else Correction(scheme="a", energy=correction),
            theory=Theory(code="vasp", functional=functional, **theory),
            convergence=Convergence(electronic=True, complete=True),
            provenance=Ingested(source=name, calculation=name, parser="a 1"),
        )
        for name, one in atoms.items()
    ]
    commit(place, [write_part(place, records)], message="known")
    return place


@pytest.fixture
def morse(monkeypatch):
    """What is loaded, whatever the name."""

    def use(potential):
        judge_by(monkeypatch, potential)

    use(Morse())
    return use


@pytest.fixture
def known(tmp_path):
    return references(tmp_path / "known", PURE)


def maker(tmp_path, known, **more):
    return JudgeMaker(
        potential="morse", references={"dataset": str(known), **more.pop("references", {})},
        directory=str(tmp_path / "work"), relax={"force": 0.01, "method": "lbfgs"}, **more,
    )  # fmt: skip


def judged(made, candidates, place, **more):
    output = output_of(made.make(candidates, **more), place)
    return {one["identifier"]: Verdict.model_validate(one) for one in output["verdicts"]}, output


def test_verdicts_are_those_of_the_hull_of_pymatgen(tmp_path, known, morse):
    twin = ORDERED.repeat((2, 1, 1))
    twin.rotate(30, "z", rotate_cell=True)
    given = [
        named("B2", ORDERED), named("B2 again", twin), named("B1", SALT),
        named("copper", bulk("Cu", a=3.75)), named("salt", bulk("NaCl", "rocksalt", a=5.6)),
    ]  # fmt: skip
    found, output = judged(maker(tmp_path, known), given, tmp_path / "c")
    assert list(found) == [one["identifier"] for one in given]

    def entry(one):
        symbols = one.geometry.symbols
        return PDEntry({s: symbols.count(s) for s in set(symbols)}, one.energy_per_atom * len(symbols))

    pure = judged(maker(tmp_path, known), [named(*one) for one in PURE.items()], tmp_path / "p")[0]
    diagram = PhaseDiagram([entry(one) for one in pure.values()])
    for name in ("B2", "B2 again", "B1", "copper"):
        one = found[name]
        assert one.converged
        expected = diagram.get_e_above_hull(entry(one), allow_negative=True)
        assert one.above_hull == pytest.approx(expected, abs=1e-7)
        assert one.deviation is None
        assert one.probability is None
    assert found["B2"].above_hull == pytest.approx(found["B2 again"].above_hull, abs=1e-4)
    assert len({found["B2"].group, found["B2 again"].group}) == 1
    assert found["copper"].novel is False
    assert found["copper"].same_as == "Cu"
    assert found["copper"].verdict == "stable"
    assert found["B2"].novel
    assert found["salt"].above_hull is None
    assert found["salt"].verdict == "undefined"
    assert found["salt"].undefined == "there is no reference for Cl, Na"
    counts = output["counts"]
    assert (counts["generated"], counts["valid"], counts["converged"], counts["unique"]) == (5, 5, 5, 4)
    assert counts["novel"] == 3


def test_what_is_no_structure_is_said_and_holds_nothing_up(tmp_path, known, morse):
    close = bulk("CuAl", "cesiumchloride", a=1.35)
    flat = {**named("x", ORDERED)["geometry"], "cell": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}
    slab = ORDERED.copy()
    slab.pbc = (True, True, False)
    given = [
        named("close", close), {"identifier": "flat", "geometry": flat}, named("slab", slab),
        named("gold", bulk("Au")), {"identifier": "nothing"}, named("fine", ORDERED),
    ]  # fmt: skip
    found, output = judged(maker(tmp_path, known), given, tmp_path / "c")
    reasons = {name: "; ".join(one.reasons) for name, one in found.items()}
    assert [str(one.verdict) for one in found.values()][:5] == ["invalid"] * 5
    assert reasons["close"] == "atoms 0 (Cu) and 1 (Al) are 1.17 Å apart"
    assert "the cell has no volume" in reasons["flat"]
    assert reasons["slab"] == "it does not repeat in all directions"
    assert reasons["gold"] == "morse does not know Au"
    assert "no structure" in reasons["nothing"]
    assert found["fine"].converged
    assert output["counts"]["valid"] == 1
    nothing, output = judged(maker(tmp_path, known), [], tmp_path / "none")
    assert nothing == {}
    assert output["counts"]["generated"] == 0


def test_relaxations_that_go_wrong_are_told_from_those_that_arrive(tmp_path, known, morse):
    swollen = named("swollen", bulk("CuAl", "cesiumchloride", a=3.6))
    found, output = judged(maker(tmp_path, known), [swollen], tmp_path / "c")
    assert found["swollen"].left_basin
    assert found["swollen"].volume_change < -0.3
    assert "its volume changed by" in found["swollen"].reasons[0]
    assert output["counts"]["left_basin"] == 1
    hasty = maker(tmp_path, known)
    hasty.relax = {"force": 1e-5, "steps": 1}
    found, _ = judged(hasty, [swollen], tmp_path / "d")
    assert found["swollen"].verdict == "unconverged"
    assert "not that of a minimum" in found["swollen"].reasons[0]
    assert found["swollen"].above_hull is not None  # of what there is


def test_a_potential_that_falls_into_a_hole_collapses_a_crystal(tmp_path, known, morse):
    class Hole(Morse):
        """Atoms attract one another without end once they are told to."""

        def energies(self, edges):
            r = edges.vectors_E3.norm(dim=1)
            of_atoms = edges.structure_A[edges.centre_E]
            return r.new_zeros(edges.structures).index_add(0, of_atoms, -3.0 / r)

    morse(Hole())
    found, output = judged(maker(tmp_path, known), [named("B2", ORDERED)], tmp_path / "c")
    assert found["B2"].verdict == "collapsed"
    assert found["B2"].above_hull is None
    assert "exploded" in found["B2"].reasons[0] or "apart" in found["B2"].reasons[0]
    assert output["references"]["lost"]


def test_a_committee_says_how_sure_each_verdict_is(tmp_path, known, morse):
    members = [Morse(depth=depth) for depth in (0.28, 0.30, 0.32)]
    morse(Committee("three", members))
    given = [named("B2", ORDERED), named("copper", bulk("Cu", a=3.75))]
    found, _ = judged(maker(tmp_path, known), given, tmp_path / "c")
    one = found["B2"]
    from zonemelt.tasks.crystals import Crystals

    relaxed = Crystals.of([one.geometry])
    pure = judged(maker(tmp_path, known), [named(*p) for p in PURE.items()], tmp_path / "p")[0]
    above = [
        member.evaluate(relaxed).energies_G[0] / 2
        - np.mean([member.evaluate(Crystals.of([p.geometry])).energies_G[0] for p in pure.values()])
        for member in members
    ]
    assert one.deviation == pytest.approx(np.std(above, ddof=1), rel=1e-3)
    assert found["copper"].deviation < 1e-4  # the errors of a crystal and of the same as a reference cancel
    wide = maker(tmp_path, known, judging={"error": 0.05, "factor": 2.0})
    sure = judged(wide, given, tmp_path / "w")[0]["B2"]
    assert sure.deviation == pytest.approx(np.hypot(2 * one.deviation, 0.05), rel=1e-3)
    assert 0 < sure.probability < 1
    assert sure.above_hull == pytest.approx(one.above_hull, abs=1e-6)


def test_crystals_of_earlier_rounds_are_not_novel(tmp_path, known, morse):
    first, output = judged(maker(tmp_path, known), [named("first", ORDERED)], tmp_path / "c")
    assert first["first"].novel
    second, _ = judged(
        maker(tmp_path, known), [named("second", ORDERED.repeat((1, 2, 1)))], tmp_path / "d",
        known=output["verdicts"],
    )  # fmt: skip
    assert second["second"].novel is False
    assert second["second"].same_as == "first"
    assert second["second"].reasons == ("it is known: first",)


def test_candidates_off_the_target_cost_nothing(tmp_path, known, morse):
    made = maker(tmp_path, known, target="no Al, above_hull < 0.05")
    found, output = judged(made, [named("B2", ORDERED), named("Cu2", PURE["Cu"])], tmp_path / "c")
    assert found["B2"].verdict == "off target"
    assert found["B2"].reasons == ("with Al",)
    assert found["B2"].energy_per_atom is None
    assert found["Cu2"].on_target
    assert output["counts"]["wanted"] == 1


def test_phonons_for_the_best(tmp_path, known, morse):
    pytest.importorskip("phonopy")
    made = maker(
        tmp_path, known, judging={"phonons": 1, "metastable": 5.0},
        phonons={"length": 5, "mesh": 10, "points": 3, "force": 0.005},
    )  # fmt: skip
    found, _ = judged(made, [named("B2", ORDERED), named("B1", SALT)], tmp_path / "c")
    best = min(found.values(), key=lambda one: one.above_hull)
    assert [name for name, one in found.items() if one.lowest_frequency is not None] == [best.identifier]
    assert best.dynamically_stable is (best.lowest_frequency > -0.1)
    assert ("imaginary modes" in best.reasons) is not best.dynamically_stable


def test_labels_of_another_kind_are_refused(tmp_path, morse):
    class Learnt(Morse):
        theory = Theory(code="vasp", functional="PBE", version="as of the project, corrected by MP2020")

    morse(Learnt())
    labels = {"energies": "labels"}
    plain = references(tmp_path / "plain", PURE)
    maker(tmp_path, plain, references=labels).check()
    found, _ = judged(maker(tmp_path, plain, references=labels), [named("B2", ORDERED)], tmp_path / "c")
    assert found["B2"].above_hull == pytest.approx(found["B2"].energy_per_atom + 1.0)
    mixed = references(tmp_path / "mixed", {"Cu": PURE["Cu"]})
    references(mixed, {"Al": PURE["Al"]}, functional="r2SCAN")
    corrected = references(tmp_path / "corrected", PURE, correction=-0.1)
    for place, more, said in (
        (references(tmp_path / "other", PURE, functional="r2SCAN"), {}, "their functional is r2SCAN"),
        (references(tmp_path / "silent", PURE, functional=None), {}, "nothing says the functional"),
        (references(tmp_path / "d3", PURE, dispersion="D3(BJ)"), {}, r"dispersion is D3\(BJ\)"),
        (mixed, {}, "levels of theory are mixed"),
        (corrected, {}, "(?s)nothing says whether.*here: false"),
        (corrected, {"correct": True}, "(?s)learnt corrected energies.*say false"),
    ):
        with pytest.raises(InputError, match=said):
            maker(tmp_path, place, references={**labels, **more}).check()
    maker(tmp_path, mixed).check()  # relaxed by the potential, they are of one kind
    morse(Morse())
    with pytest.raises(InputError, match="their code is vasp, and morse learnt"):
        maker(tmp_path, plain, references=labels).check()


def test_what_cannot_be_is_said_before_anything_runs(tmp_path, known, morse):
    for more, error, said in (
        ({"judging": {"stabl": 0.1}}, UnknownKeyError, "did you mean 'stable'"),
        ({"judging": {"stable": 0.2, "metastable": 0.1}}, InputError, "is below stable"),
        ({"references": {"energy": "labels"}}, UnknownKeyError, "'energies'"),
        ({"target": "no Cu, with Cu"}, InputError, "both required and forbidden"),
        ({"structures": 0}, InputError, "0 structures in a job"),
    ):
        with pytest.raises(error, match=said):
            maker(tmp_path, known, **more).make([])
    for more, error, said in (
        ({"target": "with Au"}, InputError, "the potential morse knows nothing of Au"),
        (
            {"target": "with Cs, above_hull < 0.1"},
            InputError,
            "hull of the references .* knows nothing of Cs",
        ),
        ({"target": "band_gap 1 to 2 eV"}, UnknownKeyError, "band_gap"),
        ({"references": {"dataset": str(tmp_path / "no")}}, InputError, "no such directory"),
        ({"models": [str(tmp_path)]}, InputError, "model"),
    ):
        with pytest.raises(error, match=said):
            maker(tmp_path, known, **more).check()
    twice = [named("a", ORDERED)] * 2
    with pytest.raises(InputError, match="'a' is there twice"):
        verdict_jobs.sift_job.original(candidates=twice, potential="", judging={})
