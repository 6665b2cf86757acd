"""Label one structure as one job, so that labels run side by side and fail singly."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.errors import OracleAbsentError, OracleError
from zonemelt.tasks.label.digest import digest, host
from zonemelt.tasks.label.measured import with_measures
from zonemelt.tasks.label.registry import Oracle, oracle_named
from zonemelt.tasks.records import Computed, Convergence, Geometry, Quality, Record
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from zonemelt.tasks.label.registry import Label
    from zonemelt.tasks.label.settings import OracleSettings


@job
def label_job(
    *,
    identifier: str,
    geometry: dict[str, Any],
    oracle: str,
    settings: dict[str, Any],
    measure: list[str] | None = None,
) -> dict[str, Any]:
    """Label one structure; files go into the working directory.

    A structure that cannot be labelled, whatever was tried, gives a record in quarantine, without numbers and
    with the reasons: the campaign goes on without it. :func:`zonemelt.tasks.label.health.check_oracle` tells
    whether the oracle labels anything at all.

    Args:
        identifier: name of the record.
        geometry: a :class:`Geometry` as a dictionary.
        oracle: name of the oracle.
        settings: its settings, as in the campaign file.
        measure: properties to measure beside the label, see :data:`.MEASURES`.

    Returns:
        The :class:`Record` as a dictionary.

    Raises:
        OracleAbsentError: what the oracle needs is not there, so no structure will ever be labelled.
    """
    chosen = oracle_named(oracle)
    structure = Geometry.model_validate(geometry)
    asked = chosen.settings.model_validate(settings)
    started, cpu = time.monotonic(), time.process_time()
    try:
        record = _measured(chosen.load(), structure, asked, identifier=identifier, measure=measure or [])
    except OracleAbsentError:
        raise
    except OracleError as error:
        spent = time.monotonic() - started, time.process_time() - cpu
        record = failed_record(structure, error, chosen, asked, identifier=identifier, spent=spent)
    return record.model_dump(mode="json")


def _measured(
    label: Label, geometry: Geometry, settings: OracleSettings, *, identifier: str, measure: list[str]
) -> Record:
    """The label, and what is measured beside it, each calculation in a folder of its own."""
    record = label(geometry, settings, identifier=identifier, workdir=Path.cwd())

    def again(strained: Geometry) -> Record:
        folder = Path.cwd() / f"measured-{digest(strained, {})[:12]}"
        folder.mkdir(exist_ok=True)
        return label(strained, settings, identifier=identifier, workdir=folder)

    return with_measures(record, measure, again) if measure else record


def failed_record(
    geometry: Geometry,
    error: OracleError,
    oracle: Oracle,
    settings: OracleSettings,
    *,
    identifier: str,
    spent: tuple[float, float],
) -> Record:
    """The record of a structure that could not be labelled: in quarantine, with nothing but the reasons.

    Args:
        geometry: the structure.
        error: why.
        oracle: that was asked.
        settings: of the oracle.
        identifier: name of the record.
        spent: wall and processor time, s.
    """
    reasons = [line.strip() for line in error.what.splitlines() if line and not line.startswith(" ")]
    return Record(
        identifier=identifier,
        geometry=geometry,
        theory=Theory(code=oracle.name, is_dft=oracle.is_dft),
        convergence=Convergence(electronic=False, complete=False),
        provenance=Computed(
            oracle=oracle.name,
            input_digest=digest(geometry, settings.model_dump(mode="json")),
            seconds=spent[0],
            cpu_seconds=spent[1],
            host=host(),
        ),
        quality=Quality(
            accepted=False, reasons=tuple(f"{type(error).__name__}: {reason}" for reason in reasons)
        ),
    )
