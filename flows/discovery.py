"""Discovery of crystals: a generator proposes, a potential and the hull dispose, an oracle has the last word.

The loop is that of :mod:`.relabel`. What is learnt in each round is a committee of potentials, models of the
properties that are looked for, and a generator of crystals, which is trained on what is known to be near the
hull and goes on from its weights of the round before. What is chosen are crystals that the generator drew and
that were judged: relaxed by the committee, new, placed on the hull (:mod:`.judge`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobflow import Flow, Job, OnMissing, Response, job

from zonemelt.flows.generator import GeneratorMaker
from zonemelt.flows.judge import JudgeMaker
from zonemelt.flows.makers import decoded
from zonemelt.flows.relabel import DATASET
from zonemelt.flows.relabel_committee import RelabelCommitteeMaker
from zonemelt.tasks.acquire.select import STRATEGIES
from zonemelt.tasks.atomistic.jobs import settings_of
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.generate.jobs import sample_job
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.judge.verdict_jobs import judging_of
from zonemelt.tasks.label.measured import MEASURES, check_measures
from zonemelt.tasks.label.registry import oracle_named
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.rounds.adopt import adopt, known_symbols
from zonemelt.tasks.rounds.discovery import judge_discovery_job
from zonemelt.tasks.rounds.draws import draw_near_job, read_draws
from zonemelt.tasks.rounds.near_hull import ABOVE_HULL, near_hull_job
from zonemelt.tasks.rounds.propose import candidates_job, propose_job, proposing_of
from zonemelt.tasks.rounds.screening import fit_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobflow import OutputReference

GENERATORS, MODELS, NEAR, RELAXATIONS = "generators", "models", "near-hull", "relaxations"
_GENERATOR: Final = ("architecture", "loss", "settings", "split", "device")
_SLACK: Final = 0.3  # eV/atom: labelled crystals farther above the hull are not relaxed as competitors
_DRAW: Final = 3_000_000  # seeds of everything random are told apart by what they are for


@dataclass
class DiscoveryMaker(RelabelCommitteeMaker):
    """Wire a campaign of discovery.

    ``structures`` and copies of them (``start``, ``initial``, ``heldout``) are labelled first; with ``known``
    there may be none.

    Args:
        known: ``dataset`` and ``version`` of labels to begin with, of the oracle's level of theory.
        target: what is looked for; see :class:`.Target`.
        models: property of the target → a classical model of it, such as ``{"family": "extra_trees"}``.
        measure: properties that the oracle measures beside each label, see :data:`.MEASURES`.
        generator: ``architecture``, ``settings`` and ``loss`` of :class:`.GeneratorMaker`; ``within``,
            eV/atom above the hull of what it learns from; ``most_atoms``; ``wish``, the property it is told.
        sample: ways to draw in a round, see :class:`.Draw`.
        relax: settings of relaxations by the committee.
        judging: see :class:`.Judging`; what is drawn together competes, where nothing else is said.
        refine: known crystals on the hull that are not at rest, relaxed and labelled again in a round.
        acquire: how the oracle's share is chosen, see :class:`.Proposing`.
    """

    name: str = "discovery"
    ahead: int = 0
    heldout: int = 0
    known: dict[str, str] = field(default_factory=dict)
    target: Any = ""
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    measure: list[str] = field(default_factory=list)
    generator: dict[str, Any] = field(default_factory=dict)
    sample: list[dict[str, Any]] = field(default_factory=lambda: [{"count": 100}])
    relax: dict[str, Any] = field(default_factory=lambda: {"force": 0.05, "steps": 200, "method": "lbfgs"})
    judging: dict[str, Any] = field(default_factory=dict)
    refine: int = 2
    acquire: dict[str, Any] = field(default_factory=dict)

    # ── before anything is spent ────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Refuse what can be refused before anything is labelled.

        Raises:
            InputError: the seeds do not suffice, the target cannot be met with their elements, or a setting
                cannot be used.
        """
        target = Target.of(self.target)
        if self.structures or not self.known:
            super().check()
        self._check_settings()
        elements, pure, labels = known_symbols(self.known, self.structures)
        if missing := sorted(elements - pure):
            raise InputError(
                f"there is no crystal of {', '.join(missing)} alone, so there would be no hull",
                where="seeds",
                remedy="add the pure elements: {bulk: Al}, or orderings of the elements",
            )
        members, first = int(self.committee.get("members", 4)), self.initial if self.structures else 0
        if labels + first < (least := max(4, members)):
            raise InputError(
                f"{labels} labels are known and {first} asked for first: too few for {members} potentials",
                where="initial",
                remedy=f"raise it to {least - labels} or more",
            )
        target.check_elements(elements, who="the seeds tell nothing, and the generator")
        self._check_draws(target, elements)

    def _check_draws(self, target: Target, elements: set[str]) -> None:
        for number, one in enumerate(read_draws(self.sample), start=1):
            named = {*one.composition, *one.elements}
            if strange := sorted(named - elements):
                raise InputError(
                    f"the seeds hold no {', '.join(strange)}, so the generator will not draw it",
                    where=f"sample, number {number}",
                    remedy=f"they hold {', '.join(sorted(elements))}; add seeds with other elements",
                )
            for wished in one.wishes(None):
                symbols = [
                    symbol for symbol, count in wished.get("composition", {}).items() for _ in range(count)
                ]
                if symbols and (faults := list(target.composition_faults(symbols))):
                    raise InputError(
                        f"a composition outside the target: {', '.join(faults)}",
                        where=f"sample, number {number}",
                        remedy="change the composition or the target",
                    )

    def _check_settings(self) -> None:
        target = Target.of(self.target)
        check_measures(self.measure)
        self._check_models(target)
        judging_of(self.judging)
        settings_of("relax", self.relax)
        read_draws(self.sample)
        settings = proposing_of(self.acquire)
        if settings.strategy not in STRATEGIES:
            raise UnknownKeyError.of(settings.strategy, STRATEGIES, where="acquire.strategy")
        known = {*_GENERATOR, "within", "most_atoms", "cells", "wish"}
        for key in self.generator:
            if key not in known:
                raise UnknownKeyError.of(key, known, where="generator")
        self.teacher("/generator", "").make("/dataset", "version")

    def _check_models(self, target: Target) -> None:
        for name, model in self.models.items():
            ModelSpec.of(model)
            if name not in target.predicted:
                raise UnknownKeyError.of(name, target.predicted, where="models")
        for name in target.predicted:
            if name in self.measure and name not in self.models:
                raise InputError(
                    f"{name} is measured of labels, and nothing predicts it of what is drawn",
                    where="models",
                    remedy=f"add {name}: {{family: extra_trees}}",
                )
        target.check_properties(self._units(target))

    def _units(self, target: Target) -> dict[str, str]:
        """Property that models learn → unit: as labels have it that are known, or as it is measured.

        What calculators of ASE and makers of atomate2 give beside energies is there with the first label.

        Raises:
            UnknownKeyError: what is known has no such property.
            InputError: neither known labels nor new ones will have it.
        """
        from zonemelt.tasks.train.property_values import read_properties

        units = {name: MEASURES[name] for name in self.models if name in self.measure}
        if oracle_named(self.oracle).properties:
            units = {name: target.ranges[name].unit for name in self.models} | units
        if not (others := [name for name in self.models if name not in units]):
            return units
        if not self.known:
            raise InputError(
                f"no label will hold {', '.join(others)}, so that no model could learn it",
                where="models",
                remedy=f"measure one of {', '.join(MEASURES)}, or begin with known labels that hold it",
            )
        found = open_dataset(self.known["dataset"], self.known.get("version") or None)
        return units | dict(read_properties(found, others).properties)

    # ── the steps of the loop ───────────────────────────────────────────────────────────────────────

    @property
    def need(self) -> list[str]:
        """Energies of both kinds and forces, converged: potentials learn one, the hull is of the other."""
        return [*super().need, "energy_sigma0"]

    def begin(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Structures and deformed copies of them; none where all is known."""
        return super().begin() if self.structures else ([], [])

    def make_begin(self, place: Path) -> Flow:
        """Take over what is known, label what is not, and begin with round 0."""
        if self.known:
            adopt(self.known["dataset"], self.known.get("version") or None, place / DATASET)
        return super().make_begin(place)

    def labels(
        self, candidates: Sequence[Mapping[str, Any]], *, why: str
    ) -> tuple[dict[str, dict[str, Any]], list[Job]]:
        """As in every loop; verdicts travel with what was judged."""
        waiting, labelling = super().labels(candidates, why=why)
        for one in candidates:
            if "verdict" in one:
                waiting[one["identifier"]]["verdict"] = one["verdict"]
        return waiting, labelling

    def label(self, candidate: Mapping[str, Any]) -> Job:
        """The job that labels a candidate, and measures its properties."""
        made = super().label(candidate)
        if self.measure:
            made.function_kwargs["measure"] = list(self.measure)
        return made

    def learn(self, number: int, gathered: OutputReference, history: Sequence[Any], place: Path) -> Flow:
        """A committee, a generator of what is near the hull, and models of properties."""
        dataset, version = str(place / DATASET), gathered["version"]
        committee = super().learn(number, gathered, history, place)
        near = self._step(
            near_hull_job(
                dataset=dataset, version=version, directory=str(place / NEAR / f"round-{number}"),
                within=float(self.generator.get("within", 0.2)),
                most_atoms=int(self.generator.get("most_atoms", 20)), wish=self.wish, target=self.target,
                cells=int(self.generator.get("cells", 0)), seed=self.seed,
            ),
            "near hull", round=number,
        )  # fmt: skip
        teach = self._step(
            teach_job(
                maker=self.as_dict(), near=near.output,
                directory=str(place / GENERATORS / f"round-{number}"),
                start=history[-1]["generator"] if history else "",
            ),
            "teach", round=number,
        )  # fmt: skip
        fits = {
            name: self._step(
                fit_job(
                    dataset=dataset, version=version, target=name, model=model, seed=self.seed,
                    directory=str(place / MODELS / f"round-{number}" / name),
                ),
                "train", kind="train", label=f"train {name}", round=number,
            )
            for name, model in sorted(self.models.items())
        }  # fmt: skip
        learnt = self._step(
            learnt_job(
                committee=committee.output, generator=teach.output, near=near.output,
                models={name: one.output for name, one in fits.items()},
            ),
            "learnt", round=number,
        )  # fmt: skip
        return Flow(
            [committee, near, teach, *fits.values(), learnt], output=learnt.output, name=f"train {number}"
        )

    def judge(self, done: dict[str, Any]) -> Job:
        """See :func:`.judge_discovery_job`."""
        return judge_discovery_job(done=done, target=self.target, oracle=self.oracle)

    def choose(
        self, number: int, now: Mapping[str, Any], *, waiting: list[Any], asked: Any, without: list[str]
    ) -> Flow:
        """Draw crystals, judge them, and choose what the oracle is asked."""
        del without  # they are known crystals: nothing that is the same as one of them is new
        place = Path(now["dataset"]).parent
        draws = [
            self._step(one, "sample", kind="explore", label=f"sample {order}", round=number)
            for order, one in enumerate(self._draws(number, now), start=1)
        ]
        found = self._step(
            candidates_job(
                found=[one.output for one in draws], waiting=waiting, dataset=now["dataset"],
                version=now["version"], heldout=self._held(place), refine=self.refine,
            ),
            "candidates", round=number,
        )  # fmt: skip
        found.config.on_missing_references = OnMissing.NONE  # a draw that failed has found nothing
        judgement = JudgeMaker(
            name=f"judge {number}", potential=now["committee"],
            references={"dataset": now["dataset"], "version": now["version"], "slack": _SLACK},
            judging={"hull": "everything", **self.judging, "factor": now["discovery"]["factor"]},
            target=self.target,
            models=sorted(now["models"].values()), relax=self.relax, directory=str(place / RELAXATIONS),
            dtype="float64", metadata={"campaign": self.name, "round": number},
        ).make(found.output["candidates"], known=found.output["known"])  # fmt: skip
        for one, _ in judgement.iterflow():  # type: ignore[no-untyped-call]
            one.config.manager_config = {"priority": 5, "cache": False, **self.resources.get("explore", {})}
        choice = self._step(
            propose_job(
                found=found.output, judgement=judgement.output, target=self.target, acquire=self.acquire,
                asked=asked, most=self.stop.get("labels"), batch=self.batch, seed=self.seed + number,
            ),
            "choose", round=number,
        )  # fmt: skip
        return Flow([*draws, found, judgement, choice], output=choice.output, name=f"choice {number}")

    # ── the generator ───────────────────────────────────────────────────────────────────────────────

    @property
    def wish(self) -> str:
        """The property that the generator is told, and asked for: the first of the target, else the hull."""
        return str(self.generator.get("wish") or next(iter(Target.of(self.target).predicted), ABOVE_HULL))

    @property
    def wished(self) -> float:
        """The value asked for: the middle of its range, its bound, or on the hull."""
        wanted = Target.of(self.target).ranges.get(self.wish)
        if self.wish == ABOVE_HULL or wanted is None:
            return 0.0
        bounds = [bound for bound in (wanted.low, wanted.high) if bound is not None]
        return sum(bounds) / len(bounds)

    def _draws(self, number: int, now: Mapping[str, Any]) -> list[Job]:
        """A job for each way to draw."""
        told = self.wished if now["wish"] else None
        made = []
        for order, draw in enumerate(read_draws(self.sample)):
            seed = self.seed + _DRAW + 1000 * number + order
            if draw.near:
                one = draw_near_job(
                    generator=now["generator"], dataset=now["near"]["dataset"],
                    version=now["near"]["version"], draw=draw.model_dump(mode="json"), seed=seed,
                )  # fmt: skip
            else:
                one = sample_job(
                    generator=now["generator"], count=draw.count, seed=seed,
                    wishes=draw.wishes(told), settings=draw.settings,
                )  # fmt: skip
            made.append(one)
        return made

    def _held(self, place: Path) -> dict[str, Any] | None:
        folder = place / "heldout"
        return {"dataset": str(folder), "version": open_dataset(folder).version} if folder.is_dir() else None

    def teacher(self, directory: str, wish: str, start: str = "") -> GeneratorMaker:
        """The training of a generator; ``start`` is the folder of one whose weights it begins with."""
        given = {key: value for key, value in self.generator.items() if key in _GENERATOR}
        settings = {"seed": self.seed, "epochs": 100, "batch_size": 32, **given.pop("settings", {})}
        wanted = {
            key: value for key, value in self.resources.get("train", {}).items()
            if key in {one.name for one in fields(GeneratorMaker)}
        }  # fmt: skip
        return GeneratorMaker(
            name="train generator", directory=directory, wish=wish, settings=settings, start=start,
            most_atoms=int(self.generator.get("most_atoms", 20)), **given, **wanted,
        )  # fmt: skip


@job
def teach_job(*, maker: dict[str, Any], near: dict[str, Any], directory: str, start: str) -> Response[Any]:
    """Replace this job by the training of a generator: what can be asked for is known only now."""
    made: DiscoveryMaker = decoded(maker)
    teacher = made.teacher(directory, near["wish"], start)
    return Response(replace=teacher.make(near["dataset"], near["version"]))


@job
def learnt_job(
    *, committee: dict[str, Any], generator: dict[str, Any], near: dict[str, Any], models: dict[str, Any]
) -> dict[str, Any]:
    """What was learnt in a round, as :func:`.judge_discovery_job` reads it."""
    return {
        "folder": committee["folder"],
        "near": near,
        "generator": {
            "folder": generator["folder"], "metrics": generator["metrics"], "records": near["records"],
        },
        "models": {
            name: {
                "folder": one["folder"], "labels": one["card"].get("training", {}).get("samples", 0),
                "metrics": one["card"].get("metrics", {}),
            }
            for name, one in models.items()
        },
    }  # fmt: skip
