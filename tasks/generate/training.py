"""Train a generator of crystals, with the trainer of all models."""

# M crystals of the set, N samples

from __future__ import annotations

import hashlib
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.cells import stretches
from zonemelt.tasks.generate.generator import GeneratorCard
from zonemelt.tasks.generate.objective import FlowObjective
from zonemelt.tasks.generate.padded import CrystalSet, Standard, check_crystals
from zonemelt.tasks.generate.samples import JUDGED, NoisySamples
from zonemelt.tasks.generate.warm import begin_with
from zonemelt.tasks.train.checkpoint import after_epoch, weights_of
from zonemelt.tasks.train.labelled import check_split
from zonemelt.tasks.train.loop import Outcome, train
from zonemelt.tasks.train.model_folder import (
    WEIGHTS,
    Target,
    describe_hardware,
    json_of,
    save_model,
    versions,
)
from zonemelt.tasks.train.settings import that_must_stay
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.generate.objective import FlowTerms
    from zonemelt.tasks.models.denoiser import DenoiserArchitecture
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings

    Rows = NDArray[np.int64]

METRIC: Final = "validation loss"
SHOWN: Final = 0.5
"""Share of crystals whose species are known in training: half of it is structure prediction."""
WISHED: Final = 0.8
"""Share of crystals whose property is told: without, a wish could not be compared with none."""


def train_generator(
    crystals: Crystals,
    names_M: Sequence[str],
    split: Mapping[str, Rows],
    architecture: DenoiserArchitecture,
    *,
    settings: TrainSettings,
    terms: FlowTerms,
    ranks: Ranks,
    directory: Path,
    wish: tuple[str, str, NDArray[np.float64]] | None = None,
    start: str = "",
    deadline: float = math.inf,
) -> tuple[Outcome, GeneratorCard]:
    """Train one, or go on with it; when it is finished it is written into the directory.

    Args:
        crystals: M crystals; cells as they are, so reduce them before.
        names_M: what they are called.
        split: rows of ``train``, and of ``validation`` where the best epoch is to be kept and not the last.
        architecture: of the network.
        settings: of the training.
        terms: weights of the loss.
        ranks: who trains.
        directory: for checkpoints, metrics and the generator.
        wish: name, unit and values (M,) of a property that crystals are to be drawn for; NaN where one has
            none.
        start: folder of a generator whose weights it begins with; empty for random ones.
        deadline: see :func:`.loop.train`.

    Returns:
        How it ended, and what the generator is.

    Raises:
        InputError: a sample is in both parts, there is nothing to train on, a structure is no crystal, or an
            element of the validation part is not in the training part.
    """
    import torch

    check_split(split, names_M)
    check_crystals(crystals, names_M)
    if not len(split["train"]):
        raise InputError("there is nothing to train on", where="split", remedy="give training samples")
    own = crystals.take(split["train"])
    numbers_K = np.unique(own.numbers_A).astype(np.int64)
    standard = Standard.of(stretches(own.cells_G33, own.sizes_G))
    target, values_M = _target(wish, split["train"])
    card = _card(own, numbers_K, standard, architecture, target).model_copy(
        update={
            "target_range": None if wish is None else _range(wish[2][split["train"]]),
            "training": {**_about(crystals, names_M, split, settings, terms), "start": _weights(start)},
            "versions": versions(),
            "hardware": describe_hardware(ranks.device),
        }
    )

    def samples(part: str) -> NoisySamples:
        rows = split[part]
        return NoisySamples(
            CrystalSet(
                crystals.take(rows), elements=numbers_K, standard=standard,
                values_M=None if values_M is None else values_M[rows],
            ),
            [names_M[row] for row in rows.tolist()],
            batch_size=settings.batch_size, planned_ranks=settings.planned_ranks, seed=settings.seed,
            shown=SHOWN, wished=WISHED,
        )  # fmt: skip

    torch.manual_seed(settings.seed)
    network = architecture.make(species=len(numbers_K))
    if start:
        begin_with(network, start, architecture, card.elements)
    objective = FlowObjective(terms)
    judged = samples("validation") if "validation" in split else None

    def judge(model: torch.nn.Module) -> dict[str, float]:
        assert judged is not None
        return losses(model, judged, objective, together=settings.batch_size, ranks=ranks)

    outcome = train(
        network,
        objective,
        samples("train"),
        judge if judged is not None else None,
        settings,
        ranks=ranks,
        directory=directory,
        metric=METRIC if judged is not None else "training loss",
        card={"network": json_of(architecture), "training": that_must_stay(card.training)},
        deadline=deadline,
    )
    if not outcome.finished:
        return outcome, card
    ranks.barrier()  # rank 0 has written what the others read now
    kept = outcome.best_epoch if judged is not None else outcome.epochs - 1
    network.load_state_dict(weights_of(after_epoch(directory, kept), averaged=settings.ema is not None))
    if judged is not None:
        card = card.model_copy(update={"metrics": judge(network)})
    if ranks.writes:
        save_model(directory, network.state_dict(), card)
    ranks.barrier()
    return outcome, card


