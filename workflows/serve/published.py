"""Which structures of a campaign or dataset are published, and what is said of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from zonemelt.tasks.blobs import MARK, BlobDirectory, hydrate
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.datasets.versions import VERSIONS
from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.tasks.judge.verdict import Verdict
from zonemelt.tasks.records import Geometry, Record
from zonemelt.workflows.engine.documents import parsed
from zonemelt.workflows.engine.inspect import open_ledger
from zonemelt.workflows.engine.schema import OUTPUTS
from zonemelt.workflows.report.reading.outputs import RECORD, VERDICT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# name → type in OPTIMADE's words, unit, what it is
PROPERTIES: Final[dict[str, tuple[str, str | None, str]]] = {
    "energy_per_atom": ("float", "eV", "energy per atom, at the level `theory`"),
    "formation_energy": ("float", "eV", "formation energy per atom"),
    "above_hull": ("float", "eV", "energy above the convex hull per atom, by the references of the campaign"),
    "max_force": ("float", "eV/Å", "largest force on an atom"),
    "verdict": ("string", None, "of the campaign, in one word: stable, metastable, unstable …"),
    "theory": ("string", None, "level of theory; energies of two levels must not be mixed"),
    "job": ("string", None, "the job that returned it: `zonemelt why` tells where it comes from"),
}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A structure, and what is said of it.

    Attributes:
        identifier: its name, of which there is one.
        geometry: cell, elements, positions.
        said: name → value, of :data:`PROPERTIES`.
        modified: when it became what it is.
    """

    identifier: str
    geometry: Geometry
    said: dict[str, Any] = field(default_factory=dict)
    modified: datetime


def published(place: Path | str) -> list[Published]:
    """The structures of a dataset, or those that a campaign has come to.

    Of a dataset: all that are not in quarantine. Of a campaign: its verdicts on valid candidates, one
    of each group of equal ones; where it has none, its labels; where it has none either, every output that
    is a structure or has one as ``structure``. A later one of a name stands for the earlier.

    Raises:
        InputError: it is neither, or there is no structure in it.
        CampaignError: its ledger cannot be read.
        StoreError: the dataset is damaged.
    """
    place = Path(place)
    if (place / VERSIONS).is_dir():
        found = {one.identifier: one for one in _of_dataset(place)}
    else:
        found = _of_campaign(place)
    if not found:
        raise InputError(
            "there is no structure in it to publish",
            where=str(place),
            remedy="name a dataset, or a campaign that has labels, verdicts or structures among its outputs",
        )
    return list(found.values())


def _of_dataset(place: Path) -> Iterator[Published]:
    changed = datetime.fromtimestamp((place / VERSIONS).stat().st_mtime, UTC)
    for record in open_dataset(place).records():
        yield _of_record(record, changed)


def _of_record(record: Record, modified: datetime, **said: Any) -> Published:
    energies = (record.energy_sigma0, record.energy_free)
    energy = next((one for one in energies if one is not None), None)
    atoms = len(record.geometry.symbols)
    force = (
        max((sum(x * x for x in row) ** 0.5 for row in record.forces), default=None)
        if record.forces
        else None
    )
    return Published(
        identifier=record.identifier,
        geometry=record.geometry,
        said=_known(
            energy_per_atom=None if energy is None else energy / atoms, max_force=force,
            theory=record.theory.described, **said,
        ),
        modified=modified,
    )  # fmt: skip


def _of_verdict(verdict: Verdict, modified: datetime, **said: Any) -> Published | None:
    if verdict.geometry is None or not verdict.valid or verdict.group != verdict.identifier:
        return None
    known = verdict.quantities
    return Published(
        identifier=verdict.identifier,
        geometry=verdict.geometry,
        said=_known(
            **{name: known[name] for name in ("energy_per_atom", "formation_energy", "above_hull")},
            verdict=str(verdict.verdict), **said,
        ),
        modified=modified,
    )  # fmt: skip


def _known(**said: Any) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _of_campaign(place: Path) -> dict[str, Published]:
    verdicts: dict[str, Published] = {}
    labels: dict[str, Published] = {}
    others: dict[str, Published] = {}
    blobs = BlobDirectory(place / "blobs")
    with open_ledger(place) as connection:
        rows = connection.execute(
            f"SELECT jobs.id, jobs.name, jobs.uuid, doc, (SELECT max(time) FROM events WHERE job = jobs.id)"
            f' FROM {OUTPUTS} AS made JOIN jobs ON jobs.uuid = made.uuid AND jobs."index" = made."index"'
            " ORDER BY jobs.id"
        )
        for job, name, uuid, text, at in rows:
            when = datetime.fromtimestamp(at or 0, UTC)
            try:
                output = _decoded(text, blobs)
                for one in output if isinstance(output, list) else [output]:
                    _take(one, f"{job}", when, verdicts, labels)
                    structure = _structure_in(one)
                    if structure is not None:
                        named = f"{name}-{uuid[:8]}"
                        others[named] = Published(
                            identifier=named, geometry=structure, said={"job": f"{job}"}, modified=when
                        )
            except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise CampaignError(
                    f"the output of job {job} '{name}' cannot be read: {type(error).__name__}: {error}",
                    where=str(place),
                    remedy=f"`zonemelt show {job}` shows it",
                ) from error
    return verdicts or labels or others


def _decoded(text: str, blobs: BlobDirectory) -> Any:
    output = parsed(text)["output"]
    return hydrate(output, blobs) if MARK in text else output


def _take(
    one: Any, job: str, when: datetime, verdicts: dict[str, Published], labels: dict[str, Published]
) -> None:
    """Keep verdicts and labels, be they the output itself or in lists of it."""
    if not isinstance(one, dict):
        return
    many: Iterable[Any] = next(
        (one[key] for key in ("verdicts", "records") if isinstance(one.get(key), list)), ()
    )
    for each in (one, *many):
        if not isinstance(each, dict):
            continue
        if each.keys() >= VERDICT:
            verdict = Verdict.model_validate(each)
            found = _of_verdict(verdict, when, job=job)
            verdicts.pop(verdict.identifier, None)  # a later one stands, be it that it is none any more
            if found is not None:
                verdicts[found.identifier] = found
        elif each.keys() >= RECORD:
            record = Record.model_validate(each)
            if record.quality is None or record.quality.accepted:
                labels[record.identifier] = _of_record(record, when, job=job)


def _structure_in(output: Any) -> Geometry | None:
    """The structure that an output is, or has under the name that atomate2 and emmet give it."""
    found = output.get("structure", output) if isinstance(output, dict) else output
    if isinstance(found, dict) and found.get("@class") == "Structure" and "lattice" in found:
        from pymatgen.core.structure import Structure

        found = Structure.from_dict(found)
    if not hasattr(found, "to_ase_atoms"):
        return None
    return Geometry.of(found.to_ase_atoms())
