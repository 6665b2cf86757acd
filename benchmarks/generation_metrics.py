"""Metrics of generated crystals: the known values of published samples, speed beside plain loops.

3,785 crystals that CDVAE predicted for the test set of Perov-5 (JARVIS leaderboard, contribution
cdvae_model), with the rms distances that pymatgen gives. All on one core, processor time.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent, atoms_of, data, lines
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zonemelt.tasks.crystals import Crystals

FOLDER: Final = "03_generative"
KNOWN_RATE: Final = 0.0787
GROWTH: Final = (10_000, 100_000)
KINDS: Final = 50  # different crystals, of which the candidates are copies that were shaken


def read(name: str) -> list[dict[str, Any]]:
    """The lines of a file."""
    place = data(FOLDER, name)
    assert place is not None
    return lines(place)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and its processor time in s."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def structures(crystals: Crystals, rows: range) -> list[Any]:
    """As pymatgen's."""
    from pymatgen.io.ase import AseAtomsAdaptor

    return [AseAtomsAdaptor.get_structure(crystals.atoms(row)) for row in rows]


def rows(*, quick: bool) -> Iterator[Row]:
    """All measurements."""
    if data(FOLDER, "cdvae_perov5_test_predictions.jsonl.gz") is None:
        yield absent("metrics", "", quick=quick)
        return
    from zonemelt.tasks.crystals import Crystals

    warnings.simplefilter("ignore")
    known = {one["id"]: one for one in read("perov_5.jsonl.gz")}
    predictions = read("cdvae_perov5_test_predictions.jsonl.gz")[: 200 if quick else None]
    predicted = Crystals.of_atoms(atoms_of(one["pred"]) for one in predictions)
    true = Crystals.of_atoms(atoms_of(known[one["id"]]) for one in predictions)
    rest = Crystals.of_atoms(atoms_of(one) for one in known.values() if one["split"] != "test")
    given = np.array([np.nan if one["rms"] is None else one["rms"] for one in predictions])
    for part in (
        lambda: matching(predicted, true, given, quick=quick),
        lambda: validity(predicted, quick=quick),
        lambda: fingerprints(predicted, true, quick=quick),
        lambda: distances(quick=quick),
        lambda: novelty(predicted, rest, quick=quick),
        lambda: growth(true, quick=quick),
    ):
        for row in part():
            say(f"{row.name}: {row.ours}")
            yield row