def losses(
    model: torch.nn.Module, samples: NoisySamples, objective: FlowObjective, *, together: int, ranks: Ranks
) -> dict[str, float]:
    """The loss on samples, always in the same noise, and its terms; the same on every rank."""
    import torch

    names = sorted(objective.weights)
    sums = torch.zeros(2, len(names), dtype=torch.float64, device=ranks.device)
    model.eval()
    with torch.inference_mode():
        for start in range(together * ranks.rank, len(samples), together * ranks.world_size):
            members = np.arange(start, min(start + together, len(samples)))
            batch = samples.batch(members, JUDGED, device=ranks.device)
            totals, counts = objective.totals(model, batch), objective.counts(batch)
            sums[0] += torch.stack([totals[name].double() for name in names])
            sums[1] += torch.tensor([counts[name] for name in names], device=ranks.device)
    totals_T, counts_T = ranks.sum(sums)
    means = dict(zip(names, (totals_T / counts_T.clamp(min=1)).tolist(), strict=True))
    whole = sum(objective.weights[name] * mean for name, mean in means.items())
    return {METRIC: whole, **{f"validation {name}": mean for name, mean in means.items()}}


def _target(
    wish: tuple[str, str, NDArray[np.float64]] | None, rows: Rows
) -> tuple[Target | None, NDArray[np.float64] | None]:
    """The property that can be wished for, and its standardized values.

    Raises:
        InputError: fewer than two training crystals have it, or it is the same in all.
    """
    if wish is None:
        return None, None
    name, unit, values_M = wish
    known = values_M[rows][np.isfinite(values_M[rows])]
    if len(known) < 2 or not known.std() > 0:  # noqa: PLR2004
        raise InputError(
            f"{len(known)} training crystals have it, with a spread of {known.std() if len(known) else 0}",
            where=f"property '{name}' of a generator",
            remedy="give a property that crystals have, and that differs among them",
        )
    target = Target(name=name, unit=unit, shift=float(known.mean()), scale=float(known.std()))
    return target, (values_M - target.shift) / target.scale


def _range(values_N: NDArray[np.float64]) -> tuple[float, float]:
    return float(np.nanmin(values_N)), float(np.nanmax(values_N))


def _card(
    crystals: Crystals,
    numbers_K: Rows,
    standard: Standard,
    architecture: DenoiserArchitecture,
    target: Target | None,
) -> GeneratorCard:
    from ase.data import chemical_symbols

    return GeneratorCard(
        network=architecture,
        elements=tuple(chemical_symbols[number] for number in numbers_K),
        sizes=dict(sorted(Counter(crystals.sizes_G.tolist()).items())),
        stretch_mean=tuple(standard.mean_6.tolist()),
        stretch_deviation=standard.deviation,
        target=target,
    )


def _about(
    crystals: Crystals,
    names_M: Sequence[str],
    split: Mapping[str, Rows],
    settings: TrainSettings,
    terms: FlowTerms,
) -> dict[str, Any]:
    """What the card says of the training."""
    sets = {
        f"{'training' if part == 'train' else part}_set": _digest(crystals.take(rows), names_M, rows)
        for part, rows in split.items()
    }
    return {**json_of(settings), "loss": json_of(terms), "samples": len(split["train"]), **sets}


def _weights(start: str) -> str:
    """Of those a training begins with."""
    return sha256_of(Path(start) / WEIGHTS)[:16] if start else ""


def _digest(crystals: Crystals, names_M: Sequence[str], rows: Rows) -> str:
    found = hashlib.sha256("\0".join(names_M[row] for row in rows.tolist()).encode())
    for array in (crystals.numbers_A, crystals.positions_A3, crystals.cells_G33, crystals.first_G):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]
