"""Active learning of formation energies: label, learn, choose what to label next, and again.

The graph grows as it runs: what is labelled in a round is known only when the round before has been
learned from, so ``round_job`` replaces itself by the jobs of its round. Every label is a job of its
own. All arms (a strategy and a seed each) share the labels: one wanted by several is computed once,
and an arm is trained only on those it asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Job, Maker, OutputReference, Response, job

from zonemelt.tasks.acquire.arms import initial_job, select_job
from zonemelt.tasks.featurize.describe import featurize_job
from zonemelt.tasks.generate.candidates import enumerate_job, reference_crystals
from zonemelt.tasks.judge.references import fit_references_job
from zonemelt.tasks.judge.screening import hull_job, predict_job
from zonemelt.tasks.judge.summary import summarize_job
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.learn.jobs import train_job
from zonemelt.tasks.quality.table import ingest_job


@dataclass
class ActiveLearningMaker(Maker):
    """Wire one campaign of active learning on the orderings of two elements.

    Args:
        name: of the campaign; in the metadata of every job, next to its ``step``.
        elements: the two elements.
        oracle: name of the oracle.
        settings: its settings.
        reference_strains: linear strains of the pure elements, relative to the experimental lattice.
        sizes: of the cells, atoms.
        max_aspect: longest over shortest lattice vector of the cells considered.
        strains: linear strains of every ordering.
        rattle: standard deviation of the displacements of the rattled copies, Å; 0 for no such copies.
        heldout_orderings: how many orderings are only tested on.
        strategies: the first is the campaign's; others are controls.
        repeats: repetitions of each strategy, from different first labels.
        initial: labels an arm starts from.
        rounds: of choosing and labelling.
        batch: labels an arm chooses in a round.
        confirm: how many of the predicted most stable are labelled at the end.
        features: kind of features.
        cutoff: of the features, Å.
        seed: of everything random.
    """

    name: str = "active-learning"
    elements: list[str] = field(default_factory=list)
    oracle: str = "emt"
    settings: dict[str, Any] = field(default_factory=dict)
    reference_strains: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=lambda: [2, 3, 4])
    max_aspect: float = 3.0
    strains: list[float] = field(default_factory=list)
    rattle: float = 0.0
    heldout_orderings: int = 5
    strategies: list[str] = field(default_factory=lambda: ["uncertainty", "random"])
    repeats: int = 1
    initial: int = 6
    rounds: int = 2
    batch: int = 6
    confirm: int = 2
    features: str = "pairs"
    cutoff: float = 6.0
    seed: int = 0

    def make(self) -> Flow:
        """Build the graph as far as it is known before anything has been labelled."""
        crystals = reference_crystals(self.elements, self.reference_strains)
        pure = [self._label(name, geometry, "reference") for name, geometry in crystals.items()]
        records = [one.output for one in pure]
        references = self._step(fit_references_job(records=records), "references")
        plan = self._step(
            enumerate_job(
                references=references.output,
                elements=self.elements,
                sizes=self.sizes,
                max_aspect=self.max_aspect,
                strains=self.strains,
                rattle=self.rattle,
                heldout_orderings=self.heldout_orderings,
                seed=self.seed,
            ),
            "enumerate",
        )
        features = self._step(
            featurize_job(
                candidates=plan.output["candidates"],
                extra=crystals,
                kind=self.features,
                elements=self.elements,
                cutoff=self.cutoff,
            ),
            "featurize",
        )
        base = self._step(ingest_job(records=records, references=references.output), "ingest")
        first = self._step(
            initial_job(
                plan=plan.output,
                strategies=self.strategies,
                repeats=self.repeats,
                count=self.initial,
                seed=self.seed,
            ),
            "select",
        )
        loop = self._round(
            number=0,
            wanted=first.output["wanted"],
            plan=plan.output,
            sources=Sources(features.uuid, references.uuid, base.uuid, first.uuid),
            after=features.output["identifiers"],
        )
        summary = self._step(
            summarize_job(
                maker=self.as_dict(),
                references=references.output,
                plan=plan.output,
                outcome=loop.output,
            ),
            "summary",
        )
        jobs: list[Flow | Job] = [*pure, references, plan, features, base, first, loop, summary]
        return Flow(jobs, output=summary.output, name=self.name)

    def make_round(self, *, number: int, wanted: list[str], plan: dict[str, Any], sources: Sources) -> Flow:
        """The jobs of one round: label what is wanted, ingest, train every arm, choose, go on.

        Args:
            number: of the round; 0 labels what ``initial_job`` chose.
            wanted: identifiers to label.
            plan: what ``enumerate_job`` returned.
            sources: the jobs whose outputs the round needs.
        """
        labelling, labels = self._labels(wanted, plan, sources, step=f"round {number}")
        features = OutputReference(sources.features)
        chosen = OutputReference(sources.arms)
        training = [
            self._step(
                train_job(
                    arm=chosen["arms"][arm],
                    labels=labels.output,
                    features=features,
                    base=self.base,
                    heldout=plan["heldout"],
                    seed=self.seed,
                ),
                "train",
                round=number,
            )
            for arm in range(len(self.strategies) * self.repeats)
        ]
        arms = [one.output for one in training]
        sources = Sources(sources.features, sources.references, labels.uuid, sources.arms)
        if number == self.rounds:
            last = self._step(
                predict_job(
                    plan=plan,
                    features=features,
                    labels=labels.output,
                    base=self.base,
                    elements=self.elements,
                    confirm=self.confirm,
                    seed=self.seed,
                ),
                "predict",
            )
            following = self._step(
                confirm_job(
                    maker=self.as_dict(),
                    wanted=last.output["wanted"],
                    plan=plan,
                    sources=sources.uuids(),
                    prediction_from=last.uuid,
                ),
                "confirm",
            )
            output = {"arms": arms, "final": following.output}
            return Flow([*labelling, labels, *training, last, following], output=output)
        select = self._step(
            select_job(
                arms=arms, features=features, pool=plan["pool"], labels=labels.output, count=self.batch
            ),
            "select",
            round=number + 1,
        )
        following = self._round(
            number=number + 1,
            wanted=select.output["wanted"],
            plan=plan,
            sources=Sources(sources.features, sources.references, labels.uuid, select.uuid),
        )
        return Flow([*labelling, labels, *training, select, following], output=following.output)

    def make_confirmation(
        self, *, wanted: list[str], plan: dict[str, Any], sources: Sources, prediction: str
    ) -> Flow:
        """Label the predicted most stable, and place everything on the hull."""
        labelling, labels = self._labels(wanted, plan, sources, step="confirm")
        hull = self._step(
            hull_job(
                plan=plan,
                labels=labels.output,
                prediction=OutputReference(prediction),
                elements=self.elements,
            ),
            "hull",
        )
        output = {"hull": hull.output, "labels": labels.output}
        return Flow([*labelling, labels, hull], output=output)

    @property
    def base(self) -> list[str]:
        """Identifiers of the pure elements, which every arm trains on."""
        return list(reference_crystals(self.elements, self.reference_strains))

    def _labels(
        self, wanted: list[str], plan: dict[str, Any], sources: Sources, *, step: str
    ) -> tuple[list[Job], Job]:
        geometries = {c["identifier"]: c["geometry"] for c in plan["candidates"]}
        labelling = [self._label(name, geometries[name], step) for name in wanted]
        labels = ingest_job(
            records=[one.output for one in labelling],
            references=OutputReference(sources.references),
            earlier=OutputReference(sources.labels),
        )
        return labelling, self._step(labels, "ingest")

    def _label(self, name: str, geometry: dict[str, Any], step: str) -> Job:
        made = label_job(identifier=name, geometry=geometry, oracle=self.oracle, settings=self.settings)
        return self._step(made, "label", label=f"label {name}", why=step)

    def _round(
        self,
        *,
        number: int,
        wanted: Any,
        plan: Any,
        sources: Sources,
        after: Any = None,
    ) -> Job:
        made = round_job(
            maker=self.as_dict(),
            number=number,
            wanted=wanted,
            plan=plan,
            sources=sources.uuids(),
            after=after,
        )
        return self._step(made, "round", label=f"round {number}")

    def _step(self, made: Job, step: str, *, label: str | None = None, **more: Any) -> Job:
        """Name a job and say in its metadata which step of which campaign it is."""
        made.name = label or step
        made.metadata = {"campaign": self.name, "step": step, **more}
        return made


@dataclass(frozen=True)
class Sources:
    """The uuids of the jobs whose outputs a round reads; not their outputs, which may be large."""

    features: str
    references: str
    labels: str
    arms: str

    def uuids(self) -> dict[str, str]:
        """As a dictionary, for a job's arguments."""
        return dict(vars(self))


@job
def round_job(
    *,
    maker: dict[str, Any],
    number: int,
    wanted: list[str],
    plan: dict[str, Any],
    sources: dict[str, str],
    after: Any = None,
) -> Response[Any]:
    """Replace this job by the jobs of round ``number``; ``after`` only makes it wait."""
    del after
    made = _maker(maker).make_round(number=number, wanted=wanted, plan=plan, sources=Sources(**sources))
    return Response(replace=made)


@job
def confirm_job(
    *,
    maker: dict[str, Any],
    wanted: list[str],
    plan: dict[str, Any],
    sources: dict[str, str],
    prediction_from: str,
) -> Response[Any]:
    """Replace this job by the labels that confirm the predictions, and by the hull."""
    made = _maker(maker).make_confirmation(
        wanted=wanted, plan=plan, sources=Sources(**sources), prediction=prediction_from
    )
    return Response(replace=made)


def _maker(document: Any) -> ActiveLearningMaker:
    """The maker, whether the manager has decoded it already or not."""
    if isinstance(document, ActiveLearningMaker):
        return document
    fields = {key: value for key, value in document.items() if not key.startswith("@")}
    return ActiveLearningMaker(**fields)