def matching(predicted: Crystals, true: Crystals, given: Any, *, quick: bool) -> Iterator[Row]:
    """Match rate and rms; beside pymatgen's matcher asked for every pair."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    from zonemelt.tasks.judge.matching import match

    count = len(predicted)
    found, _ = timed(lambda: match(predicted, true, first="true"))
    off = int((np.isfinite(found.rms_T) != np.isfinite(given)).sum()) + int(
        (np.abs(found.rms_T - given)[np.isfinite(found.rms_T) & np.isfinite(given)] > 1e-6).sum()
    )
    yield Row(
        name="match rate of CDVAE's predictions for Perov-5, true crystal first", unit="share",
        ours=found.rate, peer=KNOWN_RATE, peer_name="known of these predictions", quick=quick,
        target="" if quick else "ours >= 0.07865", note=f"of {count}; mean rms {found.rms:.4f}, known 0.368",
    )  # fmt: skip
    yield Row(
        name="rms values that differ from the known ones", unit="crystals", ours=float(off),
        target="ours <= 0", note=f"of {count}, by more than 1e-6, or matched on one side only", quick=quick,
    )  # fmt: skip
    usual, ours = timed(lambda: match(predicted, true))
    yield Row(
        name="match rate of the same, prediction first", unit="share", ours=usual.rate, peer=KNOWN_RATE,
        peer_name="true crystal first", quick=quick,
        note=f"mean rms {usual.rms:.4f}; the order of CDVAE's, DiffCSP's and FlowMM's evaluation",
    )  # fmt: skip
    some = range(min(200, count))
    pairs = list(zip(structures(predicted, some), structures(true, some), strict=True))
    matcher = StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10)
    _, peer = timed(lambda: [matcher.get_rms_dist(*pair) for pair in pairs])
    yield Row(
        name="matching 1,000 predictions", unit="s of processor time", ours=1000 * ours / count,
        peer=1000 * peer / len(some), peer_name="pymatgen, every pair", quick=quick,
        note="pairs of different formulas are not asked about",
    )  # fmt: skip


def validity(predicted: Crystals, *, quick: bool) -> Iterator[Row]:
    """Validity; beside the distances and SMACT asked for every crystal."""
    from smact.screening import smact_validity

    from zonemelt.tasks.judge.validity import valid

    found, ours = timed(lambda: valid(predicted))
    some = range(min(200, len(predicted)))
    every = structures(predicted, some)

    def plain() -> list[bool]:
        said = []
        for one in every:
            far = one.distance_matrix + 10 * np.eye(len(one))
            sound = bool(far.min() >= 0.5 and one.volume >= 0.1)
            reduced = one.composition.get_integer_formula_and_factor()[0]
            said.append(sound and smact_validity(reduced, oxidation_states_set="smact14"))
        return said

    verdicts, peer = timed(plain)
    yield Row(
        name="validity of 1,000 crystals", unit="s of processor time", ours=1000 * ours / len(predicted),
        peer=1000 * peer / len(some), peer_name="pymatgen and SMACT, one by one", quick=quick,
        note=f"structures {found.structure_G.mean():.2%}, compositions {found.composition_G.mean():.2%}; "
        f"{int((found.both_G[: len(some)] != np.array(verdicts)).sum())} of {len(some)} verdicts differ",
    )  # fmt: skip


def fingerprints(predicted: Crystals, true: Crystals, *, quick: bool) -> Iterator[Row]:
    """CrystalNN fingerprints, computed and kept; beside matminer for every atom."""
    from tempfile import TemporaryDirectory

    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    from zonemelt.tasks.judge.coverage import coverage, prints

    count = 10 if quick else 40
    plain = CrystalNNFingerprint.from_preset("ops")
    first = slice(0, count)
    prints(true.take(slice(0, 1)))  # what is imported and made once
    for said, crystals in (("generated", predicted.take(first)), ("of the test set", true.take(first))):
        every = structures(crystals, range(count))
        theirs, peer = timed(
            lambda every=every: [
                np.mean([plain.featurize(one, site) for site in range(len(one))], axis=0) for one in every
            ]
        )
        with TemporaryDirectory() as folder:
            kept = Path(folder) / "prints.sqlite"
            found, ours = timed(lambda kept=kept, crystals=crystals: prints(crystals, kept=kept))
            _, again = timed(lambda kept=kept, crystals=crystals: prints(crystals, kept=kept))
        yield Row(
            name=f"fingerprints of 1,000 crystals, {said}",
            unit="s of processor time", ours=1000 * ours / count,
            peer=1000 * peer / count, peer_name="matminer, atom by atom", quick=quick,
            note=f"of {count}; largest difference {np.abs(found.sites_GS - theirs).max():.0e}; "
            f"kept, {1000 * again / count:.2g} s; itself covers itself "
            f"{coverage(found, found, cutoffs=(0.0, 0.0)).recall:.0%}",
        )  # fmt: skip


def distances(*, quick: bool) -> Iterator[Row]:
    """Coverage of many crystals from fingerprints; beside all distances at once."""
    from scipy.spatial.distance import cdist

    from zonemelt.tasks.judge.coverage import Prints, coverage

    rng = np.random.default_rng(0)
    count, test = (1000, 400) if quick else (10_000, 3785)
    kinds = rng.normal(size=(count // 4, 132))  # compositions come more than once

    def made(number: int) -> Prints:
        return Prints(
            sites_GS=rng.random((number, 61)), composition_GM=kinds[rng.integers(len(kinds), size=number)],
            reasons={},
        )  # fmt: skip

    generated, true = made(count), made(test)
    found, ours = timed(lambda: coverage(generated, true, cutoffs=(2.7, 13.0)))

    def plain() -> float:
        sites = cdist(generated.sites_GS, true.sites_GS)
        compositions = cdist(generated.composition_GM, true.composition_GM)
        return float(((sites.min(axis=0) <= 2.7) & (compositions.min(axis=0) <= 13.0)).mean())

    theirs, peer = timed(plain)
    yield Row(
        name=f"coverage of {count} crystals beside {test}, from fingerprints", unit="s of processor time",
        ours=ours, peer=peer, peer_name="scipy, all distances", quick=quick,
        note=f"random numbers; recall {found.recall:.4f} and {theirs:.4f}",
    )  # fmt: skip


def novelty(predicted: Crystals, rest: Crystals, *, quick: bool) -> Iterator[Row]:
    """Novelty against 15,143 known crystals; beside the matcher asked for every pair of one formula."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    from zonemelt.tasks.judge.novelty import by_formula, novel

    found, ours = timed(lambda: novel(predicted, rest))
    some = range(min(200, len(predicted)))
    there = by_formula(rest)
    formula_of = {row: formula for formula, rows in by_formula(predicted).items() for row in rows}
    same = {row: there.get(formula_of[row], []) for row in some}
    known = {row: structures(rest, range(row, row + 1))[0] for rows in same.values() for row in rows}
    made = structures(predicted, some)
    matcher = StructureMatcher()
    plain, peer = timed(
        lambda: [not any(matcher.fit(made[row], known[other]) for other in same[row]) for row in some]
    )
    yield Row(
        name="novelty of 1,000 crystals", unit="s of processor time", ours=1000 * ours / len(predicted),
        peer=1000 * peer / len(some), peer_name="pymatgen, every pair of one formula, formulas given",
        quick=quick,
        note=f"{found.new_G.mean():.2%} new beside {len(rest)}; {found.comparisons} comparisons; "
        f"{int((found.new_G[: len(some)] != np.array(plain)).sum())} of {len(some)} verdicts differ; "
        "sorting the known by formula is in ours only",
    )  # fmt: skip


