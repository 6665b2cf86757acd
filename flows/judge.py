"""Judge candidates: sift, relax, find duplicates, place on the hull, phonons for the best."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from jobflow import Flow, Job, Maker, Response, job

from zonemelt.flows.atomistic import PhononMaker, RelaxMaker
from zonemelt.flows.makers import decoded
from zonemelt.tasks.atomistic.jobs import all_parts_job, settings_of
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.competitors import crystals_within
from zonemelt.tasks.judge.verdict import Verdict
from zonemelt.tasks.judge.verdict_jobs import (
    add_phonons_job,
    check_judgement,
    competitors_job,
    examine_job,
    judge_job,
    judging_of,
    labelled_references,
    references_of,
    short_list,
    sift_job,
    target_of,
)

if TYPE_CHECKING:
    from jobflow import OutputReference

VERDICTS: Final = "verdicts"
"""The step, in the metadata of the job whose output holds the verdicts of a judgement."""


@dataclass
class JudgeMaker(Maker):
    """Wire a judgement.

    Args:
        name: of the flow.
        potential: relaxes, and gives energies: see :func:`.load_potential`; a committee's deviation goes
            into that of every verdict.
        references: see :class:`.ReferencesSpec`.
        judging: see :class:`.Judging`.
        target: what is searched, see :class:`.Target`; empty for anything.
        models: folders of trained models of properties.
        relax: settings of :class:`.RelaxSettings`, for candidates and references alike.
        phonons: settings of :class:`.PhononSettings`; for as many as ``judging`` says.
        directory: of checkpoints, absolute, on a file system that all workers see.
        structures: that are relaxed in one job.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64"; None: what each kind of calculation needs.
        trust: see :func:`.load_potential`.
        metadata: of all jobs, such as ``campaign`` and ``round``.
    """

    name: str = "judge"
    potential: str = "sevennet-0"
    references: dict[str, Any] = field(default_factory=dict)
    judging: dict[str, Any] = field(default_factory=dict)
    target: Any = ""
    models: list[str] = field(default_factory=list)
    relax: dict[str, Any] = field(default_factory=lambda: {"force": 0.03, "method": "lbfgs"})
    phonons: dict[str, Any] = field(default_factory=dict)
    directory: str = ""
    structures: int = 200
    device: str = "cpu"
    dtype: str | None = None
    trust: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Open potential, references and models, and refuse what cannot be judged; :meth:`make` does not.

        Raises:
            InputError: see :func:`.check_judgement`.
        """
        check_judgement(
            potential=self.potential, references=self.references, target=self.target, models=self.models,
            device=self.device, trust=self.trust,
        )  # fmt: skip

    def make(
        self,
        candidates: list[dict[str, Any]] | OutputReference,
        *,
        known: list[dict[str, Any]] | OutputReference | None = None,
        potential: OutputReference | None = None,
    ) -> Flow:
        """Build the graph.

        Args:
            candidates: :class:`zonemelt.tasks.explore.candidate.Candidate` as dictionaries, or the output of
                a job that returns such a list.
            known: crystals that are not novel besides the references: documents with ``identifier`` and
                ``geometry``, such as the verdicts of earlier rounds.
            potential: the output of a job that trains one, instead of the maker's.

        Returns:
            A flow whose output has ``verdicts``, :class:`.Verdict` as dictionaries in the order of the
            candidates; ``counts``, the funnel: see :func:`.counted`; and ``references``.

        Raises:
            InputError: the directory is not absolute, a job has no structures, or a setting makes no sense.
        """
        bounds = judging_of(self.judging)
        target_of(self.target)
        spec = references_of(self.references)
        settings_of("relax", self.relax)
        settings_of("phonons", self.phonons)
        check_directory(self.directory)
        if self.structures < 1:
            raise InputError(
                f"{self.structures} structures in a job", where=self.name, remedy="give at least one"
            )
        used: Any = potential or self.potential
        sieve = self._step(
            sift_job(
                candidates=candidates, potential=used, judging=self.judging, target=self.target,
                models=self.models, device=self.device, trust=self.trust,
            ),
            "sift",
        )  # fmt: skip
        relaxations = self._step(
            plan_relaxations_job(maker=self.as_dict(), kept=sieve.output["kept"], potential=used),
            "plan relaxations",
        )
        references = self._step(
            plan_references_job(maker=self.as_dict(), systems=sieve.output["systems"], potential=used),
            "plan references",
        )
        verdicts = self._step(
            judge_job(
                sieve=sieve.output, found=relaxations.output, references=references.output,
                judging=self.judging, target=self.target, known=known,
                correct=bool(spec.correct) and spec.energies == "labels",
            ),
            "judge candidates" if bounds.phonons else VERDICTS,
        )  # fmt: skip
        jobs: list[Flow | Job] = [sieve, relaxations, references, verdicts]
        if bounds.phonons:
            last = self._step(
                plan_phonons_job(maker=self.as_dict(), judged=verdicts.output, potential=used), VERDICTS
            )
            jobs.append(last)
        return Flow(jobs, output=jobs[-1].output, name=self.name)

    def relaxations(self, kept: list[dict[str, Any]]) -> Flow:
        """Relaxations of candidates in chunks, each looked at as soon as it is there."""
        parts: list[Flow | Job] = []
        looked: list[Job] = []
        for start in range(0, len(kept), self.structures):
            some = kept[start : start + self.structures]
            relaxed = self._relaxed([one["geometry"] for one in some], f"candidates from {start}")
            one = self._step(
                examine_job(
                    candidates=some, relaxed=relaxed.output, judging=self.judging, models=self.models,
                    device=self.device,
                ),
                f"examine from {start}",
            )  # fmt: skip
            parts += [relaxed, one]
            looked.append(one)
        together = self._step(all_parts_job(parts=[one.output for one in looked]), "all candidates")
        return Flow([*parts, together], output=together.output, name="relax candidates")

    def reference_relaxations(self, systems: list[list[str]]) -> Flow:
        """Relaxations of the references within some chemical systems."""
        crystals = crystals_within(references_of(self.references), systems)
        geometries = [geometry.model_dump(mode="json") for _, geometry in crystals]
        before = [self._relaxed(geometries, "references")] if geometries else []
        last = self._step(
            competitors_job(
                identifiers=[name for name, _ in crystals], geometries=geometries,
                relaxed=before[0].output if before else [], judging=self.judging,
            ),
            "references",
        )  # fmt: skip
        return Flow([*before, last], output=last.output, name="references")

    def _relaxed(self, geometries: list[dict[str, Any]], name: str) -> Flow:
        flow = RelaxMaker(
            name=name, potential=self.potential, settings=self.relax, directory=self.directory,
            structures=self.structures, device=self.device, dtype=self.dtype, trust=self.trust,
        ).make(geometries)  # fmt: skip
        for one, _ in flow.iterflow():  # type: ignore[no-untyped-call]
            one.metadata = {**self.metadata, "step": f"relax {name.partition(' from')[0]}"}
        return flow

    def _step(self, made: Job, step: str) -> Job:
        """Name a job, and say in its metadata which step it is."""
        made.name = step
        made.metadata = {**self.metadata, "step": step.partition(" from")[0]}
        return made


