"""A training as a job: it ends in time, and goes on as another job until the model is there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import CURRENT_JOB, Response, job

from zonemelt.tasks.deadline import deadline_of_job
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.shards.shard_set import ShardSet
from zonemelt.tasks.train.collection import read_collection, split_of
from zonemelt.tasks.train.documents import architecture_of, settings_of
from zonemelt.tasks.train.model_folder import WEIGHTS
from zonemelt.tasks.train.properties import train_properties
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.tally import Tally
from zonemelt.tasks.train.transfer import Transfer
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jobflow import Job
    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.models.registry import Architecture
    from zonemelt.tasks.train.labelled import Labelled
    from zonemelt.tasks.train.loop import Outcome
    from zonemelt.tasks.train.model_folder import Card
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings


def check_world_size(world_size: int, settings: TrainSettings, *, samples: int | None = None) -> None:
    """Refuse a training whose ranks would have nothing to do in some step.

    The samples of a step need not divide evenly among the ranks: the gradient is that of all together.

    Args:
        world_size: how many ranks train.
        settings: of the training.
        samples: how many are trained on, where that is known.

    Raises:
        InputError: a step has fewer samples than there are ranks, in fact or as planned.
    """
    batch = settings.batch_size if samples is None else min(settings.batch_size, samples)
    least = batch if samples is None else samples // -(-samples // batch)
    for ranks, called in ((world_size, "ranks"), (settings.planned_ranks, "planned_ranks")):
        if ranks > least:
            raise InputError(
                f"{ranks} {called}, and steps of {least} samples",
                where=f"batch_size {settings.batch_size}"
                + ("" if samples is None else f", {samples} training samples"),
                remedy="ask for fewer ranks or larger steps: each rank needs a sample in each",
            )


def check_edges(labelled: Labelled, edges: Edges) -> None:
    """Refuse shards whose graphs are not those that the model will be given when it predicts.

    Raises:
        InputError: naming both.
    """
    if not isinstance(labelled.source, ShardSet):
        return
    found, wanted = dict(labelled.source.shard(0).about["edges"]), asdict(edges)
    if found != wanted:
        raise InputError(
            f"its graphs have edges {found}, the model reads {wanted}",
            where=str(labelled.source.directory),
            remedy="write shards with the cutoff and k of the model, or change the model",
        )


@contextmanager
def threads_of_torch(number: int | None) -> Iterator[None]:
    """Let torch use so many threads for the duration of the block; None for as many as it does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_in_time(
    train: Callable[[Ranks, float], tuple[Outcome, Card]],
    again: Callable[..., Job],
    *,
    directory: str,
    device: str,
    threads: int | None,
    tally: Mapping[str, Any] | None,
) -> Any:
    """The frame of every job that trains: it ends in time, and another one goes on where it stopped.

    Args:
        train: what to do, given the ranks and the time, as of :func:`time.time`, to be done by.
        again: makes the job that goes on, given ``tally``.
        directory: absolute; of checkpoints, metrics and the model.
        device: see :func:`.joined`.
        threads: of each rank; None for what its environment says.
        tally: what the jobs before this one did, see :class:`.Tally`.

    Returns:
        The model, of :func:`model_document`; or a response with the job that goes on; None on all ranks but
        the first.

    Raises:
        InputError: the directory is not absolute.
        JobError: jobs in a row have made no headway.
    """
    folder = check_directory(directory)
    before = Tally(**tally or {})
    with threads_of_torch(threads), joined(device=device) as ranks:
        outcome, card = train(ranks, deadline_of_job())
        after = before.with_outcome(outcome, where=str(folder))
        if not ranks.writes:
            return None
        if outcome.finished:
            return model_document(folder, card, outcome, after, world_size=ranks.world_size)
    following = again(tally=asdict(after))
    following.name = CURRENT_JOB.job.name
    return Response(replace=following)


@job
def train_job(
    *,
    collection: dict[str, Any],
    split: dict[str, Any],
    architecture: dict[str, Any],
    settings: dict[str, Any],
    directory: str,
    loss: str | dict[str, Any] = "mae",
    transfer: dict[str, Any] | None = None,
    weights: dict[str, float] | None = None,
    each: str = "property",
    device: str = "auto",
    threads: int | None = None,
    tally: dict[str, Any] | None = None,
) -> Any:
    """Train a network on a collection; every rank of the job calls this.

    It ends before its walltime or its block does. Where the training is not finished then, this job is
    replaced by one that goes on with it, with the same resources.

    Args:
        collection: see :func:`.read_collection`.
        split: see :func:`.split_of`.
        architecture: see :func:`.architecture_of`.
        settings: see :func:`.settings_of`.
        directory: absolute; of checkpoints, metrics and the model. What is there is gone on with.
        loss: see :func:`.head_of`.
        transfer: a :class:`.Transfer`, to begin from a trained model.
        weights: of properties in the loss.
        each: what weighs the same; see :func:`.train_properties`.
        device: see :func:`.joined`.
        threads: of each rank; None for what its environment says.
        tally: what the jobs before this one did, see :class:`.Tally`.

    Returns:
        The model, of :func:`model_document`; or a response with the job that goes on.

    Raises:
        InputError: something given cannot be used.
        JobError: the training cannot go on: it diverges, is too large for memory, or has no time for a step.
    """
    network, chosen = architecture_of(architecture), settings_of(settings)

    def train(ranks: Ranks, deadline: float) -> tuple[Outcome, Card]:
        labelled, parts = _read(collection, split, network, chosen, ranks=ranks)
        return train_properties(
            labelled, parts, network, chosen,
            ranks=ranks, directory=Path(directory), loss=loss, deadline=deadline,
            transfer=None if transfer is None else Transfer.model_validate(transfer),
            weights=weights, each=each,  # type: ignore[arg-type]
        )  # fmt: skip

    return train_in_time(
        train,
        partial(
            train_job,
            collection=collection, split=split, architecture=architecture, settings=settings,
            directory=directory, loss=loss, transfer=transfer, weights=weights, each=each,
            device=device, threads=threads,
        ),
        directory=directory, device=device, threads=threads, tally=tally,
    )  # fmt: skip


def _read(
    collection: Mapping[str, Any],
    split: Mapping[str, Any],
    architecture: Architecture,
    settings: TrainSettings,
    *,
    ranks: Ranks,
) -> tuple[Labelled, dict[str, NDArray[Any]]]:
    labelled = read_collection(collection)
    check_edges(labelled, architecture.edges)
    parts = split_of(split, labelled)
    check_world_size(ranks.world_size, settings, samples=len(parts["train"]))
    return labelled, parts


def model_document(
    folder: Path, card: Card, outcome: Outcome, tally: Tally, *, world_size: int
) -> dict[str, Any]:
    """What a finished training gives.

    Returns:
        ``folder``; ``weights``, the SHA-256 of the file with the weights; ``card``; ``metrics``; ``epochs``,
        ``best_epoch`` and ``parts`` as in :class:`.Outcome`; ``world_size``; and of all its jobs ``jobs``,
        ``steps``, ``samples``, ``seconds`` of steps, ``samples_per_second`` and ``waiting``, the share of
        these seconds that was spent waiting for data.
    """
    return {
        "folder": str(folder),
        "weights": sha256_of(folder / WEIGHTS),
        "card": card.model_dump(mode="json"),
        "metrics": card.metrics,
        "epochs": outcome.epochs,
        "best_epoch": outcome.best_epoch,
        "parts": outcome.parts,
        "world_size": world_size,
        **tally.summary(),
    }
