"""Protocols: ready ones are whole, changes change the level of theory, retries do not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError, OracleAbsentError, UnfitStructureError, UnknownKeyError
from zonemelt.tasks.label.kpoints import kpoints_of
from zonemelt.tasks.label.protocol import CODES, Protocol
from zonemelt.tasks.label.protocols import find_protocol, protocol_names
from zonemelt.tasks.label.pseudopotentials import checked_files, facts, setups_of
from zonemelt.tasks.label.sanity import check_structure
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Theory

READY = [(code, name) for code in CODES for name in protocol_names(code)]
FOLDERS = {"qe": Path("/usr/share/espresso/pseudo"), "abinit": Path("/usr/share/abinit/psp")}


@pytest.mark.parametrize(("code", "name"), READY)
def test_ready_protocols_are_whole(code: str, name: str) -> None:
    protocol = find_protocol(name, code=code)
    assert (protocol.code, protocol.name) == (code, name)
    assert protocol.title
    assert protocol.source
    assert protocol.safer, "nothing to try where it does not converge"
    assert all(p.sha256 for p in protocol.pseudopotentials.values())
    assert bool(protocol.pseudopotentials) == (code != "gpaw")


def test_every_code_has_a_fast_and_a_standard_protocol() -> None:
    assert all({"fast", "standard"} <= set(protocol_names(code)) for code in CODES)


def test_no_two_ready_protocols_are_one_level_of_theory() -> None:
    digests = {find_protocol(name, code=code).digest for code, name in READY}
    assert len(digests) == len(READY)


@pytest.mark.dft
@pytest.mark.parametrize(("code", "name"), [("qe", "fast"), ("qe", "debian"), ("abinit", "fast")])
def test_files_of_the_distribution_are_the_ones_meant(code: str, name: str) -> None:
    if not FOLDERS[code].is_dir():
        pytest.skip(f"no {FOLDERS[code]}: run `make oracle ORACLE={code}`")
    protocol = find_protocol(name, code=code)
    found = checked_files(protocol, protocol.pseudopotentials, folder=FOLDERS[code], identifier="all")
    assert set(found) == set(protocol.pseudopotentials)
    assert all(facts(path)[1] == protocol.functional for path in found.values())
    assert all(facts(path)[2] > 0 for path in found.values())


CHANGES = {
    "functional": "PBE",
    "cutoff": 500.0,
    "kpoint_density": 3.3,
    "kpoint_shift": True,
    "smearing": "cold",
    "smearing_width": 0.05,
    "spin": True,
    "density_cutoff": 3000.0,
    "dispersion": "D3(BJ)",
    "options": {"nbnd": 20},
}


@pytest.mark.parametrize("field", CHANGES)
def test_what_decides_the_energy_changes_the_key(field: str) -> None:
    fast = find_protocol("fast", code="qe")
    other = find_protocol({"based_on": "fast", field: CHANGES[field]}, code="qe")
    assert other.digest != fast.digest
    keys = {p.theory(version="7", setups={"Si": "x"}).key for p in (fast, other)}
    assert len(keys) == 2


@given(
    mixing=st.floats(0.05, 1.0),
    steps=st.integers(1, 1000),
    tolerance=st.floats(1e-10, 1e-4),
    name=st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True),
)
def test_numerics_and_names_do_not(mixing: float, steps: int, tolerance: float, name: str) -> None:
    changed = find_protocol(
        {
            "based_on": "fast",
            "name": name,
            "numerics": {"mixing": mixing, "max_iterations": steps, "tolerance": tolerance},
        },
        code="qe",
    )
    assert changed.digest == find_protocol("fast", code="qe").digest


def test_a_pseudopotential_more_is_no_other_protocol() -> None:
    more = {"based_on": "fast", "pseudopotentials": {"Ge": {"file": "Ge.UPF"}}}
    protocol = find_protocol(more, code="qe")
    assert {"Si", "Ge"} <= set(protocol.pseudopotentials)
    assert protocol.digest == find_protocol("fast", code="qe").digest


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ("fats", InputError, "there is no protocol 'fats' of qe"),
        ({"based_on": "fast", "cutof": 1}, UnknownKeyError, "did you mean 'cutoff'"),
        ({"based_on": "fast", "numerics": {"mixin": 1}}, UnknownKeyError, "did you mean 'mixing'"),
        ({"based_on": "fast", "cutoff": -1}, InputError, "cutoff"),
        ({"based_on": "fast", "safer": [{"smearing_width": 1.0}]}, InputError, "another level of theory"),
        ({"based_on": "fast", "safer": [{"mixing": 3}]}, InputError, r"safer\[0\]\.mixing: Input should"),
        ({"based_on": 3}, InputError, "3 is no protocol"),
        ({"based_on": "fast", "magmoms": {"Fe": 2}}, InputError, "spin is false"),
        ({"name": "x"}, InputError, "functional"),
        ("nowhere.yaml", InputError, "cannot be read"),
    ],
)
def test_nonsense_is_refused(fields, error, said: str) -> None:
    with pytest.raises(error, match=said):
        find_protocol(fields, code="qe")


def test_a_file_of_a_persons_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: fast\nname: mine\ncutoff: 400\n")
    protocol = find_protocol(str(path), code="qe")
    assert (protocol.name, protocol.cutoff, protocol.functional) == ("mine", 400.0, "LDA")
    other = tmp_path / "other.yaml"
    path.write_text("based_on: other.yaml\nname: mine\n")  # beside it, wherever one works
    other.write_text("based_on: fast\ncutoff: 450\n")
    assert find_protocol(str(path), code="qe").cutoff == 450.0
    other.write_text("cutoff: 400\n")  # it has no name that another could be called after
    with pytest.raises(InputError, match="'functional' is missing"):
        find_protocol(str(path), code="qe")
    other.write_text(f"based_on: {path}\n")
    with pytest.raises(InputError, match=r"based on itself: .*mine\.yaml → .*other\.yaml → .*mine\.yaml"):
        find_protocol(str(path), code="qe")
    path.write_text("- a list\n")
    with pytest.raises(InputError, match=r"mine\.yaml"):
        find_protocol(str(path), code="qe")


def test_keys_of_theories_without_a_protocol_are_what_they_were() -> None:
    assert Theory(code="vasp", version="6.4.2", functional="PBE").key == "d1cf451fa39a1fd6"


UPF = '<UPF><PP_HEADER functional="{functional}" z_valence="{valence}"/></UPF>'


def own(folder: Path, *, functional: str = "SLA PZ NOGX NOGC", valence: float = 4, **changes) -> Protocol:
    text = UPF.format(functional=functional, valence=valence)
    (folder / "X.UPF").write_text(text)
    entry = {"file": "X.UPF", "sha256": hashlib.sha256(text.encode()).hexdigest()}
    fields = {"based_on": "fast", "pseudopotentials": dict.fromkeys(("Si", "Fe", "Al"), entry)}
    return find_protocol(fields | changes, code="qe")


@pytest.mark.parametrize(
    ("name", "text", "functional", "valence"),
    [
        (
            "Si.psp8",
            "Si ONCVPSP\n 14.0 4.0 170101 zatom,zion,pspd\n 8 11 2 4 600 0 pspcod,pspxc\n",
            "PBE",
            4.0,
        ),
        ("Si.psp8", "Si\n 14.0 4.0 170101 zatom\n 8 -116133 2 4 600 0 pspcod\n", "PBEsol", 4.0),
        ("Si.psp8", "not at all\n", None, None),
        ("Fe.UPF", "    Functional:  SLA+PW+PBX+PBC\n  8.00000000000      Z valence\n", "PBE", 8.0),
        ("Fe.UPF", UPF.format(functional="sla  pw pbx pbc", valence="1.6D+01"), "PBE", 16.0),
        ("Fe.UPF", "no header", None, None),
    ],
)
def test_what_the_header_of_a_file_says(tmp_path: Path, name, text, functional, valence) -> None:
    facts.cache_clear()
    (tmp_path / name).write_text(text)
    assert facts(tmp_path / name) == (hashlib.sha256(text.encode()).hexdigest(), functional, valence)


def look(geometry: Geometry, protocol: Protocol, folder: Path) -> None:
    facts.cache_clear()
    files = checked_files(protocol, geometry.symbols, folder=folder, identifier="it")
    kpoints = kpoints_of(geometry, protocol)
    check_structure(geometry, protocol, kpoints=kpoints, files=files, identifier="it")


def test_a_good_structure_passes(tmp_path: Path) -> None:
    look(Geometry.of(bulk("Si")), own(tmp_path), tmp_path)
    assert setups_of({"Si": tmp_path / "X.UPF"})["Si"].startswith("X.UPF:")


def test_what_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    silicon = Geometry.of(bulk("Si"))
    with pytest.raises(OracleAbsentError, match=r"made for PBE.*computes LDA"):
        look(silicon, own(tmp_path, functional="PBE"), tmp_path)
    protocol = own(tmp_path)
    (tmp_path / "X.UPF").write_text("another")
    with pytest.raises(OracleAbsentError, match=r"has SHA-256 .*means"):
        look(silicon, protocol, tmp_path)
    (tmp_path / "X.UPF").unlink()
    with pytest.raises(OracleAbsentError, match="no file"):
        look(silicon, protocol, tmp_path)
    with pytest.raises(UnfitStructureError, match="no pseudopotential for Cu"):
        look(Geometry.of(bulk("Cu")), own(tmp_path), tmp_path)
    with pytest.raises(UnfitStructureError, match=r"Fe may be magnetic .* nonmagnetic: true"):
        look(Geometry.of(bulk("Fe")), own(tmp_path), tmp_path)
    look(Geometry.of(bulk("Fe")), own(tmp_path, nonmagnetic=True), tmp_path)
    look(Geometry.of(bulk("Fe")), own(tmp_path, spin=True, magmoms={"Fe": 2.5}), tmp_path)
    with pytest.raises(UnfitStructureError, match="3 electrons, an odd number"):
        look(Geometry.of(bulk("Al")), own(tmp_path, valence=3, smearing="none"), tmp_path)
    close = bulk("Si")
    close.positions[1] = close.positions[0] + 0.3
    with pytest.raises(UnfitStructureError, match=r"atoms 0 \(Si\) and 1 \(Si\) are 0\.\d\d Å apart"):
        look(Geometry.of(close), own(tmp_path), tmp_path)
    alone = Atoms("Si2", [(0, 0, 0), (0, 0, 2.3)])
    with pytest.raises(UnfitStructureError, match="it is periodic along no vector"):
        look(Geometry.of(alone), own(tmp_path), tmp_path)
    with pytest.raises(UnfitStructureError, match=r"\d+ k-points, more than 20000"):
        look(silicon, own(tmp_path, kpoint_density=15.0), tmp_path)
