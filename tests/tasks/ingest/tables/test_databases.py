"""The Materials Project by a client of ours, OPTIMADE by a server on this machine, and addresses."""

import json
import re
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry, ConstantEnergyAdjustment

from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.ingest.tables.addresses import is_address, read_address
from zonemelt.tasks.ingest.tables.materials_project import read_materials_project
from zonemelt.tasks.ingest.tables.optimade import read_optimade
from zonemelt.tasks.records import Record, one_theory

SALT = Structure(Lattice.cubic(4), ["Fe", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def entry(name: str, run_type: str, **more: Any) -> ComputedStructureEntry:
    adjustment = ConstantEnergyAdjustment(-0.687, cls={"@class": "MaterialsProject2020Compatibility"})
    return ComputedStructureEntry(
        more.pop("structure", SALT),
        -12.5,
        entry_id=name,
        energy_adjustments=[adjustment] if run_type.startswith("GGA") else [],
        parameters={
            "run_type": run_type,
            "hubbards": {"Fe": 5.3} if "U" in run_type else {},
            "potcar_spec": [
                {"titel": "PAW_PBE Fe_pv 06Sep2000", "hash": "x"},  # codespell:ignore titel
                {"titel": "PAW_PBE O 08Apr2002"},  # codespell:ignore titel
            ],
        },
        data={"material_id": "mp-1", "oxide_type": "oxide"},
        **more,
    )


class Client:
    """Answers as the Materials Project's client does."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries
        self.asked: list[Any] = []

    def get_entries(self, wanted: Any, **criteria: Any) -> list[Any]:
        self.asked.append((wanted, criteria))
        return self.entries

    get_entries_in_chemsys = get_entries


def test_energies_and_corrections_are_kept_apart() -> None:
    client = Client([entry("mp-1-GGA+U", "GGA+U"), entry("mp-1-r2SCAN", "r2SCAN")])
    records = list(read_materials_project("Fe-O,mp-149", client=client))
    assert len(records) == 2  # asked for twice, there once
    plus_u, r2scan = records
    assert isinstance(plus_u, Record)
    assert isinstance(r2scan, Record)
    assert (plus_u.energy_sigma0, plus_u.energy_free, plus_u.energy_corrected) == (-12.5, None, -13.187)
    assert plus_u.correction is not None
    assert plus_u.correction.scheme == "MaterialsProject2020Compatibility"
    assert plus_u.theory.hubbard_u == {"Fe": 5.3}
    assert plus_u.theory.setups["Fe"] == "PAW_PBE Fe_pv 06Sep2000"
    assert r2scan.correction is None
    assert (plus_u.theory.functional, r2scan.theory.functional) == ("PBE", "r2SCAN")
    with pytest.raises(InputError, match=r"hubbard_u for Fe: 5\.3 and 0\.0"):
        one_theory([plus_u, r2scan])
    assert client.asked[0][0] == ["mp-149"]
    assert client.asked[1][0] == ["Fe", "O"]
    assert client.asked[0][1]["additional_criteria"] == {"thermo_types": ["GGA_GGA+U"]}


def test_what_the_client_sends_wrong_is_told() -> None:
    half = Structure(Lattice.cubic(3), [{"Cu": 0.5}], [[0, 0, 0]])
    client = Client([entry("a", "WHAT"), entry("b", "GGA", structure=half), entry("c", "GGA")])
    first, second, third = read_materials_project("FeO", client=client)
    assert first == BadRow(where="mp:a", reason="its functional is 'WHAT'")
    assert isinstance(second, BadRow)
    assert isinstance(third, Record)


def test_the_key_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def get_entries(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("refused: key s3cret in https://api?key=s3cret")

    monkeypatch.setenv("MP_API_KEY", "s3cret")
    with pytest.raises(InputError, match="does not answer") as caught:
        list(read_materials_project("FeO", client=Broken()))
    assert "s3cret" not in str(caught.value)
    monkeypatch.delenv("MP_API_KEY")
    with pytest.raises(InputError, match="MP_API_KEY is not set"):
        list(read_materials_project("FeO"))


def structure(number: int, **changes: Any) -> dict[str, Any]:
    attributes = {
        "lattice_vectors": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
        "cartesian_site_positions": [[0, 0, 0], [2, 2, 2]],
        "species_at_sites": ["Na", "Cl1"],
        "species": [
            {"name": "Na", "chemical_symbols": ["Na"], "concentration": [1.0]},
            {"name": "Cl1", "chemical_symbols": ["Cl"], "concentration": [1.0]},
        ],
        "dimension_types": [1, 1, 1],
        "structure_features": [],
        "_test_gap": 5.0,
    }
    return {"id": f"t-{number}", "type": "structures", "attributes": attributes | changes}


HALF = [{"name": n, "chemical_symbols": ["Na"], "concentration": [0.5]} for n in ("Na", "Cl1")]
PAGES = [
    [structure(0), structure(1, structure_features=["disorder"]), structure(2, species=HALF)],
    [structure(3, lattice_vectors=None, dimension_types=[0, 0, 0]), {"id": "x"}, structure(5, species=None)],
]


class Provider(BaseHTTPRequestHandler):
    """Two pages of structures, as a provider of OPTIMADE sends them."""

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        asked = urllib.parse.parse_qs(address.query)
        status, answer = 200, {}
        if address.path != "/db/v1/structures":
            status = 404
        elif asked.get("filter") == ["bad"]:
            status, answer = 400, {"errors": [{"detail": "no such word"}]}
        else:
            page = int(asked.get("page", ["0"])[0])
            following = [{"href": "/db/v1/structures?page=1"}, None][page]
            answer = {"data": PAGES[page], "links": {"next": following}}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/db"
        server.shutdown()
        thread.join()


def test_pages_of_structures(provider: str) -> None:
    found = list(read_optimade(provider))
    assert [type(one) for one in found] == [Record, BadRow, BadRow, Record, BadRow, BadRow]
    first, molecule = (one for one in found if isinstance(one, Record))
    assert first.identifier == "t-0"
    assert first.geometry.symbols == ("Na", "Cl")
    assert first.properties["_test_gap"].model_dump() == {"value": 5.0, "unit": "unknown"}
    assert first.theory == molecule.theory
    assert molecule.geometry.periodic == (False, False, False)
    reasons = [one.reason for one in found if isinstance(one, BadRow)]
    assert reasons[0] == "it has disorder"
    assert reasons[1] == "site of Na is disordered"


def test_an_address_with_a_filter_and_a_limit(provider: str) -> None:
    assert len(list(read_address(f"optimade:{provider}?filter=elements HAS%20%22Na%22&limit=1"))) == 1
    with pytest.raises(InputError, match="answers 400: no such word"):
        list(read_address(f"optimade:{provider}?filter=bad"))


def test_servers_that_are_none(provider: str) -> None:
    with pytest.raises(InputError, match="answers 404"):
        list(read_optimade(provider + "x"))
    with socket.socket() as silent:  # nobody listens there, and nobody else can
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="no answer"):
            list(read_optimade(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=2))
    with pytest.raises(InputError, match="no address of the web"):
        list(read_optimade("file:///etc"))


@pytest.mark.parametrize(
    ("address", "words", "remedy"),
    [
        ("matbnch:x", "no address", "matbench:matbench_phonons"),
        ("mp:", "asks for nothing", "mp:Li-Fe-O"),
        ("some/path.db", "no address", "store:"),
        ("optimade:nobody", "'nobody' is no provider", "https://"),
        ("optimade:cod?limit=x", "limit is 'x'", "whole number"),
        ("optimade:cod?limit=", "limit has no value", r"\?limit="),
        ("mp:FeO?energies=LDA", "'LDA' is no kind", "R2SCAN"),
    ],
)
def test_addresses_that_are_none_are_taught(address: str, words: str, remedy: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        list(read_address(address))
    assert re.search(remedy, caught.value.remedy), caught.value.remedy


def test_an_option_that_does_not_exist_gets_its_nearest() -> None:
    with pytest.raises(UnknownKeyError, match="did you mean 'filter'"):
        read_address("optimade:cod?filer=x")


def test_passwords_are_in_no_message() -> None:
    with pytest.raises(InputError) as caught:
        read_address("stor://me:s3cret@host/db")
    assert "s3cret" not in str(caught.value)


def test_paths_are_no_addresses() -> None:
    assert is_address("mp:Fe-O")
    assert not is_address("C:/data")
    assert not is_address("data/mp")
