"""Any featurizer of matminer, by name: a row a material, and a reason for each that has none.

Materials are taken one after the other in this process. matminer by itself starts a pool of processes as
large as the machine, which in a worker of ours would be one pool a worker.
"""

# G structures, N rows

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.featurize.structural import formula as formula_of
from zonemelt.tasks.featurize.table import Features, Refused
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WHERE: Final = "matminer"


def by_matminer(
    name: str,
    materials: Crystals | Sequence[str],
    *,
    preset: str | None = None,
    options: Mapping[str, Any] | None = None,
    fit_on: Crystals | Sequence[str] | None = None,
) -> Features:
    """Apply a featurizer of matminer.

    Args:
        name: of its class: one of ``matminer.featurizers.structure`` for structures, of ``.composition``
            for formulas; one of ``.site`` is applied to all sites of a structure, and the statistics of
            ``SiteStatsFingerprint`` are taken.
        materials: structures or formulas.
        preset: for its ``from_preset``.
        options: for the preset, or for its constructor.
        fit_on: what to fit it on, where its columns depend on that. Give the same to every part of a
            dataset, or the parts have different columns.

    Returns:
        A row for each material that the featurizer takes; the others are refused with its own words.

    Raises:
        InputError: matminer is not installed, there is no such featurizer or preset, or it must be fitted.
    """
    featurizer = _featurizer(name, structures=isinstance(materials, Crystals), preset=preset, options=options)
    if fit_on is not None:
        given = [material for _, material in _as_pymatgen(fit_on)]
        featurizer.fit([material for material in given if not isinstance(material, Exception)])
    try:
        labels = tuple(featurizer.feature_labels())
    except Exception as error:
        raise InputError(
            f"{name} does not know its columns before it is fitted: {error}",
            where=_WHERE,
            remedy="give fit_on, the materials of the training set",
        ) from error
    rows: list[int] = []
    values: list[list[Any]] = []
    refused: list[Refused] = []
    for row, (said, material) in enumerate(_as_pymatgen(materials)):
        try:
            found = _one(featurizer, material, len(labels))
        except Exception as error:  # noqa: BLE001  # whatever a featurizer raises is its verdict
            reason = f"{type(error).__name__}: {error}"
            refused.append(Refused(row=row, value=said, reason=reason, remedy=f"see matminer's {name}"))
        else:
            rows.append(row)
            values.append(found)
    return Features(
        labels=labels,
        rows_N=np.array(rows, np.int64),
        values_NF=_array(values).reshape(len(values), len(labels)),
        refused=tuple(refused),
    )


def _one(featurizer: Any, material: Any, columns: int) -> list[Any]:
    if isinstance(material, Exception):
        raise material
    found = list(featurizer.featurize(material))
    if len(found) != columns:
        raise ValueError(f"{len(found)} numbers for {columns} columns")
    return found


def _array(values: list[list[Any]]) -> Any:
    """Numbers where all are; with words among them, objects."""
    try:
        return np.array(values, np.float64)
    except (TypeError, ValueError):
        return np.array(values, object)


def _featurizer(name: str, *, structures: bool, preset: str | None, options: Mapping[str, Any] | None) -> Any:
    try:
        base = import_module("matminer.featurizers.base").BaseFeaturizer
        rooms = [
            import_module(f"matminer.featurizers.{room}") for room in ("composition", "site", "structure")
        ]
    except ImportError as error:
        raise InputError(
            f"matminer cannot be imported: {error}", where=_WHERE, remedy="pip install 'zonemelt[databases]'"
        ) from error
    composition, site, structure = rooms
    known: dict[str, Any] = {
        key: value
        for module in ([site, structure] if structures else [composition])
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base)
    }
    if name not in known:
        raise UnknownKeyError.of(name, known, where=_WHERE)
    kind = known[name]
    try:
        made = kind.from_preset(preset, **(options or {})) if preset else kind(**(options or {}))
    except Exception as error:
        raise InputError(
            f"{name}: {type(error).__name__}: {error}", where=_WHERE, remedy="check its preset and options"
        ) from error
    if structures and name in vars(site):
        made = structure.SiteStatsFingerprint(made)
    made.set_n_jobs(1)
    return made


def _as_pymatgen(materials: Crystals | Sequence[str]) -> Iterator[tuple[str, Any]]:
    """What a material is called, and its Structure or Composition, or why there is none."""
    from pymatgen.core.composition import Composition

    if isinstance(materials, Crystals):
        for row in range(len(materials)):
            try:
                made = _structure(materials.atoms(row))
            except Exception as error:  # noqa: BLE001  # the verdict on one structure
                yield formula_of(materials, row), error
            else:
                yield formula_of(materials, row), made
        return
    for text in materials:
        try:
            yield repr(text), Composition(text)
        except Exception as error:  # noqa: BLE001  # the verdict on one formula
            yield repr(text), error


def _structure(atoms: Any) -> Any:
    from pymatgen.core.structure import Structure

    if not atoms.pbc.all():
        raise ValueError("it does not repeat in all directions")
    return Structure(atoms.cell.array, atoms.numbers, atoms.positions, coords_are_cartesian=True)


@job
def matminer_job(
    *,
    name: str,
    geometries: list[dict[str, Any]] | None = None,
    formulas: list[str] | None = None,
    preset: str | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Apply a featurizer of matminer to geometries, or else to formulas.

    Returns:
        ``labels``, ``rows`` (N), ``values`` (N, F) and ``refused``, each with ``row`` and ``reason``.

    Raises:
        InputError: both are given, or neither; see :func:`by_matminer`.
    """
    if (geometries is None) == (formulas is None):
        raise InputError(
            "geometries and formulas" if formulas is not None else "neither geometries nor formulas",
            where=_WHERE,
            remedy="give one of the two",
        )
    materials: Crystals | Sequence[str] = formulas or []
    if geometries is not None:
        materials = Crystals.of(Geometry.model_validate(geometry) for geometry in geometries)
    found = by_matminer(name, materials, preset=preset, options=options)
    return {
        "labels": list(found.labels),
        "rows": found.rows_N.tolist(),
        "values": found.values_NF.tolist(),
        "refused": [{"row": refused.row, "reason": refused.reason} for refused in found.refused],
    }
