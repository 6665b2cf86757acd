"""The training of potentials as jobs: of networks, which end in time and go on; and of linear ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.potentials.architecture import PotentialArchitecture
from zonemelt.tasks.potentials.fitting.collection import read_structures
from zonemelt.tasks.potentials.fitting.linear_fit import fit_linear
from zonemelt.tasks.potentials.fitting.objective import Terms
from zonemelt.tasks.potentials.fitting.training import train_potential
from zonemelt.tasks.potentials.linear import Basis
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.train.collection import split_of
from zonemelt.tasks.train.documents import settings_of
from zonemelt.tasks.train.jobs import check_edges, check_world_size, threads_of_torch, train_in_time
from zonemelt.tasks.train.model_folder import WEIGHTS
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.train.loop import Outcome
    from zonemelt.tasks.train.model_folder import Card
    from zonemelt.tasks.train.ranks import Ranks


def potential_of(document: Mapping[str, Any] | PotentialArchitecture) -> PotentialArchitecture:
    """The architecture of a potential from what a person says of it.

    Raises:
        UnknownKeyError: it has no such setting; with the nearest name.
        InputError: a value cannot be used.
    """
    if isinstance(document, PotentialArchitecture):
        return document
    return read_settings(PotentialArchitecture, document, where="architecture of the potential")


def terms_of(document: Mapping[str, Any] | Terms) -> Terms:
    """The loss from what a person says of it.

    Raises:
        UnknownKeyError: it has no such setting; with the nearest name.
        InputError: a value cannot be used.
    """
    if isinstance(document, Terms):
        return document
    return read_settings(Terms, document, where="loss of the potential")


def basis_of(document: Mapping[str, Any] | Basis) -> Basis:
    """The functions of a linear potential from what a person says of them.

    Raises:
        UnknownKeyError: there is no such setting; with the nearest name.
        InputError: a value cannot be used.
    """
    if isinstance(document, Basis):
        return document
    return read_settings(Basis, document, where="basis of the potential")


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
    network, chosen = potential_of(architecture), settings_of(settings)

    def train(ranks: Ranks, deadline: float) -> tuple[Outcome, Card]:
        labelled, theory = read_structures(collection)
        check_edges(labelled, network.edges)
        parts = split_of(split, labelled)
        check_world_size(ranks.world_size, chosen, samples=len(parts["train"]))
        return train_potential(
            labelled, parts, network, chosen, terms_of(loss),
            theory=theory, ranks=ranks, directory=Path(directory), start=start, double=double,
            deadline=deadline,
        )  # fmt: skip

    return train_in_time(
        train,
        partial(
            potential_job,
            collection=collection, split=split, architecture=architecture, settings=settings,
            directory=directory, loss=loss, start=start, double=double, device=device, threads=threads,
        ),
        directory=directory, device=device, threads=threads, tally=tally,
    )  # fmt: skip


@job
def linear_job(
    *,
    collection: dict[str, Any],
    split: dict[str, Any],
    basis: dict[str, Any],
    directory: str,
    energy_weight: float = 10.0,
    seed: int | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Fit a linear potential to a collection, in one go: what was killed begins anew.

    Args:
        collection: see :func:`.read_structures`.
        split: see :func:`.split_of`; with a part ``validation``.
        basis: see :class:`.Basis`.
        directory: absolute; of the potential.
        energy_weight: see :func:`.fit_linear`.
        seed: of the bootstrap; see :func:`.fit_linear`.
        threads: to compute with; None for what the environment says.

    Returns:
        ``folder``; ``weights``, the SHA-256 of the file with the weights; ``card``; and ``metrics``.

    Raises:
        InputError: something given cannot be used.
    """
    folder, functions = check_directory(directory), basis_of(basis)
    with threads_of_torch(threads):
        labelled, theory = read_structures(collection)
        check_edges(labelled, functions.edges)
        card = fit_linear(
            labelled, split_of(split, labelled), functions,
            theory=theory, directory=folder, energy_weight=energy_weight, seed=seed,
        )  # fmt: skip
    return {
        "folder": str(folder),
        "weights": sha256_of(folder / WEIGHTS),
        "card": card.model_dump(mode="json"),
        "metrics": card.metrics,
    }
