"""Records: absent is null, levels of theory do not mix, nothing is lost on the way to JSON."""

from pathlib import Path

import pytest
from ase.build import bulk
from pydantic import ValidationError

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.label.by_ase import emt as label
from zonemelt.tasks.label.settings import EmtSettings
from zonemelt.tasks.records import Correction, Geometry, Record, one_theory
from zonemelt.tasks.theory import Theory


@pytest.fixture(scope="module")
def record() -> Record:
    atoms = bulk("Al", a=4.0).repeat((2, 1, 1))
    atoms.rattle(0.05, seed=1)
    return label(Geometry.of(atoms), EmtSettings(), identifier="al2", workdir=Path())


def test_json_round_trip_keeps_everything(record: Record) -> None:
    assert Record.model_validate_json(record.model_dump_json()) == record


def test_absent_stress_is_null_not_zero(record: Record) -> None:
    bare = record.model_copy(update={"stress": None})
    assert Record.model_validate_json(bare.model_dump_json()).stress is None


def test_geometry_agrees_with_ase_and_pymatgen(record: Record) -> None:
    structure, atoms = record.geometry.structure(), record.geometry.atoms()
    assert structure.volume == pytest.approx(atoms.get_volume())
    assert [site.specie.symbol for site in structure] == atoms.get_chemical_symbols()
    assert structure.cart_coords == pytest.approx(atoms.positions)


def test_geometry_refuses_unequal_lengths() -> None:
    with pytest.raises(ValidationError, match="2 symbols but 1 positions"):
        Geometry(cell=((3, 0, 0), (0, 3, 0), (0, 0, 3)), symbols=("Al", "Au"), positions=((0, 0, 0),))


@pytest.mark.parametrize("length", [0.0, 1e-200, 1e300])
def test_a_cell_without_a_sensible_volume_is_refused(length: float) -> None:
    with pytest.raises(ValidationError, match="no volume"):
        Geometry(cell=((length, 0, 0), (0, 3, 0), (0, 0, length)), symbols=("Al",), positions=((0, 0, 0),))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"forces": ((0.0, 0.0, 0.0),)}, "1 forces for 2 atoms"),
        ({"magmoms": (1.0, 1.0, 1.0)}, "3 magmoms for 2 atoms"),
    ],
)
def test_each_atom_has_its_row(record: Record, changes: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Record.model_validate(record.model_dump() | changes)


@pytest.mark.parametrize("symbol", ["X", "Qq"])
def test_what_is_no_element_is_refused(symbol: str) -> None:
    with pytest.raises(ValidationError, match=f"{symbol}: no such element"):
        Geometry(cell=((3, 0, 0), (0, 3, 0), (0, 0, 3)), symbols=(symbol,), positions=((0, 0, 0),))


def test_energies_are_of_the_cell_with_and_without_correction(record: Record) -> None:
    known = record.model_copy(
        update={"energy_sigma0": -7.0, "correction": Correction(scheme="some", energy=-0.5)}
    )
    assert (known.energy, known.energy_per_atom, known.energy_corrected) == (-7.0, -3.5, -7.5)
    bare = known.model_copy(update={"energy_sigma0": None})
    for name in ("energy", "energy_per_atom", "energy_corrected"):
        with pytest.raises(InputError, match="record al2: it has no energy extrapolated"):
            getattr(bare, name)


def test_nan_energy_is_refused(record: Record) -> None:
    with pytest.raises(ValidationError, match="energy_free"):
        Record.model_validate(record.model_dump() | {"energy_free": float("nan")})


OTHER = {
    "code": "x", "version": "x", "functional": "x", "dispersion": "x", "cutoff": 1.5, "kpoint_density": 1.5,
    "kpoint_mesh": "x", "smearing": "x", "smearing_width": 1.5, "spin": False, "protocol": "x",
    "is_dft": False,
}  # fmt: skip


@pytest.mark.parametrize(
    "field", [name for name in Theory.model_fields if name not in {"setups", "hubbard_u"}]
)
def test_theory_key_depends_on_each_field(field: str) -> None:
    theory = Theory(code="a", version="b", functional="c")
    assert Theory.model_validate(theory.model_dump() | {field: OTHER[field]}).key != theory.key


def test_theory_key_does_not_depend_on_what_differs_with_the_elements() -> None:
    theory = Theory(code="a")
    assert Theory(code="a", setups={"Al": "x"}, hubbard_u={"Fe": 4.0}).key == theory.key


def test_mixed_levels_are_refused_by_name(record: Record) -> None:
    other = record.theory.model_copy(update={"functional": "PBE"})
    mixed = [record, record.model_copy(update={"theory": other, "identifier": "odd"})]
    with pytest.raises(InputError, match="odd"):
        one_theory(mixed)


def test_two_setups_of_one_element_are_refused(record: Record) -> None:
    one = record.theory.model_copy(update={"setups": {"Al": "x"}})
    two = record.theory.model_copy(update={"setups": {"Al": "y"}})
    with pytest.raises(InputError, match="two setups for Al"):
        one_theory([record.model_copy(update={"theory": theory}) for theory in (one, two)])
