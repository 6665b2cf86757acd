"""Train a generator on a dataset, and draw candidates from it, as jobs."""

# M crystals

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.datasets.arrays import CRYSTAL_COLUMNS, crystals_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.draw import draw
from zonemelt.tasks.generate.draw import settings_of as draw_settings_of
from zonemelt.tasks.generate.generator import load_generator
from zonemelt.tasks.generate.objective import FlowTerms
from zonemelt.tasks.generate.reduced import reduced
from zonemelt.tasks.generate.training import train_generator
from zonemelt.tasks.generate.wishes import Wish
from zonemelt.tasks.models.denoiser import DenoiserArchitecture
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.train.documents import settings_of
from zonemelt.tasks.train.jobs import check_world_size, train_in_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.train.loop import Outcome
    from zonemelt.tasks.train.model_folder import Card
    from zonemelt.tasks.train.ranks import Ranks


def denoiser_of(document: Mapping[str, Any]) -> DenoiserArchitecture:
    """The architecture of a generator from what a person says of it.

    Raises:
        UnknownKeyError: it has no such setting; with the nearest name.
        InputError: a value cannot be used.
    """
    return read_settings(DenoiserArchitecture, document, where="architecture of the generator")


def flow_terms_of(document: Mapping[str, Any]) -> FlowTerms:
    """The loss of a generator from what a person says of it; errors as above."""
    return read_settings(FlowTerms, document, where="loss of the generator")


def wish_of(document: Mapping[str, Any], *, number: int) -> Wish:
    """A wish from what a person says: ``composition``, ``system``, ``value``, ``atoms``.

    Raises:
        InputError: an unknown key, or a value that cannot be used.
    """
    said = {key: value for key, value in document.items() if value is not None}
    return read_settings(Wish, said, where=f"wish {number}", page="docs/generation.md")


def read_crystals(
    directory: str, version: str, *, most_atoms: int, wish: str = ""
) -> tuple[Crystals, list[str], tuple[str, str, NDArray[np.float64]] | None]:
    """The crystals of a dataset that are not too large, with reduced cells.

    Args:
        directory: of the dataset.
        version: its hash.
        most_atoms: of a crystal; larger ones are left out.
        wish: name of a property, or of an energy, that crystals are to be drawn for; empty for none.

    Returns:
        The crystals, their identifiers, and the name, unit and values of the property.

    Raises:
        InputError: there is no such dataset or property, or no crystal is small enough.
    """
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.tasks.train.property_values import read_properties

    dataset = open_dataset(directory, version)
    names = dataset.frame(["identifier", "natoms"])
    small = np.flatnonzero(names["natoms"].to_numpy() <= most_atoms)
    if not len(small):
        raise InputError(
            f"no crystal has {most_atoms} atoms or fewer",
            where=f"dataset {directory}",
            remedy="raise most_atoms",
        )
    crystals = crystals_of(dataset.rows(small, CRYSTAL_COLUMNS))
    target = None
    if wish:
        found = read_properties(dataset, [wish])
        target = found.properties[0][0], found.properties[0][1], found.values_NP[small, 0]
    return reduced(crystals), names["identifier"].iloc[small].tolist(), target


@job
def generator_job(
    *,
    dataset: str,
    version: str,
    split: dict[str, float],
    architecture: dict[str, Any],
    settings: dict[str, Any],
    directory: str,
    loss: dict[str, Any] | None = None,
    most_atoms: int = 20,
    wish: str = "",
    start: str = "",
    device: str = "auto",
    threads: int | None = None,
    tally: dict[str, Any] | None = None,
) -> Any:
    """Train a generator on a dataset; every rank of the job calls this.

    It ends before its walltime or its block does, and goes on as another job; see :func:`.train_in_time`.

    Args:
        dataset: its directory.
        version: of the dataset.
        split: ``seed``, and ``validation``, the share of the crystals that are judged on and not trained on.
        architecture: see :class:`.DenoiserArchitecture`.
        settings: see :class:`.TrainSettings`.
        directory: absolute; of checkpoints, metrics and the generator.
        loss: see :class:`.FlowTerms`.
        most_atoms: of a crystal; larger ones are left out.
        wish: the property that crystals are to be drawn for; empty for none.
        start: folder of a generator whose weights it begins with; empty for random ones.
        device: see :func:`.joined`.
        threads: of each rank; None for what its environment says.
        tally: what the jobs before this one did.

    Returns:
        The generator, of :func:`.model_document`; or a response with the job that goes on.

    Raises:
        InputError: something given cannot be used.
        JobError: the training cannot go on.
    """
    network, chosen, terms = denoiser_of(architecture), settings_of(settings), flow_terms_of(loss or {})

    def train(ranks: Ranks, deadline: float) -> tuple[Outcome, Card]:
        crystals, names, target = read_crystals(dataset, version, most_atoms=most_atoms, wish=wish)
        parts = drawn_split(len(crystals), split)
        check_world_size(ranks.world_size, chosen, samples=len(parts["train"]))
        return train_generator(
            crystals, names, parts, network,
            settings=chosen, terms=terms, ranks=ranks, directory=Path(directory), wish=target,
            start=start, deadline=deadline,
        )  # fmt: skip

    return train_in_time(
        train,
        partial(
            generator_job,
            dataset=dataset, version=version, split=split, architecture=architecture, settings=settings,
            directory=directory, loss=loss, most_atoms=most_atoms, wish=wish, start=start, device=device,
            threads=threads,
        ),
        directory=directory, device=device, threads=threads, tally=tally,
    )  # fmt: skip


def drawn_split(count: int, split: Mapping[str, float]) -> dict[str, NDArray[np.int64]]:
    """Rows of ``train`` and ``validation``, at random.

    Raises:
        InputError: an unknown key, no seed, or a share that leaves a part without crystals.
    """
    if set(split) != {"seed", "validation"}:
        raise InputError(
            f"{dict(split)}", where="split of a generator", remedy="give 'seed' and 'validation', a share"
        )
    judged = round(split["validation"] * count)
    if not 0 <= judged < count or split["validation"] < 0:
        raise InputError(
            f"validation {split['validation']} of {count} crystals",
            where="split of a generator",
            remedy="give a share from 0 to below 1",
        )
    rows = np.random.default_rng(int(split["seed"])).permutation(count)
    parts = {"train": np.sort(rows[judged:])}
    return parts | ({"validation": np.sort(rows[:judged])} if judged else {})


@job
def sample_job(
    *,
    generator: str,
    count: int,
    seed: int,
    wishes: list[dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Draw candidates.

    Args:
        generator: its folder.
        count: crystals to draw; they are shared out evenly among the wishes.
        seed: of the noise; give each job its own.
        wishes: see :func:`wish_of`; none for whatever the generator draws.
        settings: see :class:`.SampleSettings`.

    Returns:
        ``candidates``: :class:`.Candidate` documents, without those that are no structures or there already;
        ``counts`` of both.

    Raises:
        InputError: something given cannot be used.
    """
    asked = [wish_of(one, number=number) for number, one in enumerate(wishes or [])]
    how = draw_settings_of(settings or {}, seed=seed)
    return draw(load_generator(generator), how, number=count, wishes=asked).document()
