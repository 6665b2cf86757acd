"""Active learning of an interatomic potential: a committee explores, and asks for what it disagrees on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow, OnMissing, OutputReference

from zonemelt.flows.potential import CommitteeMaker, LinearPotentialMaker, PotentialMaker
from zonemelt.flows.relabel import COMMITTEES, DATASET, RelabelMaker
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.deform import Deform
from zonemelt.tasks.explore.explorers import explore, explore_job
from zonemelt.tasks.quality.judge import POTENTIAL
from zonemelt.tasks.rounds.choose import choose_job
from zonemelt.tasks.rounds.collection import collection_job
from zonemelt.tasks.rounds.judge import judge_job
from zonemelt.tasks.train.model_folder import CARD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobflow import Job

# Seeds of everything random are told apart by what they are for.
_HELDOUT, _EXPLORE = 1_000_000, 2_000_000


@dataclass
class RelabelPotentialMaker(RelabelMaker):
    """Wire a campaign that ends with a committee of potentials and the dataset it was trained on.

    Args:
        structures: what everything begins with: documents with ``identifier`` and ``geometry``.
        start: a :class:`.Deform` explorer, which makes what is labelled first and what is held out.
        initial: labels that the first committee is trained on, the structures themselves among them.
        heldout: labels that errors are measured on, never learnt from.
        committee: ``members``; ``kind``, ``linear`` or ``network``; ``basis`` and ``energy_weight``, or
            ``architecture``, ``settings`` and ``loss``: see the makers in :mod:`zonemelt.flows.potential`.
        validation: share of the records that a training validates on.
        explore: name → an explorer, see :func:`.explorer_of`; the committee drives those that need one.
        walkers: jobs of each explorer in a round; each has its own random numbers.
        acquire: how candidates are chosen, see :func:`.choose_job`.
    """

    name: str = "relabel-potential"
    structures: list[dict[str, Any]] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)
    initial: int = 8
    heldout: int = 8
    committee: dict[str, Any] = field(default_factory=dict)
    validation: float = 0.1
    explore: dict[str, dict[str, Any]] = field(default_factory=dict)
    walkers: int = 1
    acquire: dict[str, Any] = field(default_factory=dict)

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

    def judge(self, **arguments: Any) -> Job:
        """See :func:`.judge_job`."""
        return judge_job(**arguments)

    def choose(
        self, number: int, now: Mapping[str, Any], *, waiting: list[Any], asked: Any, without: list[str]
    ) -> Flow:
        """Explore with the committee, job by job, and choose among what was found."""
        walks = []
        for place, (name, explorer) in enumerate(sorted(self.explore.items())):
            for walker in range(self.walkers):
                seed = self.seed + _EXPLORE + 1000 * number + 100 * place + walker
                walks.append(
                    self._step(
                        explore_job(
                            explorer=explorer, parents=self.structures, seed=seed, potential=now["committee"]
                        ),
                        "explore", kind="explore", label=f"explore {name} {walker}", round=number,
                    )
                )  # fmt: skip
        choice = self._step(
            choose_job(
                found=[walk.output for walk in walks], committee=now["committee"], dataset=now["dataset"],
                version=now["version"], waiting=waiting, without=without, asked=asked,
                most=self.stop.get("labels"), batch=self.batch, acquire=self.acquire, seed=self.seed + number,
            ),
            "choose", round=number,
        )  # fmt: skip
        choice.config.on_missing_references = OnMissing.NONE  # a walker that failed has found nothing
        return Flow([*walks, choice], output=choice.output, name=f"choice {number}")

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
