"""The training of a potential as a job: it ends in time, and goes on as another until all is done."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobflow import CURRENT_JOB, Response, job

from zonemelt.tasks.deadline import deadline_of_job
from zonemelt.tasks.potentials.architecture import PotentialArchitecture
from zonemelt.tasks.potentials.fitting.collection import read_structures
from zonemelt.tasks.potentials.fitting.objective import Terms
from zonemelt.tasks.potentials.fitting.training import train_potential
from zonemelt.tasks.train.collection import split_of
from zonemelt.tasks.train.documents import checked, settings_of
from zonemelt.tasks.train.jobs import (
    check_directory,
    check_edges,
    check_world_size,
    model_document,
    threads_of_torch,
)
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping


def potential_of(document: Mapping[str, Any] | PotentialArchitecture) -> PotentialArchitecture:
    """The architecture of a potential from what a person says of it.

    Raises:
        UnknownKeyError: it has no such setting; with the nearest name.
        InputError: a value cannot be used.
    """
    if isinstance(document, PotentialArchitecture):
        return document
    return checked(PotentialArchitecture, document, where="architecture of the potential")


def terms_of(document: Mapping[str, Any] | Terms) -> Terms:
    """The loss from what a person says of it.

    Raises:
        UnknownKeyError: it has no such setting; with the nearest name.
        InputError: a value cannot be used.
    """
    return (
        document if isinstance(document, Terms) else checked(Terms, document, where="loss of the potential")
    )


@job
def potential_job(
    *,
    collection: dict[str, Any],
    split: dict[str, Any],
    architecture: dict[str, Any],
    settings: dict[str, Any],
    directory: str,
    loss: dict[str, Any],
    start: str = "",
    double: bool = False,
    device: str = "auto",
    threads: int | None = None,
    tally: dict[str, Any] | None = None,
) -> Any:
    """Train a potential on a collection; every rank of the job calls this.

    It ends before its walltime or its block does. Where the training is not finished then, this job is
    replaced by one that goes on with it, with the same resources.

    Args:
        collection: see :func:`.read_structures`.
        split: see :func:`.split_of`.
        architecture: see :class:`.PotentialArchitecture`.
        settings: see :class:`.TrainSettings`.
        directory: absolute; of checkpoints, metrics and the potential. What is there is gone on with.
        loss: see :class:`.Terms`.
        start: see :func:`.start_of`.
        double: whether to validate in double precision.
        device: see :func:`.joined`.
        threads: of each rank; None for what its environment says.
        tally: what the jobs before this one did, see :class:`.Tally`.

    Returns:
        The potential, of :func:`.model_document`; or a response with the job that goes on.

    Raises:
        InputError: something given cannot be used.
        JobError: the training cannot go on: it diverges, is too large for memory, or has no time for a step.
    """
    folder = check_directory(directory)
    network, chosen = potential_of(architecture), settings_of(settings)
    before = Tally(**tally or {})
    with threads_of_torch(threads), joined(device=device) as ranks:
        labelled, theory = read_structures(collection)
        check_edges(labelled, network)
        parts = split_of(split, labelled)
        check_world_size(ranks.world_size, chosen, samples=len(parts["train"]))
        outcome, card = train_potential(
            labelled, parts, network, chosen, terms_of(loss),
            theory=theory, ranks=ranks, directory=folder, start=start, double=double,
            deadline=deadline_of_job(),
        )  # fmt: skip
        after = before.with_outcome(outcome, where=str(folder))
        if not ranks.writes:
            return None
        if outcome.finished:
            return model_document(folder, card, outcome, after, world_size=ranks.world_size)
    again = potential_job(
        collection=collection, split=split, architecture=architecture, settings=settings, directory=directory,
        loss=loss, start=start, double=double, device=device, threads=threads, tally=asdict(after),
    )  # fmt: skip
    again.name = CURRENT_JOB.job.name
    return Response(replace=again)
