"""Mean errors of a potential on labelled structures, shared out among ranks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.metrics.energies_forces import UNITS, named
from zonemelt.tasks.potentials.fitting.objective import differentiated, errors, present

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from zonemelt.tasks.train.graph_samples import GraphSamples
    from zonemelt.tasks.train.ranks import Ranks

METRIC: Final = "weighted scaled mae"


def mean_errors(
    model: torch.nn.Module,
    samples: GraphSamples,
    *,
    scale: float,
    weights: Mapping[str, float],
    together: int,
    double: bool,
    ranks: Ranks,
) -> dict[str, float]:
    """Mean absolute errors, and roots of mean squares; the same on every rank.

    Args:
        model: on the rank's device.
        samples: with labels; in double precision where ``double``.
        scale: of energies and forces, eV/Å.
        weights: of the terms in :data:`METRIC`, the weighted mean of their mean absolute scaled errors.
        together: structures in a batch.
        double: whether to evaluate in double precision what was trained in single.
        ranks: who computes.
    """
    import torch

    model = (copy.deepcopy(model).double() if double else model).eval()
    sums = torch.zeros(2, len(UNITS), 3, dtype=torch.float64, device=ranks.device)
    batches = np.array_split(np.arange(len(samples)), -(-len(samples) // together))
    for rows in batches[ranks.rank :: ranks.world_size]:
        batch = samples.batch(rows).to(ranks.device)
        found = errors(differentiated(model, batch, keep=False), batch, scale=scale)
        there = present(batch)
        factor_G = batch["cell"].det().abs() / batch["ptr"].diff() / scale  # scaled virials of a stress
        for term, name in enumerate(UNITS):
            error = found[name].detach().double()
            in_units = error / factor_G[:, None, None] if name == "stress" else error * scale
            for kind, values in enumerate((error, in_units)):
                known = values[there[name]]
                sums[kind, term] += torch.stack(
                    [known.new_tensor(known.numel()), known.abs().sum(), (known**2).sum()]
                )
    scaled, in_units = ranks.sum(sums).tolist()
    metrics = {}
    for name, (count, absolute, squared) in zip(UNITS, in_units, strict=True):
        if count:
            metrics[named(name, "mae")] = absolute / count
            metrics[named(name, "rmse")] = float(np.sqrt(squared / count))
    counted = {name: row for name, row in zip(UNITS, scaled, strict=True) if row[0] and weights.get(name)}
    total = sum(weights[name] for name in counted)
    score = sum(weights[name] * row[1] / row[0] for name, row in counted.items()) / total
    return {METRIC: score, **metrics}
