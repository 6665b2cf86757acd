"""The validation of a potential as jobs: one document, with arrays and a figure beside it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.potentials.validation.errors import compare, judge
from zonemelt.tasks.potentials.validation.figure import parity_figure
from zonemelt.tasks.potentials.validation.labelled import read_labelled
from zonemelt.tasks.potentials.validation.references import properties, reference_of
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

VALIDATION: Final = "validation.json"
PARITY, FIGURE = "parity.npz", "parity.svg"
REFUSED_SHOWN: Final = 10


def validate_errors(
    potential: str,
    labels: Mapping[str, Any],
    *,
    directory: Path,
    device: str = "cpu",
    dtype: str = "float64",
    trust: bool = False,
) -> dict[str, Any]:
    """Judge a potential on labelled structures; writes arrays and a figure into the directory.

    Args:
        potential: see :func:`.load_potential`.
        labels: arguments of :func:`.read_labelled`.
        directory: of the files.
        device: "cpu" or "cuda".
        dtype: of the potential.
        trust: see :func:`.load_potential`.

    Returns:
        What :func:`.judge` returns; ``potential`` and ``labels``: what they are; ``same_theory``: whether
        both are of one level of theory, None where nobody says; ``refused``; ``parity`` and
        ``figure``, the files.

    Raises:
        InputError: see :func:`.read_labelled` and :func:`.compare`.
    """
    labelled, theory = read_labelled(**labels)
    opened = load_potential(potential, device=device, dtype=dtype, trust=trust)
    parity, refused = compare(opened, labelled)
    judged = judge(parity)
    directory.mkdir(parents=True, exist_ok=True)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **parity.arrays())  # type: ignore[arg-type]
    write_whole(directory / PARITY, arrays.getvalue())
    write_whole(directory / FIGURE, parity_figure(parity, judged, title=_short(opened.name)))
    return {
        "potential": {
            "name": opened.name, "theory": opened.theory.described, "licence": opened.licence,
        },
        "labels": {
            "source": str(labels["source"]), "part": labels.get("part", "") if labels.get("split") else "",
            "theory": None if theory is None else theory.described,
            "structures": len(labelled), "judged": len(parity.names_G), "atoms": int(parity.sizes_G.sum()),
        },
        "same_theory": None if theory is None else theory.key == opened.theory.key,
        **judged,
        "refused": {
            "count": len(refused),
            "first": [{"name": name, "reason": why} for name, why in list(refused.items())[:REFUSED_SHOWN]],
        },
        "parity": str(directory / PARITY),
        "figure": str(directory / FIGURE),
    }  # fmt: skip


def _short(name: str) -> str:
    return Path(name).name if "/" in name else name


@job
def validate_errors_job(
    *,
    potential: str,
    labels: dict[str, Any],
    directory: str,
    device: str = "cpu",
    dtype: str = "float64",
    trust: bool = False,
    trained: dict[str, Any] | None = None,  # noqa: ARG001 (it waits for a training)
) -> dict[str, Any]:
    """Judge a potential on labelled structures; see :func:`validate_errors`."""
    return validate_errors(
        potential, labels, directory=check_directory(directory), device=device, dtype=dtype, trust=trust
    )


@job
def validation_job(
    *,
    directory: str,
    errors: dict[str, Any] | None,
    references: dict[str, Any],
    found: dict[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    """Put all that was found into one document, ``validation.json`` in the directory.

    Args:
        directory: absolute.
        errors: of :func:`validate_errors`; None where there are no labels.
        references: name → :class:`.Reference`.
        found: kind of calculation → its documents, in the order of the references that need it.

    Returns:
        The errors, and ``properties``: rows of :func:`.properties`.

    Raises:
        InputError: there is neither.
    """
    if errors is None and not references:
        raise InputError(
            "there is nothing to judge", where="validation", remedy="give labels, references or both"
        )
    known = {name: reference_of(one, where=f"reference {name}") for name, one in references.items()}
    document = {**(errors or {}), "properties": properties(known, found)}
    place = check_directory(directory)
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / VALIDATION, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
    return document
