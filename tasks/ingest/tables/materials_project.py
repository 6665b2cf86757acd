"""Fetch structures and energies from the Materials Project, corrections kept apart.

The energies of its entries are VASP's, extrapolated to zero smearing, of the whole cell. What MP2020 or the
mixing scheme adds to them is the record's ``correction``. Entries of GGA and of r2SCAN are two levels of
theory, and so are those with and without U for an element that has one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.checked import new_record
from zonemelt.tasks.convert.origin import BadRow, Origin, parser_of
from zonemelt.tasks.convert.structures import geometry_of_structure
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.common import ingested, properties_of
from zonemelt.tasks.records import Convergence, Correction
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.records import Record

THERMO_TYPES: Final = ("GGA_GGA+U", "R2SCAN", "GGA_GGA+U_R2SCAN")
# How the project calls functionals → ours. Its GGA is PBE.
FUNCTIONALS: Final = {
    "GGA": "PBE",
    "GGA_U": "PBE",
    "GGA+U": "PBE",
    "PBE": "PBE",
    "PBE+U": "PBE",
    "R2SCAN": "r2SCAN",
    "r2SCAN": "r2SCAN",
    "SCAN": "SCAN",
}


def read_materials_project(
    asked: str, *, thermo_type: str = "GGA_GGA+U", client: Any = None
) -> Iterator[Record | BadRow]:
    """The entries of a chemical system, a formula or material numbers, with their structures.

    Args:
        asked: ``Li-Fe-O`` (with all that lies in it), ``Fe2O3``, or ``mp-149``; several with commas.
        thermo_type: one of :data:`THERMO_TYPES`: which corrections, and so which energies can be compared.
        client: an ``MPRester``; by default one with the key in ``$MP_API_KEY``, for ``$MP_API_ENDPOINT``.

    Raises:
        InputError: there is no key, or the server refuses.
    """
    where = f"mp:{asked}"
    if thermo_type not in THERMO_TYPES:
        raise InputError(
            f"'{thermo_type}' is no kind of its energies", where=where, remedy=f"known: {THERMO_TYPES}"
        )
    wanted = [part.strip() for part in asked.split(",") if part.strip()]
    if not wanted:
        raise InputError(
            "nothing is asked for", where=where, remedy="write mp:Li-Fe-O, mp:Fe2O3 or mp:mp-149"
        )
    entries = _fetched(client, wanted, thermo_type, where=where)
    parser = parser_of("mp-api")
    for number, entry in enumerate(entries):
        source = f"mp:{entry.entry_id}"
        try:
            yield _record(entry, source=source, number=number, parser=parser)
        except InputError as error:
            yield BadRow(where=source, reason=error.what)


def _fetched(client: Any, wanted: list[str], thermo_type: str, *, where: str) -> list[Any]:
    """Entries as the project's client gives them; the key is in no message."""
    key = os.environ.get("MP_API_KEY")
    if client is None and not key:
        raise InputError(
            "MP_API_KEY is not set",
            where=where,
            remedy="get a key at materialsproject.org/api and set it in the environment",
        )
    systems = [part for part in wanted if "-" in part and not part.startswith(("mp-", "mvc-"))]
    others = [part for part in wanted if part not in systems]
    criteria = {"thermo_types": [thermo_type]}
    try:
        client = client or _client(key)
        found = list(client.get_entries(others, additional_criteria=criteria)) if others else []
        for system in systems:
            found += client.get_entries_in_chemsys(system.split("-"), additional_criteria=criteria)
    except Exception as error:  # noqa: BLE001 (the client has errors of its own, and requests too)
        raise InputError(
            f"the Materials Project does not answer: {str(error).replace(key or chr(0), '***'):.300}",
            where=where,
            remedy="check the key, the network and what is asked for",
        ) from None
    return list({entry.entry_id: entry for entry in found}.values())


def _client(key: str | None) -> Any:
    """The project's client; ``$MP_API_ENDPOINT`` names another server that speaks its language."""
    from mp_api.client import MPRester

    endpoint = os.environ.get("MP_API_ENDPOINT")
    slash = endpoint.rstrip("/") + "/" if endpoint else None  # the client puts names right after it
    return MPRester(api_key=key, endpoint=slash, mute_progress_bars=True)


def _record(entry: Any, *, source: str, number: int, parser: str) -> Record:
    theory = _theory(entry.parameters or {}, where=source)
    corrected = entry.correction
    schemes = sorted({str((a.cls or {}).get("@class", a.name)) for a in entry.energy_adjustments})
    data = [(k, v) for k, v in (entry.data or {}).items() if k in {"material_id", "oxide_type"}]
    return new_record(
        where=source,
        identifier=str(entry.entry_id),
        geometry=geometry_of_structure(entry.structure, where=source),
        energy_sigma0=entry.uncorrected_energy,
        correction=Correction(scheme=", ".join(schemes), energy=corrected) if schemes else None,
        properties=properties_of(data),
        theory=theory,
        convergence=Convergence(electronic=True, ionic=True, complete=True),  # what the project admits
        provenance=ingested(Origin(source=source), parser=parser, row=number),
    )


def _theory(parameters: dict[str, Any], *, where: str) -> Theory:
    """The level of theory that an entry states.

    Raises:
        InputError: it states a functional that nobody here knows.
    """
    run_type = str(getattr(parameters.get("run_type"), "value", parameters.get("run_type")))
    if run_type not in FUNCTIONALS:
        raise InputError(
            f"its functional is '{run_type}'", where=where, remedy=f"known: {', '.join(FUNCTIONALS)}"
        )
    specs = parameters.get("potcar_spec") or []
    titles = [str(spec.get("titel") or "").split() for spec in specs]  # codespell:ignore titel
    return Theory(
        code="vasp",
        functional=FUNCTIONALS[run_type],
        hubbard_u={k: v for k, v in (parameters.get("hubbards") or {}).items() if v},
        setups={words[1].split("_")[0]: " ".join(words) for words in titles if len(words) > 1},
    )