def shaken(kinds: Crystals, count: int) -> Crystals:
    """Copies of a few crystals, each shaken a little."""
    rng = np.random.default_rng(count)
    which = rng.integers(len(kinds), size=count)
    crystals = kinds.take(which)
    crystals.positions_A3[:] += rng.normal(0, 0.02, crystals.positions_A3.shape)
    return crystals


def growth(true: Crystals, *, quick: bool) -> Iterator[Row]:
    """Ten times as many candidates of the same crystals; beside loops over pairs."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    from zonemelt.tasks.judge.novelty import unique

    kinds = true.take(np.arange(KINDS))
    few, many = (100, 1000) if quick else GROWTH
    small, once = timed(lambda: unique(shaken(kinds, few)))
    large, then = timed(lambda: unique(shaken(kinds, many)))
    yield Row(
        name=f"unique among {many} candidates over {few}", unit="times the processor time", ours=then / once,
        target="ours <= 12", quick=quick,
        note=f"copies of {KINDS} perovskites, shaken by 0.02 Å: {once:.1f} and {then:.1f} s; "
        f"{small.comparisons} and {large.comparisons} comparisons, {int(large.first_G.sum())} groups",
    )  # fmt: skip
    tried = shaken(kinds, 100 if quick else 500)
    every = structures(tried, range(len(tried)))
    found, ours = timed(lambda: unique(tried))
    groups, peer = timed(lambda: StructureMatcher().group_structures(every))
    yield Row(
        name=f"unique among {len(tried)}", unit="s of processor time", ours=ours, peer=peer,
        peer_name="pymatgen's group_structures", quick=quick,
        note=f"{int(found.first_G.sum())} and {len(groups)} groups",
    )  # fmt: skip
    matcher = StructureMatcher()
    few_of = every[:60]
    _, peer = timed(lambda: [[matcher.fit(one, other) for other in few_of] for one in few_of])
    yield Row(
        name="the same, all pairs", unit="s of processor time",
        ours=ours, peer=peer * (len(tried) / 60) ** 2, quick=quick,
        peer_name="pymatgen, every pair, from 60 candidates", note="the peer's time is extrapolated",
    )  # fmt: skip
