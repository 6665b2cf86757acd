"""atomate2's flows run unchanged, in worker processes, and give the numbers that ``run_locally`` gives."""

from __future__ import annotations

from typing import Any

import pytest
from comparing_documents import compare
from pymatgen.core import Lattice, Structure

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore"
    ),  # atomate2, pymatgen, ASE and CHGNet warn of much; none of it is ours
    pytest.mark.timeout(300),
]


@pytest.fixture
def aluminium() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.05), ["Al"], [[0, 0, 0]])


def test_relaxation(workers, tmp_path, aluminium) -> None:
    from atomate2.ase.jobs import EmtRelaxMaker

    assert compare(lambda: EmtRelaxMaker().make(aluminium), workers, tmp_path) > 100


def test_elastic_constants(workers, tmp_path, aluminium) -> None:
    from atomate2.ase.jobs import EmtRelaxMaker
    from atomate2.forcefields.flows.elastic import ElasticMaker

    def make() -> Any:
        return ElasticMaker(
            bulk_relax_maker=EmtRelaxMaker(relax_cell=True),
            elastic_relax_maker=EmtRelaxMaker(relax_cell=False),
        ).make(aluminium)

    assert compare(make, workers, tmp_path) > 1000


def test_equation_of_state_with_chgnet(workers, tmp_path, aluminium) -> None:
    pytest.importorskip("chgnet")
    from atomate2.forcefields.flows.eos import ForceFieldEosMaker
    from atomate2.forcefields.jobs import ForceFieldRelaxMaker

    def relax(*, cell: bool) -> ForceFieldRelaxMaker:
        return ForceFieldRelaxMaker(force_field_name="CHGNet", relax_cell=cell, steps=3)

    def make() -> Any:
        maker = ForceFieldEosMaker(
            initial_relax_maker=relax(cell=True), eos_relax_maker=relax(cell=False), number_of_frames=3
        )
        return maker.make(aluminium.get_primitive_structure())

    assert compare(make, workers, tmp_path) > 500


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_elastic_constants_with_chgnet(workers, tmp_path, aluminium) -> None:
    pytest.importorskip("chgnet")
    from atomate2.forcefields.flows.elastic import ElasticMaker

    primitive = aluminium.get_primitive_structure()
    assert (
        compare(lambda: ElasticMaker.from_force_field_name("CHGNet").make(primitive), workers, tmp_path)
        > 1000
    )
