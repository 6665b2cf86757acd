"""The part of a loop of active learning that learns a committee of potentials, whatever it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow, OutputReference

from zonemelt.flows.potential import CommitteeMaker, LinearPotentialMaker, PotentialMaker
from zonemelt.flows.relabel import COMMITTEES, DATASET, RelabelMaker
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.deform import Deform
from zonemelt.tasks.explore.explorers import explore
from zonemelt.tasks.quality.judge import POTENTIAL
from zonemelt.tasks.rounds.collection import collection_job
from zonemelt.tasks.train.model_folder import CARD

if TYPE_CHECKING:
    from collections.abc import Sequence

_HELDOUT = 1_000_000  # seeds of everything random are told apart by what they are for


@dataclass
class RelabelCommitteeMaker(RelabelMaker):
    """Wire what is learnt: a committee of potentials, from structures and deformed copies of them at first.

    Args:
        structures: what everything begins with: documents with ``identifier`` and ``geometry``.
        start: a :class:`.Deform` explorer, which makes what is labelled first and what is held out.
        initial: labels that the first committee is trained on, the structures themselves among them.
        heldout: labels that errors are measured on, never learnt from.
        committee: ``members``; ``kind``, ``linear`` or ``network``; ``basis`` and ``energy_weight``, or
            ``architecture``, ``settings`` and ``loss``: see the makers in :mod:`zonemelt.flows.potential`.
        validation: share of the records that a training validates on.
    """

    structures: list[dict[str, Any]] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)
    initial: int = 8
    heldout: int = 8
    committee: dict[str, Any] = field(default_factory=dict)
    validation: float = 0.1

    def check(self) -> None:
        """Refuse what can be refused before anything is labelled.

        Raises:
            InputError: a setting of a training cannot be used, or there is no structure.
        """
        if not self.structures:
            raise InputError("there is none", where="structures", remedy="give one or more to begin with")
        names = [one["identifier"] for one in self.structures]
        fake = {"shards": "/", "dataset": "/", "version": ""}
        CommitteeMaker(
            train=self._train(), members=int(self.committee.get("members", 4)), directory="/committee"
        ).make(fake, {"train": [], "validation": []})
        if len(set(names)) < len(names):
            raise InputError("two have one name", where="structures", remedy="give each a name of its own")

    @property
    def need(self) -> list[str]:
        """Energies and forces, converged."""
        return list(POTENTIAL)

    def begin(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The structures and deformed copies of them to learn from; other copies to be held out."""
        parents = len(self.structures)
        drawn = []
        for wanted, seed in (
            (max(0, self.initial - parents), self.seed),
            (self.heldout, self.seed + _HELDOUT),
        ):
            copies = max(1, -(-wanted // parents))
            settings = Deform(**{**self.start, "copies": copies})
            found = explore(settings, self.structures, seed=seed)["candidates"]
            # a copy of every parent, then another of every parent, as far as is wanted
            drawn.append(sorted(found, key=lambda one: one["origin"]["settings"]["copy"])[:wanted])
        return [*self.structures[: self.initial], *drawn[0]], drawn[1]

    def learn(self, number: int, gathered: OutputReference, history: Sequence[Any], place: Path) -> Flow:
        """Shards of the version, and a committee trained on them, networks from the weights of the last."""
        train = self._train()
        collection = self._step(
            collection_job(
                dataset=str(place / DATASET), version=gathered["version"],
                directory=str(place / "shards" / f"round-{number}"), cutoff=cutoff_of(train),
                validation=self.validation, seed=self.seed,
            ),
            "collection", round=number,
        )  # fmt: skip
        members = int(self.committee.get("members", 4))
        committee = CommitteeMaker(
            train=train,
            members=members,
            directory=str(place / COMMITTEES / f"round-{number}"),
            starts=_starts(history, members) if isinstance(train, PotentialMaker) else [],
        ).make(collection.output["collection"], collection.output["split"])
        for one, _ in committee.iterflow():  # type: ignore[no-untyped-call]
            one.metadata = {"campaign": self.name, "step": "train", "round": number}
            one.config.manager_config["priority"] = 5
        return Flow([collection, committee], output=committee.output, name=f"train {number}")

    def _train(self) -> PotentialMaker | LinearPotentialMaker:
        """How a member is trained."""
        given = {key: value for key, value in self.committee.items() if key not in {"members", "kind"}}
        wanted = self.resources.get("train", {})
        if self.committee.get("kind", "linear") == "linear":
            known = {"pool", "threads", "walltime", "memory"}
            seed = int(given.pop("seed", self.seed))
            return LinearPotentialMaker(
                name="train", seed=seed, **given, **{k: v for k, v in wanted.items() if k in known}
            )
        settings = {"seed": self.seed, **given.pop("settings", {})}
        known = {"pool", "threads", "walltime", "memory", "nodes", "ranks_per_node", "gpus_per_rank"}
        return PotentialMaker(
            name="train", settings=settings, **given, **{k: v for k, v in wanted.items() if k in known}
        )


def cutoff_of(train: PotentialMaker | LinearPotentialMaker) -> float:
    """The longest edge that members need, Å."""
    from zonemelt.tasks.potentials.fitting.jobs import basis_of, potential_of

    if isinstance(train, PotentialMaker):
        return potential_of(train.architecture).cutoff
    return basis_of(train.basis).cutoff


def _starts(history: Sequence[Any], members: int) -> list[str]:
    """The folder whose weights each member begins with: its own of the last round, or one that is there."""
    if not history:
        return []
    folder = Path(history[-1]["committee"])
    there = [one for number in range(members) if ((one := folder / f"member-{number}") / CARD).is_file()]
    own = [folder / f"member-{number}" for number in range(members)]
    return [str(one if one in there else there[0]) for one in own] if there else []
