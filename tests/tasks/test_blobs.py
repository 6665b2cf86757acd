"""Files that stand for large values: exact round trips, nothing silent, nothing slow by design."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from monty.json import MontyDecoder, MontyEncoder, jsanitize
from pymatgen.core import IStructure, Lattice, Molecule, Species, Structure

from zonemelt.tasks.blobs import (
    MARK,
    BlobDirectory,
    FileReference,
    hydrate,
    offload,
    put_json,
    put_structure,
    to_lists,
)
from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.structure_blobs import decode_structure, encode_structure, layout

pytestmark = pytest.mark.filterwarnings("ignore:Structure charge:UserWarning")


@pytest.fixture
def blobs(tmp_path) -> BlobDirectory:
    return BlobDirectory(tmp_path / "blobs")


def stored(value: Any) -> Any:
    """What jobflow stores for a value."""
    return jsanitize(value, strict=True, enum_values=True, allow_bson=True)


def travel(value: Any, blobs: BlobDirectory) -> Any:
    """Send a value to another process, as the engine does."""
    text = json.dumps(value, cls=MontyEncoder)
    with blobs.active():
        return json.loads(text, cls=MontyDecoder)


def files(blobs: BlobDirectory) -> list[str]:
    return sorted(p.name for p in blobs.root.rglob("*") if p.is_file())


class TestBlobDirectory:
    def test_same_content_is_the_same_file(self, blobs):
        digest = blobs.put(b"content", kind="json")
        before = blobs.path(digest, "json").stat().st_mtime_ns
        assert blobs.put(memoryview(b"content"), kind="json") == digest
        assert blobs.path(digest, "json").stat().st_mtime_ns == before
        assert files(blobs) == [f"{digest}.json"]
        assert blobs.path(digest, "json").parent.name == digest[:2]

    def test_reads_what_was_written(self, blobs):
        digest = blobs.put(b"\0\1", kind="array", fsync=True)
        assert blobs.get(digest, "array", nbytes=2, verify=True) == b"\0\1"

    def test_a_torn_file_is_replaced(self, blobs):
        digest = blobs.put(b"whole", kind="json")
        blobs.path(digest, "json").write_bytes(b"wh")
        blobs.put(b"whole", kind="json")
        assert blobs.get(digest, "json", verify=True) == b"whole"

    def test_missing_truncated_and_altered_files_are_errors(self, blobs):
        with pytest.raises(StoreError, match="cannot be read"):
            blobs.get("0" * 64, "json")
        digest = blobs.put(b"whole", kind="json")
        blobs.path(digest, "json").write_bytes(b"WHOLE")
        assert blobs.get(digest, "json", nbytes=5) == b"WHOLE"
        with pytest.raises(StoreError, match="content that its name promises"):
            blobs.get(digest, "json", verify=True)
        with pytest.raises(StoreError, match="5 bytes instead of 4"):
            blobs.get(digest, "json", nbytes=4)

    def test_an_unwritable_directory_is_an_error(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="cannot be written"):
            BlobDirectory(tmp_path / "file" / "blobs").put(b"x", kind="json")

    def test_files_follow_the_umask(self, blobs):
        old = os.umask(0o027)
        try:
            path = blobs.path(blobs.put(b"shared", kind="json"), "json")
        finally:
            os.umask(old)
        assert path.stat().st_mode & 0o777 == 0o640


class TestOffload:
    @pytest.mark.parametrize(
        "small", [{}, {"a": [1, (2, "x")], "b": np.zeros(3)}, [], (1,), None, "text", 1.5]
    )
    def test_returns_the_same_object_if_nothing_is_large(self, small, blobs):
        assert offload(small, blobs) is small
        assert files(blobs) == []

    def test_replaces_arrays_in_nested_containers_and_copies_only_the_way_there(self, blobs):
        untouched = {"x": [1, 2]}
        value = {"deep": [(np.arange(2000.0), 1)], "other": untouched}
        light = offload(value, blobs)
        assert isinstance(light["deep"][0], tuple)
        assert isinstance(light["deep"][0][0], FileReference)
        assert light["other"] is untouched
        assert isinstance(value["deep"][0][0], np.ndarray)

    def test_does_not_enter_other_objects(self, blobs):
        molecule = Molecule(["H"] * 2, [[0, 0, 0], [0, 0, 1]], site_properties={"v": [np.zeros(5000)] * 2})
        assert offload({"m": molecule}, blobs)["m"] is molecule

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(3000, dtype=np.complex128),
            np.array([object()] * 3000),
            np.zeros(3000, dtype="datetime64[s]"),
            np.zeros(3000, dtype=[("a", "f8")]),
            np.zeros(3000, dtype=np.longdouble),
            np.ma.masked_array(np.zeros(3000)),
        ],
    )
    def test_leaves_arrays_that_no_document_holds(self, array, blobs):
        assert offload([array], blobs)[0] is array

    @pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f8", "i8", "u1", "?", "U5"])
    @pytest.mark.parametrize("shape", [(20000,), (100, 200), (10, 20, 100), (100, 0, 3)])
    def test_arrays_arrive_exactly(self, dtype, shape, blobs):
        array = (np.random.default_rng(1).random(shape) * 100).astype(dtype)
        light = offload({"a": array}, blobs, threshold=0)
        assert len(json.dumps(light, cls=MontyEncoder)) < 300
        loaded = travel(light, blobs)["a"]
        assert loaded.dtype == array.dtype
        assert loaded.shape == array.shape
        assert loaded.flags.writeable
        np.testing.assert_array_equal(loaded, array)
        assert hydrate(light | {"a": light["a"].as_dict()}, blobs)["a"] == stored(array)

    def test_not_a_number_and_memory_order(self, blobs):
        array = np.asfortranarray(np.full((50, 50), np.nan))
        light = offload([array], blobs)
        np.testing.assert_array_equal(travel(light, blobs)[0], array)
        assert light[0].shape == (50, 50)

    def test_a_hundred_megabytes(self, blobs):
        array = np.random.default_rng(0).random(12_500_000)
        loaded = travel(offload({"a": array}, blobs), blobs)["a"]
        assert loaded[-1] == array[-1]
        assert loaded.nbytes == 100_000_000


class TestFileReference:
    def test_needs_an_active_directory(self, blobs):
        document = put_json([1], blobs).as_dict()
        with pytest.raises(StoreError, match=r"no blob directory is active[\s\S]*active\(\)"):
            MontyDecoder().process_decoded(document)

    def test_the_innermost_directory_is_active(self, tmp_path):
        one, two = BlobDirectory(tmp_path / "1"), BlobDirectory(tmp_path / "2")
        document = put_json("two", two).as_dict()
        with one.active(), two.active():
            assert MontyDecoder().process_decoded(document) == "two"
        with one.active(), pytest.raises(StoreError, match="cannot be read"):
            MontyDecoder().process_decoded(document)

    @pytest.mark.parametrize(
        "damage", [{"sha256": "../../etc/passwd"}, {"kind": "pickle"}, {"nbytes": "1"}, {"sha256": None}]
    )
    def test_refuses_what_it_did_not_write(self, damage, blobs):
        document = put_json([1], blobs).as_dict() | damage
        with blobs.active(), pytest.raises(StoreError, match="malformed"):
            MontyDecoder().process_decoded(document)

    def test_json_documents_may_hold_references_and_objects(self, blobs):
        inner = offload(np.arange(2000), blobs)
        reference = put_json({"a": inner.as_dict(), "l": Lattice.cubic(2).as_dict()}, blobs)
        loaded = travel(reference, blobs)
        assert loaded["l"] == Lattice.cubic(2)
        np.testing.assert_array_equal(loaded["a"], np.arange(2000))
        plain = hydrate([reference.as_dict()], blobs)[0]
        assert plain["a"] == list(range(2000))
        assert plain["l"]["@class"] == "Lattice"

    @pytest.mark.parametrize("as_lists", [True, "late"])
    def test_arrays_may_arrive_as_lists(self, blobs, as_lists):
        numbers = np.arange(2000.0)
        light = {
            "a": offload(numbers, blobs),
            "deep": put_json({"b": [offload(numbers, blobs).as_dict()]}, blobs),
        }
        text = json.dumps(light, cls=MontyEncoder)
        with blobs.active(as_lists=as_lists):
            found = to_lists(json.loads(text, cls=MontyDecoder))
        assert found == {"a": numbers.tolist(), "deep": {"b": [numbers.tolist()]}}
        assert type(found["a"]) is list
        assert isinstance(travel(light, blobs)["a"], np.ndarray)  # the block has ended

    def test_an_item_of_what_will_be_lists_is_a_number(self, blobs):
        document = offload(np.arange(2000.0).reshape(2, 1000), blobs).as_dict()
        with blobs.active(as_lists="late"):
            late = MontyDecoder().process_decoded(document)
        assert to_lists([late[1], (late[1, 3],)]) == [list(np.arange(1000.0, 2000.0)), (1003.0,)]
        assert type(to_lists(late[1, 3])) is float

    def test_what_is_called_like_a_reference_stays(self, blobs):
        document = {"a": {"@class": "FileReference"}, "b": {"@class": "FileReference", "@module": "x"}}
        assert hydrate(document, blobs) == document

    def test_hydrate_returns_the_same_object_without_references(self, blobs):
        document = {"a": [{"b": 1}], "module": MARK}
        assert hydrate(document, blobs) is document


def crystal(n: int, **kwargs: Any) -> Structure:
    rng = np.random.default_rng(n)
    species = kwargs.pop("species", None) or rng.choice(["Na", "Cl", "Fe"], n)
    lattice = Lattice.from_parameters(7, 8, 9, 80, 95, 110, pbc=kwargs.pop("pbc", (True, True, True)))
    return Structure(lattice, species, rng.random((n, 3)) * 3 - 1, **kwargs)


def oxidised() -> Structure:
    structure = crystal(8)
    structure.add_oxidation_state_by_element({"Na": 1, "Cl": -1, "Fe": 2.5})
    return structure


def cached() -> Structure:
    structure = crystal(8)
    structure[3].coords = structure[3].coords + 0.1
    return structure


def on_two_equal_lattices() -> Structure:
    structure = crystal(4)
    structure[1]._lattice = Lattice(structure.lattice.matrix)
    return structure


STRUCTURES = {
    "plain": lambda: crystal(8),
    "one site": lambda: crystal(1),
    "immutable": lambda: IStructure.from_sites(list(crystal(8))),
    "slab": lambda: crystal(8, pbc=(True, True, False)),
    "charged": lambda: crystal(8, charge=2),
    "NumPy charge": lambda: crystal(8, charge=np.float64(-1.5)),
    "oxidation states": oxidised,
    "spins and dummies": lambda: crystal(3, species=[Species("Fe", 2, spin=5), "X0+", Species("O", None)]),
    "disordered": lambda: crystal(4, species=[{"Na": 0.5, "K": 0.25}, {"Fe2+": 0.5, "Fe3+": 0.5}, "Na", "K"]),
    "integer occupation": lambda: crystal(2, species=[{"Na": 1}, {"Na": 1.0}]),
    "labels": lambda: crystal(4, labels=["Na1", None, "ä", "Cl 2"]),
    "properties": lambda: crystal(
        2, properties={"source": "x", "pair": (1, 2), "e": np.float64(3), "n": None}
    ),
    "Cartesian set by hand": cached,
    "equal lattices": on_two_equal_lattices,
    "site properties": lambda: crystal(
        3,
        site_properties={
            "magmom": [0.1, 0.2, float("nan")],
            "numpy": list(np.array([1.0, 2.0, 3.0])),
            "forces": list(np.arange(9.0).reshape(3, 3)),
            "single": list(np.ones((3, 2), dtype=np.float32)),
            "fixed": [[True, False, True]] * 3,
            "tag": ["a", "ß", '"'],
            "count": [1, 2, 2**60],
            "mixed": [None, 1, 2.5],
            "nested": [[[1], ["x"]], (), []],
            "flag": [True, False, True],
        },
    ),
}


def same(one: Any, other: Any) -> bool:
    return json.dumps(stored(one)) == json.dumps(stored(other))


class TestStructures:
    def test_this_pymatgen_is_laid_out_as_expected(self):
        assert layout()

    @pytest.mark.parametrize("name", STRUCTURES)
    def test_arrives_exactly(self, name, blobs):
        structure = STRUCTURES[name]()
        light = offload({"s": structure}, blobs, threshold=0)
        assert isinstance(light["s"], FileReference), "it should not have fallen back to JSON"
        loaded = travel(light, blobs)["s"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            delivered = type(structure).from_dict(json.loads(json.dumps(stored(structure))))
        assert type(loaded) is type(structure)
        assert loaded.lattice == structure.lattice
        assert loaded.lattice.pbc == structure.lattice.pbc
        assert loaded.labels == structure.labels
        assert [list(s.properties) for s in loaded] == [list(s.properties) for s in delivered]
        assert same(loaded, delivered)
        if "nan" not in json.dumps(stored(structure)).lower():
            assert loaded == delivered

    @pytest.mark.parametrize("name", STRUCTURES)
    def test_hydrates_to_what_jobflow_stores(self, name, blobs):
        structure = STRUCTURES[name]()
        document = json.loads(json.dumps(offload([structure], blobs, threshold=0), cls=MontyEncoder))
        assert json.dumps(hydrate(document, blobs)[0]) == json.dumps(stored(structure))

    @pytest.mark.parametrize(
        "structure",
        [
            crystal(2, site_properties={"lattice": [Lattice.cubic(1)] * 2}),
            crystal(2, site_properties={"map": [{"a": 1}] * 2}),
            crystal(2, properties={"f": object()}),
            crystal(2, species=["D", "H"]),
            type("Mine", (Structure,), {})(Lattice.cubic(3), ["Na"], [[0, 0, 0]]),
            Structure(Lattice.cubic(3), [], []),
        ],
    )
    def test_falls_back_to_json_if_it_would_not_be_exact(self, structure, blobs):
        assert encode_structure(structure) is None
        assert put_structure(structure, blobs) is None
        assert offload([structure], blobs, threshold=0)[0] is structure

    def test_a_pymatgen_of_another_layout_falls_back(self, monkeypatch):
        monkeypatch.setattr("zonemelt.tasks.structure_blobs.layout", lambda: False)
        assert encode_structure(crystal(2)) is None

    def test_sites_with_different_properties_fall_back(self, blobs):
        structure = crystal(2)
        structure[0].properties["x"] = 1
        assert encode_structure(structure) is None

    def test_the_loaded_structure_lives_its_own_life(self, blobs):
        loaded = decode_structure(encode_structure(oxidised()) or b"")
        before = loaded[1].frac_coords.copy()
        loaded.translate_sites([0], [0.1, 0, 0])
        loaded[0].properties["x"] = 1
        np.testing.assert_array_equal(loaded[1].frac_coords, before)
        assert "x" not in loaded[1].properties
        del loaded[0].properties["x"]
        loaded.append("Na", [0.5, 0.5, 0.5])
        loaded.remove_oxidation_states()
        assert loaded.copy() == loaded
        assert loaded.get_sorted_structure().composition == loaded.composition

    def test_small_structures_stay_json(self, blobs):
        assert isinstance(offload(crystal(341), blobs), FileReference)
        small = crystal(340)
        assert offload(small, blobs) is small

    @settings(max_examples=40)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["Li", "Fe3+", "O2-"]), *[st.floats(-2, 2)] * 3), min_size=1, max_size=6
        ),
        st.floats(2, 20),
        st.one_of(st.none(), st.integers(-3, 3)),
    )
    def test_any_structure(self, sites, length, charge):
        structure = Structure(
            Lattice.tetragonal(length, 3.3),
            [s for s, *_ in sites],
            [c for _, *c in sites],
            charge=charge,
            site_properties={"v": [c[0] for _, *c in sites]},
        )
        data = encode_structure(structure)
        assert data is not None
        assert same(decode_structure(data), structure)
