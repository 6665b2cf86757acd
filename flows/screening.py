"""Screen known or enumerated crystals: propose, predict, relax, place on the hull, label the best."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobflow import Flow, Job, Maker, OnMissing, Response, job

from zonemelt.flows.judge import VERDICTS, JudgeMaker
from zonemelt.flows.makers import decoded
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import joined
from zonemelt.tasks.explore.explorers import explore_job, explorer_of
from zonemelt.tasks.explore.sources import Sources
from zonemelt.tasks.explore.substitutions import Substitutions
from zonemelt.tasks.judge.competitors import known_elements
from zonemelt.tasks.judge.confirm import confirm_job
from zonemelt.tasks.judge.lots import lot_job, merge_job, read_lot_job, write_lots
from zonemelt.tasks.judge.verdict import Verdict
from zonemelt.tasks.judge.verdict_jobs import judging_of, references_of, short_list, target_of
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.structure_files import read_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.explore.explorers import AnyExplorer

_MOVING: Final = {"dynamics", "phonons"}  # explorers that move atoms by forces


@dataclass
class ScreeningMaker(Maker):
    """Wire a screening.

    Args:
        name: of the flow, and of the campaign.
        explore: name → an explorer, see :func:`.explorer_of`; without one the parents are candidates.
        parents: structures that explorers start from: documents with ``identifier`` and ``geometry``.
        judge: how candidates are judged.
        short_list: how many of the best the oracle labels.
        lot: candidates that are judged together, where all are read from files and only references span the
            hull, see :mod:`.lots`; 0 for all.
        oracle: that labels them.
        settings: of the oracle.
        resources: of labels: what ``manager_config`` takes.
        seed: of everything random.
    """

    name: str = "screening"
    explore: dict[str, dict[str, Any]] = field(default_factory=dict)
    parents: list[dict[str, Any]] = field(default_factory=list)
    judge: JudgeMaker = field(default_factory=JudgeMaker)
    short_list: int = 0
    lot: int = 10_000
    oracle: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def check(self) -> None:
        """Refuse what can be refused before anything is relaxed.

        Raises:
            InputError: nothing is proposed, an explorer lacks something, or see :meth:`.JudgeMaker.check`.
        """
        if not self.explore and not self.parents:
            raise InputError(
                "nothing proposes candidates",
                where=f"{self.name}: explore",
                remedy="such as {known: {explorer: sources, paths: [candidates]}}",
            )
        for name, one in self.explore.items():
            explorer = explorer_of(one)
            if explorer.explorer != "sources" and not self.parents:
                raise InputError(
                    f"'{name}' starts from crystals, and there are none",
                    where=f"{self.name}: parents",
                    remedy="name some",
                )
            for path in getattr(explorer, "paths", ()):
                if not Path(path).exists():
                    raise InputError(
                        "there is no such path", where=f"explore.{name}: {path}", remedy="mend it"
                    )
        if self.short_list and not self.oracle:
            raise InputError(
                f"{self.short_list} labels, and no oracle", where=f"{self.name}: oracle", remedy="name one"
            )
        self.judge.check()
        self._check_reachable()

    def _check_reachable(self) -> None:
        """Refuse a target that none of the candidates can meet, where these are known before anything runs.

        Reading ends with the first candidate that can: most searches look at one structure.
        """
        target = target_of(self.judge.target)
        explorers = [explorer_of(one) for one in self.explore.values()]
        if target is None or any(not known_beforehand(one) for one in explorers):
            return
        faults: Counter[str] = Counter()
        for symbols in compositions(explorers, self.parents):
            if not (found := list(target.composition_faults(symbols))):
                return
            faults[", ".join(found)] += 1
        if faults:
            said = "; ".join(f"{number:,} {reason}" for reason, number in faults.most_common(3))
            raise InputError(
                f"none of {sum(faults.values()):,} candidates can satisfy it: {said}",
                where=f"{self.name}: target",
                remedy="change the target, or what is proposed",
            )

    def elements(self) -> set[str]:
        """Elements that the short list can have: only within the references there is a hull."""
        known = known_elements(references_of(self.judge.references))
        target = target_of(self.judge.target)
        if target is not None:
            known = (known & set(target.only) if target.only else known) - set(target.forbid)
        explorers = [explorer_of(one) for one in self.explore.values()]
        swapping = [one for one in explorers if isinstance(one, Substitutions) and one.likely is None]
        if len(swapping) == len(explorers):
            swapped = {new for one in swapping for swap in one.swaps for new in swap.values()}
            known &= swapped | {symbol for one in self.parents for symbol in one["geometry"]["symbols"]}
        return known

    def make(self) -> Flow:
        """Build the graph.

        Returns:
            A flow whose output is that of :meth:`.JudgeMaker.make`, with ``explored``: what was proposed, and
            why some of it was refused; verdicts of the short list have a ``label``.

        Raises:
            InputError: a setting makes no sense.
        """
        judge = replace(self.judge, metadata={"campaign": self.name, **self.judge.metadata})
        told = replace(self, judge=judge).as_dict()
        jobs: list[Flow | Job]
        if self.in_lots:
            plan = self._step(plan_lots_job(maker=told), "plan lots")
            plan.config.manager_config = {"cache": False}  # files may have changed
            jobs, explored = [plan], plan.output["explored"]
        else:
            found = self._proposals()
            jobs = [*found, judge.make(found[-1].output["candidates"])]
            explored = found[-1].output["counts"]
        if self.short_list:
            jobs.append(self._step(plan_labels_job(maker=told, judged=jobs[-1].output), "plan labels"))
        last = self._step(screened_job(judged=jobs[-1].output, explored=explored), VERDICTS)
        return Flow([*jobs, last], output=last.output, name=self.name)

    def _proposals(self) -> list[Job]:
        """What explorers propose, and all of it together."""
        proposals: list[Job] = []
        for place, (name, one) in enumerate(self.explore.items()):
            moving = one.get("explorer") in _MOVING
            made = explore_job(
                explorer=one, parents=self.parents, seed=self.seed + place,
                potential=self.judge.potential if moving else None, device=self.judge.device,
                trust=self.judge.trust,
            )  # fmt: skip
            proposals.append(self._step(made, f"explore {name}", step="explore"))
        together = joined_job(
            documents=[one.output for one in proposals], parents=[] if proposals else self.parents
        )
        return [*proposals, self._step(together, "candidates")]

    @property
    def in_lots(self) -> bool:
        """Whether candidates can be judged lot by lot: they are in files, and do not compete."""
        explorers = [explorer_of(one) for one in self.explore.values()]
        return (
            self.lot > 0
            and bool(explorers)
            and all(isinstance(one, Sources) and not one.queries for one in explorers)
            and judging_of(self.judge.judging).hull == "references"
        )

    def lots(self) -> Flow:
        """Judgements of lots, and what they come to; writes the files of the lots."""
        sources = [one for one in map(explorer_of, self.explore.values()) if isinstance(one, Sources)]
        written = write_lots(sources, Path(self.judge.directory) / "lots", size=self.lot)
        jobs: list[Flow | Job] = []
        parts = []
        for file in written["lots"]:
            read = self._step(read_lot_job(file=file), "read lot")
            judged = self.judge.make(read.output)
            kept = self._step(lot_job(judged=judged.output, whole=len(written["lots"]) == 1), "lot")
            jobs += [read, judged, kept]
            parts.append(kept.output)
        last = self._step(merge_job(parts=parts, explored=written["counts"]), "lots together")
        return Flow([*jobs, last], output=last.output, name="lots")

    def labels(self, judged: dict[str, Any]) -> Flow | None:
        """Labels of the best, and of what these would fall apart into; None where nothing is good enough."""
        best = short_list([Verdict.model_validate(one) for one in judged["verdicts"]], self.short_list)
        if not best:
            return None
        geometries = {one.identifier: one.geometry.model_dump(mode="json") for one in best if one.geometry}
        phases = {
            name: judged["references"]["phases"][name]
            for name in sorted({name for one in best for name in one.decomposition} - set(geometries))
        }
        of_candidates = {name: self._label(name, one) for name, one in geometries.items()}
        of_phases = {name: self._label(f"reference {name}", one) for name, one in phases.items()}
        last = self._step(
            confirm_job(
                judged=judged, oracle=self.oracle, target=self.judge.target,
                candidates={name: one.output for name, one in of_candidates.items()},
                phases={name: one.output for name, one in (of_candidates | of_phases).items()},
            ),
            "confirm",
        )  # fmt: skip
        last.config.on_missing_references = OnMissing.NONE
        return Flow([*of_candidates.values(), *of_phases.values(), last], output=last.output, name="labels")

    def _label(self, name: str, geometry: dict[str, Any]) -> Job:
        made = label_job(identifier=name, geometry=geometry, oracle=self.oracle, settings=self.settings)
        made.config.manager_config = dict(self.resources)
        made.config.pass_manager_config = False
        return self._step(made, f"label {name}", step="label")

    def _step(self, made: Job, name: str, *, step: str = "") -> Job:
        made.name = name
        made.metadata = {"campaign": self.name, "step": step or name}
        return made


def screen_structures(
    *,
    files: list[str],
    potential: str,
    references: dict[str, Any],
    directory: str,
    target: Any = "",
    models: list[str] | None = None,
    judging: dict[str, Any] | None = None,
    relax: dict[str, Any] | None = None,
    structures: int = 200,
    device: str = "cpu",
    dtype: str | None = None,
    trust: bool = False,
) -> Flow:
    """Judge the structures of files and datasets: what the command screen runs.

    Args:
        files: paths of structures or datasets; absolute.
        potential: see :func:`.load_potential`.
        references: see :class:`.ReferencesSpec`.
        directory: of checkpoints; absolute.
        target: what is searched.
        models: folders of trained models of properties.
        judging: see :class:`.Judging`.
        relax: settings of :class:`.RelaxSettings`.
        structures: in a job.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64".
        trust: see :func:`.load_potential`.

    Raises:
        InputError: see :meth:`ScreeningMaker.check`.
    """
    judge = JudgeMaker(
        potential=potential, references=references, judging=judging or {}, target=target,
        models=models or [], directory=directory, structures=structures, device=device, dtype=dtype,
        trust=trust,
    )  # fmt: skip
    if relax:
        judge.relax = relax
    maker = ScreeningMaker(
        name="screen", explore={"files": {"explorer": "sources", "paths": files}}, judge=judge
    )
    maker.check()
    return maker.make()


def known_beforehand(explorer: AnyExplorer) -> bool:
    """Whether it is cheap to say of which atoms its candidates are."""
    if isinstance(explorer, Sources):
        return not explorer.queries
    return isinstance(explorer, Substitutions) and explorer.likely is None


def compositions(explorers: Sequence[AnyExplorer], parents: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    """The atoms of all candidates of such explorers; of the parents where there is none."""
    given = [list(one["geometry"]["symbols"]) for one in parents]
    if not explorers:
        yield from given
    for one in explorers:
        if isinstance(one, Sources):
            for path in one.paths:
                found = (read.geometry for read in read_below(Path(path)))
                yield from (list(geometry.symbols) for geometry in found if geometry is not None)
        elif isinstance(one, Substitutions):
            for swap in one.swaps:
                some = (symbols for symbols in given if set(swap) <= set(symbols))
                yield from ([swap.get(symbol, symbol) for symbol in symbols] for symbols in some)


@job
def joined_job(*, documents: list[dict[str, Any]], parents: list[dict[str, Any]]) -> dict[str, Any]:
    """What several explorers found, as one document, see :func:`.candidate.joined`; or given crystals."""
    if documents:
        return joined(documents)
    return {"candidates": parents, "counts": {"proposed": len(parents), "kept": len(parents)}}


@job
def plan_lots_job(*, maker: dict[str, Any]) -> Any:
    """Replace this job by the judgements of lots."""
    made: ScreeningMaker = decoded(maker)
    return Response(replace=made.lots())


@job
def plan_labels_job(*, maker: dict[str, Any], judged: dict[str, Any]) -> Any:
    """Replace this job by the labels of the short list."""
    made: ScreeningMaker = decoded(maker)
    flow = made.labels(judged)
    return judged if flow is None else Response(replace=flow)


@job
def screened_job(*, judged: dict[str, Any], explored: dict[str, Any]) -> dict[str, Any]:
    """The judgement, and what was proposed for it."""
    return {**judged, "explored": explored}