def _maker_of(document: Any, potential: str) -> JudgeMaker:
    """The maker, with the potential that is there now."""
    made: JudgeMaker = decoded(document)
    return replace(made, potential=potential)


@job
def plan_relaxations_job(*, maker: dict[str, Any], kept: list[dict[str, Any]], potential: str) -> Any:
    """Replace this job by the relaxations of what was kept."""
    return Response(replace=_maker_of(maker, potential).relaxations(kept)) if kept else []


@job
def plan_references_job(*, maker: dict[str, Any], systems: list[list[str]], potential: str) -> Any:
    """Replace this job by the relaxations of references, or look their labels up."""
    made = _maker_of(maker, potential)
    if references_of(made.references).energies == "labels":
        return labelled_references(made.references, systems, potential=potential, trust=made.trust)
    return Response(replace=made.reference_relaxations(systems))


@job
def plan_phonons_job(*, maker: dict[str, Any], judged: dict[str, Any], potential: str) -> Any:
    """Replace this job by phonons of the best; the judgement as it is where nothing is good enough."""
    made = _maker_of(maker, potential)
    verdicts = [Verdict.model_validate(one) for one in judged["verdicts"]]
    best = short_list(verdicts, judging_of(made.judging).phonons)
    geometries = [one.geometry.model_dump(mode="json") for one in best if one.geometry is not None]
    if not geometries:
        return judged
    found = PhononMaker(
        potential=potential, settings=made.phonons, directory=made.directory, structures=1,
        device=made.device, trust=made.trust,
    ).make(geometries)  # fmt: skip
    for one, _ in found.iterflow():  # type: ignore[no-untyped-call]
        one.metadata = {**made.metadata, "step": "phonons"}
    last = add_phonons_job(
        judged=judged, names=[one.identifier for one in best], phonons=found.output, target=made.target
    )
    last.name = "with phonons"
    last.metadata = {**made.metadata, "step": "with phonons"}
    return Response(replace=Flow([found, last], output=last.output))
