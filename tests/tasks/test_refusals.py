"""What parts of the science refuse, each in words that say what was wrong, where, and what to do."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from crystals_for_tests import named
from potentials_for_tests import Morse

from zonemelt.tasks.acquire.select import Pool, Selecting, select
from zonemelt.tasks.atomistic.neb import NebSettings
from zonemelt.tasks.atomistic.relax import RelaxSettings
from zonemelt.tasks.datasets.scan import expression, where_said
from zonemelt.tasks.errors import InputError, JobError, OracleAbsentError
from zonemelt.tasks.executables import Executable
from zonemelt.tasks.featurize.compositions import Compositions
from zonemelt.tasks.featurize.formulas import parse
from zonemelt.tasks.judge.verdict_jobs import judge_job, references_of
from zonemelt.tasks.label.protocol import protocol_from
from zonemelt.tasks.learn.nested import Protocol, inner_splits
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.studies import rows_of_csv
from zonemelt.tasks.metrics.evaluation import evaluate
from zonemelt.tasks.potentials.validation.errors import compare
from zonemelt.tasks.potentials.validation.labelled import Labelled
from zonemelt.tasks.potentials.weights import read_weights
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.shards.sampler import Plan
from zonemelt.tasks.stores import open_store
from zonemelt.tasks.structure_files import read_structures
from zonemelt.tasks.train import fold_result, transfer_jobs
from zonemelt.tasks.train.tally import Tally
from zonemelt.tasks.train.transfer import Transfer

TABLE = {
    "values": [[0.0], [1.0], [2.0]], "labels": ["a"], "target": [1.0, 2.0, 3.0], "folds": [0, 1, 0],
    "unit": "eV",
}  # fmt: skip
COPPER = named("Cu", bulk("Cu"))
NO_CRYSTAL = {"identifier": "x", "geometry": {"symbols": ["Cu"]}}
NOTHING = {"sieve": {"refused": [], "order": []}, "found": [], "references": {"competitors": [], "lost": {}}}


def table(**changes):
    return PropertyTable.of(TABLE | changes)


def aims(**more):
    pool = Pool(names=("a", "b"), scores={"x": np.zeros(2)})
    return select(pool, Selecting(strategy="pareto", **more), count=1, seed=0)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda: aims(aims={"x": 0.0}), "1 aims.*give two or more scores"),
        (lambda: NebSettings(interpolation="spline"), "'spline'.*linear or idpp"),
        (lambda: RelaxSettings(method="newton"), "'newton'.*one of fire, lbfgs"),
        (lambda: where_said(["elements"]), "a filter is COLUMN=VALUE"),
        (lambda: where_said(["natoms=many"]), "'natoms=many': no int"),
        (lambda: expression(3), "a filter is a mapping or an expression"),
        (lambda: Compositions.of([{200: 1.0}]), "atomic number that no element has"),
        (lambda: parse(["Fe(OH"]), r"'\(' is never closed"),
        (lambda: references_of({}), "give a dataset of known crystals, or crystals, and not both"),
        (lambda: references_of({"crystals": [COPPER], "slack": 0.1}), "crystals have no labels"),
        (lambda: judge_job.original(**NOTHING, judging={}, known=[NO_CRYSTAL]), "known, number 0: 'cell'"),
        (lambda: table(values=[[0.0], [np.inf], [2.0]]), "'a' is infinite"),
        (lambda: table(folds=[0, 0, 0]), "all rows are in one fold"),
        (
            lambda: inner_splits(table(), np.arange(3), protocol=Protocol(inner=9)),
            "9 inner folds of 3 training rows",
        ),
        (
            lambda: evaluate(
                np.array([0.0, np.nan]), np.zeros(2), names_N=["a", "b"], elements_N=[{"Al"}, {"Cu"}]
            ),
            "record b: the label is nan",
        ),
        (
            lambda: compare(Morse(), [Labelled(name="iron", atoms=bulk("Fe"))]),
            "refuses all structures; the first: .*Fe",
        ),
        (
            lambda: Plan(costs_G=np.ones(4), batch=2, ranks=1, seed=0).epoch(0).share(0, ranks=3),
            "3 ranks share 2 graphs",
        ),
        (lambda: fold_result.rows_tested([0, 1], 2), "fold 2 has no rows"),
        (lambda: fold_result.mean_of_seeds([{"model": "a"}]), "1 results"),
        (lambda: transfer_jobs.test_error({"mae x (eV)": 1.0}), "0 errors on a test part"),
        (
            lambda: read_settings(
                Transfer, {"model": "/m", "strategy": "frozen", "trunk_rate": 0.5}, where="transfer"
            ),
            "a frozen trunk has no learning rate",
        ),
        (lambda: open_store("mongodb://somebody:p@ss@host/db"), "the URI cannot be used"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(what, said):
    with pytest.raises(InputError, match=f"(?s){said}"):
        what()


def test_a_secret_is_not_in_what_is_said():
    with pytest.raises(InputError) as error:
        open_store("mongodb://somebody:p@ss@host/db")
    assert "p@ss" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": "gpaw", "dispersion": "D3"}, "takes neither dispersion nor density_cutoff"),
        ({"code": "abinit", "dispersion": "D3"}, "dispersion is passed on to Quantum ESPRESSO only"),
        ({"magmoms": {"Fe": 2.0}}, "magmoms are given, but spin is false"),
        ({"safer": [{"cutoff": 1.0}]}, r"safer\[0\] changes cutoff: a retry may change only the numerics"),
        ({"safer": [{"mixing": 2.0}]}, r"safer\[0\]\.mixing"),
    ],
)
def test_protocols_that_no_code_can_follow(changes, said):
    fields = {"name": "x", "code": "qe", "functional": "PBE", "cutoff": 500.0, "kpoint_density": 3.0}
    with pytest.raises(InputError, match=said):
        protocol_from(fields | changes, where="protocol")


def test_files_that_hold_something_else(tmp_path):
    import torch

    (tmp_path / "names.csv").write_text("a,b\n")
    (tmp_path / "some.abc").write_text("no format has this\n")
    torch.save([1, 2], tmp_path / "list.pt")
    for read, name, said in (
        (rows_of_csv, "names.csv", "it holds no rows"),
        (lambda path: list(read_structures(path)), "some.abc", "format 'abc' is not read"),
        (read_weights, "list.pt", "it holds no dictionary of weights"),
    ):
        with pytest.raises(InputError, match=said) as error:
            read(tmp_path / name)
        assert name in str(error.value)


def test_a_program_that_does_not_start_is_quoted(tmp_path):
    program = tmp_path / "code"
    program.write_text("#!/bin/sh\necho 'libfft.so: no such file' >&2\nexit 127\n")
    program.chmod(0o755)
    given = Executable(
        oracle="mine", program="code", variable="MY_CODE", version=r"version (\d+)", install="install it"
    )
    with pytest.raises(OracleAbsentError, match=r"(?s)does not start: libfft\.so.*install it"):
        given.ask([os.fspath(program)])


def test_checkpoints_that_were_removed_between_two_jobs():
    with pytest.raises(JobError, match="it stands at step 5; the job before had reached step 9"):
        Tally(steps=9).with_outcome(SimpleNamespace(position=5, finished=False), where="model")
