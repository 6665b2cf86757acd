"""Label one structure as one job, so that labels run side by side and fail singly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobflow import job

from zonemelt.tasks.label.registry import oracle_named
from zonemelt.tasks.records import Geometry


@job
def label_job(
    *, identifier: str, geometry: dict[str, Any], oracle: str, settings: dict[str, Any]
) -> dict[str, Any]:
    """Label one structure; files go into the working directory.

    Args:
        identifier: name of the record.
        geometry: a :class:`Geometry` as a dictionary.
        oracle: name of the oracle.
        settings: its settings, as in the campaign file.

    Returns:
        The :class:`Record` as a dictionary.

    Raises:
        OracleError: the label could not be computed.
    """
    chosen = oracle_named(oracle)
    record = chosen.load()(
        Geometry.model_validate(geometry),
        chosen.settings.model_validate(settings),
        identifier=identifier,
        workdir=Path.cwd(),
    )
    return record.model_dump(mode="json")
