"""Read the data sets of matbench and matminer: JSON tables, from a directory or fetched by matminer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.origin import BadRow, Origin, parser_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.columns import Columns, Target
from zonemelt.tasks.ingest.tables.common import lines_of, text_of
from zonemelt.tasks.ingest.tables.rows import record_of_row
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.ingest.tables.columns import Composition
    from zonemelt.tasks.records import Record

# Target and unit of each data set of Matbench 0.1 (Dunn et al. 2020, doi 10.1038/s41524-020-00406-3).
MATBENCH: Final = {
    "matbench_dielectric": Target(column="n", unit=""),
    "matbench_expt_gap": Target(column="gap expt", unit="eV"),
    "matbench_expt_is_metal": Target(column="is_metal", unit=""),
    "matbench_glass": Target(column="gfa", unit=""),
    "matbench_jdft2d": Target(column="exfoliation_en", unit="meV/atom"),
    "matbench_log_gvrh": Target(column="log10(G_VRH)", unit="log10(GPa)"),
    "matbench_log_kvrh": Target(column="log10(K_VRH)", unit="log10(GPa)"),
    "matbench_mp_e_form": Target(column="e_form", unit="eV/atom"),
    "matbench_mp_gap": Target(column="gap pbe", unit="eV"),
    "matbench_mp_is_metal": Target(column="is_metal", unit=""),
    "matbench_perovskites": Target(column="e_form", unit="eV/cell"),
    "matbench_phonons": Target(column="last phdos peak", unit="1/cm"),
    "matbench_steels": Target(column="yield strength", unit="MPa"),
}


def read_matminer_json(path: Path, origin: Origin) -> Iterator[Record | Composition | BadRow]:
    """The rows of a JSON table with ``columns``, ``index`` and ``data``, as pandas splits it.

    The file is one JSON value, so all of it is read before the first row comes.

    Args:
        path: of the file; gzip is read too.
        origin: where it came from. Where it has no columns, they are ``structure`` or ``composition``, and
            for the data sets of Matbench, known by their file's name, the target with its unit.

    Raises:
        InputError: it is no such table.
    """
    try:
        table = json.loads("".join(map(text_of, lines_of(path))))
        names, rows = [*table["columns"]], [*table["data"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"it is no table of matminer: {type(error).__name__}: {error}",
            where=origin.source,
            remedy="give a file as matminer stores it: columns, index and data",
        ) from None
    columns = origin.columns or _columns(names, _dataset(origin))
    parser = parser_of("zonemelt")
    for number, cells in enumerate(rows):
        where = f"{origin.source}, row {number}"
        if not isinstance(cells, list) or len(cells) != len(names):
            yield BadRow(where=where, reason=f"it has not one cell for each of {len(names)} columns")
            continue
        row: dict[str, Any] = dict(zip(names, cells, strict=True))
        try:
            yield record_of_row(row, columns, origin=origin, number=number, where=where, parser=parser)
        except InputError as error:
            yield BadRow(where=where, reason=error.what)


def read_matbench(name: str, *, directory: Path | None = None) -> Iterator[Record | Composition | BadRow]:
    """A data set of matbench or matminer by its name.

    Args:
        name: as matminer calls it: ``matbench_phonons``, ``dielectric_constant`` …
        directory: where its ``.json.gz`` lies; without one matminer fetches it, checks its hash and keeps it.

    Raises:
        InputError: it is not there, or matminer does not know it.
    """
    if directory is None:
        path = _fetched(name)
    else:
        path = next(
            (p for suffix in (".json.gz", ".json") if (p := directory / f"{name}{suffix}").is_file()),
            directory / f"{name}.json.gz",
        )
        if not path.is_file():
            raise InputError(
                f"there is no {path.name}", where=str(directory), remedy="fetch it there with matminer first"
            )
    yield from read_matminer_json(path, Origin(source=f"matbench:{name}", sha256=sha256_of(path)))


def _fetched(name: str) -> Path:
    """The file that matminer keeps of a data set, fetched if it is not there."""
    from matminer.datasets import get_available_datasets, load_dataset
    from matminer.datasets.utils import _get_data_home

    known = get_available_datasets(print_format=None)
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, n=3)
        raise InputError(
            f"matminer has no data set '{name}'",
            where="matbench",
            remedy=f"did you mean {' or '.join(near)}?" if near else "see matminer.datasets",
        )
    try:
        load_dataset(name)  # nosec B615 (matminer's, which compares hashes; not Hugging Face's)
    except Exception as error:  # noqa: BLE001 (requests, zlib and matminer have errors of their own)
        raise InputError(
            f"matminer cannot fetch it: {type(error).__name__}: {error}",
            where=f"matbench:{name}",
            remedy="fetch it where there is a network, and name its directory",
        ) from None
    return Path(_get_data_home()) / f"{name}.json.gz"


def _dataset(origin: Origin) -> str:
    """The name of a data set by that of its file, whatever archive or folder it lies in."""
    return origin.source.rpartition("/")[2].rpartition(":")[2].partition(".")[0]


def _columns(names: list[str], dataset: str) -> Columns:
    """What the columns of a table are, by their names and by the data set's."""
    target = MATBENCH.get(dataset)
    return Columns(
        identifier=None,
        structure="structure" if "structure" in names else None,
        formula=next((n for n in ("composition", "formula") if n in names), None),
        targets={} if target is None else {target.column: target},
    )
