"""Active learning as a graph that grows: train, explore, choose, label, and again, without a barrier.

Three chains of jobs feed one another. *Choices*: the newest committee explores, and what it is least sure of
is chosen. *Labels*: each a job of its own. *Lessons*: what has arrived is gathered into the next version of
the dataset and trained on. A lesson waits for a quorum of its labels; the others join the next one. Choices
are ``ahead`` batches before lessons, so that labels are computed while committees are trained.

All that is known is in the outputs of jobs and in versions of datasets; so a campaign that was killed goes on
as if nothing had happened. With a quorum of all labels its result does not depend on how long anything takes.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from jobflow import Flow, Job, Maker, OnMissing, OutputReference, Response, job

from zonemelt.flows.makers import decoded
from zonemelt.tasks.campaign_place import campaign_directory, steered
from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.rounds.gather import gather_job
from zonemelt.tasks.rounds.stop import Stop, reason_to_stop
from zonemelt.tasks.rounds.summary import summary_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DATASET, HELDOUT, COMMITTEES = "dataset", "heldout", "committees"
# Where workers are shared, what others wait for goes first.
PRIORITY: Final = {"label": 0, "explore": 5, "train": 5, "": 10}


@dataclass
class RelabelMaker(Maker):
    """The loop; what is learnt and how candidates are found is said by those who inherit.

    Args:
        name: of the campaign; in the metadata of every job, next to its ``step``.
        oracle: name of the oracle.
        settings: its settings.
        batch: labels asked for in a round.
        ahead: batches that are chosen before the lesson of the first of them: 0 stops labelling while
            committees are trained, 1 keeps the oracles busy meanwhile.
        quorum: share of the labels waited for; the others join the next round.
        most_failed: share of the labels of a round that may fail or be refused before the campaign ends.
        stop: see :class:`.Stop`.
        resources: of the steps ``label``, ``train`` and ``explore``: what ``manager_config`` takes.
        directory: of the dataset and the models; absolute; empty for the campaign directory.
        seed: of everything random.
        steered: values that a person has changed while the campaign ran.
    """

    name: str = "relabel"
    oracle: str = "emt"
    settings: dict[str, Any] = field(default_factory=dict)
    batch: int = 8
    ahead: int = 1
    quorum: float = 1.0
    most_failed: float = 0.75
    stop: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    directory: str = ""
    seed: int = 0
    steered: dict[str, Any] = field(default_factory=dict)

    # ── what those who inherit say ──────────────────────────────────────────────────────────────────

    def begin(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Candidates that are labelled first, and those that are held out; runs in a job."""
        raise NotImplementedError

    def learn(self, number: int, gathered: OutputReference, history: Sequence[Any], place: Path) -> Flow:
        """Train on a version of the dataset; the output names what was trained."""
        raise NotImplementedError

    def judge(self, done: dict[str, Any]) -> Job:
        """Judge what was trained: a job that returns a document of the round, see :func:`.round_document`.

        Args:
            done: a :class:`.Round`, its fields by name.
        """
        raise NotImplementedError

    def choose(
        self, number: int, now: Mapping[str, Any], *, waiting: list[Any], asked: Any, without: list[str]
    ) -> Flow:
        """Find candidates and choose among them; the output has ``chosen`` and ``asked``.

        Args:
            number: of the batch.
            now: document of the last round.
            waiting: structures that were asked for and are not in the dataset, batch by batch.
            asked: labels asked for so far.
            without: structures that are never asked for: those that are held out.
        """
        raise NotImplementedError

    @property
    def need(self) -> list[str]:
        """What a label must hold, see :func:`zonemelt.tasks.quality.judge.judge`."""
        return []

    @property
    def nodes(self) -> int:
        """Of each label."""
        return int(self.resources.get("label", {}).get("nodes", 1))

    def label(self, candidate: Mapping[str, Any]) -> Job:
        """The job that labels a candidate: it returns the record as a document."""
        return label_job(
            identifier=candidate["identifier"],
            geometry=candidate["geometry"],
            oracle=self.oracle,
            settings=self.settings,
        )

    def gather(self, **arguments: Any) -> Job:
        """The job that gathers labels; see :func:`.gather_job`."""
        return gather_job(**arguments)

    # ── the graph ───────────────────────────────────────────────────────────────────────────────────

    def make(self) -> Flow:
        """Build the graph as far as it is known before anything has been labelled.

        Returns:
            A flow whose output is the summary, see :func:`.summary.summarise_rounds`.
        """
        first = self._step(begin_job(maker=self.as_dict()), "begin")
        return Flow([first], output=first.output, name=self.name)

    def make_begin(self, place: Path) -> Flow:
        """Label what is learnt from first and what is held out, and begin with round 0."""
        initial, heldout = self.begin()
        members: list[Flow | Job] = []
        gathered = {}
        for dataset, candidates in ((HELDOUT, heldout), (DATASET, initial)):
            if not candidates and dataset == HELDOUT:  # a search may hold nothing out
                continue
            last = dataset == HELDOUT  # nobody gathers those again
            what = "held-out" if last else "first"
            waiting, labelling = self.labels(candidates, why=what)
            gathered[dataset] = self._gather(waiting, place / dataset, message=f"{what} labels", last=last)
            members += [*labelling, gathered[dataset]]
        held = gathered[HELDOUT].output if HELDOUT in gathered else None
        lesson = self._lesson(0, gathered[DATASET].output, [], place=place, heldout=held, choices=[])
        following = self._round(0, [lesson.output.uuid], heldout=held, place=place, choices=[], asks=[])
        members += [lesson, following]
        return Flow(members, output=following.output)

    def make_round(
        self,
        number: int,
        history: Sequence[Any],
        *,
        judged: Sequence[str],
        heldout: Any,
        place: Path,
        choices: Sequence[str],
        asks: Sequence[str],
    ) -> Flow:
        """The jobs of a round: new batches, and the lesson of the oldest that was asked for.

        Args:
            number: of the round.
            history: documents of the rounds so far.
            judged: uuids of the jobs that returned them.
            heldout: where held-out labels are.
            place: of datasets and models.
            choices: uuids of the choices whose labels were not gathered yet, the oldest first.
            asks: uuids of the jobs that ask for their labels.
        """
        now = history[-1]
        if reason := reason_to_stop(Stop.model_validate(self.stop), history):
            return self._finish(reason, number, history, heldout=heldout, place=place, asks=asks)
        members: list[Flow | Job] = []
        known, choices, asks = len(choices), list(choices), list(asks)
        held = [{"identifier": name, **one} for name, one in now["pending"].items()]
        for batch in range(number + len(asks), number + self.ahead + 1):
            earlier = [OutputReference(uuid)["chosen"] for uuid in choices]
            asked = OutputReference(choices[-1])["asked"] if choices else now["spent"]["asked"]
            never = heldout["accepted"] if heldout else []
            choice = self.choose(batch, now, waiting=[held, *earlier], asked=asked, without=never)
            output: Any = choice.output
            ask = self._step(
                ask_job(maker=self.as_dict(), chosen=output["chosen"], number=batch), "ask", round=batch
            )
            members += [choice, ask]
            choices.append(output.uuid)
            asks.append(ask.uuid)
        collect = self._step(
            collect_job(
                maker=self.as_dict(), asked=[OutputReference(asks[0])], pending=now["pending"],
                dataset=str(place / DATASET), number=number,
            ),
            "collect", round=number,
        )  # fmt: skip
        lesson = self._lesson(
            number + 1, collect.output, history, place=place, heldout=heldout,
            choices=[OutputReference(uuid) for uuid in choices[known:]],
        )  # fmt: skip
        following = self._round(
            number + 1, [*judged, lesson.output.uuid],
            heldout=heldout, place=place, choices=choices[1:], asks=asks[1:],
        )  # fmt: skip
        return Flow([*members, collect, lesson, following], output=following.output)

    def make_collection(
        self,
        asked: Sequence[Mapping[str, Any]],
        pending: Mapping[str, Any],
        *,
        dataset: Path,
        number: int,
        last: bool,
    ) -> Job:
        """The job that gathers labels, those which earlier rounds did not wait for included."""
        waiting = {name: dict(one) for name, one in pending.items()}
        for one in asked:
            waiting |= one["waiting"]
        gathered = self._gather(waiting, dataset, message=f"round {number}", last=last)
        gathered.metadata["round"] = number
        return gathered

    def labels(
        self, candidates: Sequence[Mapping[str, Any]], *, why: str
    ) -> tuple[dict[str, dict[str, Any]], list[Job]]:
        """A job for each candidate; and identifier → the uuid of the job, and the geometry."""
        labelling, waiting = [], {}
        for candidate in candidates:
            name = candidate["identifier"]
            made = self._step(self.label(candidate), "label", kind="label", label=f"label {name}", why=why)
            labelling.append(made)
            waiting[name] = {"label": made.uuid, "geometry": candidate["geometry"]}
        return waiting, labelling

    def with_steering(self, values: Mapping[str, Any]) -> Self:
        """The maker with values that a person has changed.

        Raises:
            UnknownKeyError: it has no such value.
        """
        changed: dict[str, Any] = {}
        for key, value in values.items():
            name, _, rest = key.partition(".")
            if name not in {one.name for one in fields(self)}:
                continue  # of the campaign: the head goes by it
            if not rest:
                changed[name] = value
                continue
            inner = changed.setdefault(name, deepcopy(getattr(self, name)))
            *above, last = rest.split(".")
            for part in above:
                if not isinstance(inner.get(part), dict):
                    raise UnknownKeyError.of(part, inner, where=f"steered {key}")
                inner = inner[part]
            inner[last] = value
        return replace(self, **changed, steered=dict(values))

    def _lesson(
        self,
        number: int,
        gathered: Any,
        history: Sequence[Any],
        *,
        place: Path,
        heldout: Any,
        choices: list[Any],
    ) -> Flow:
        """Train on what was gathered, and judge what was trained."""
        training = self.learn(number, gathered, history, place)
        before = history[-1] if history else None
        judged = self._step(
            self.judge({
                "number": number, "gathered": gathered, "committee": training.output, "heldout": heldout,
                "choices": choices, "before": before, "steered": self.steered, "nodes": self.nodes,
            }),
            "judge", round=number,
        )  # fmt: skip
        return Flow([training, judged], output=judged.output, name=f"lesson {number}")

    def _finish(
        self,
        reason: str,
        number: int,
        history: Sequence[Any],
        *,
        heldout: Any,
        place: Path,
        asks: Sequence[str],
    ) -> Flow:
        """Wait for what is on its way, learn from it once more, and sum up."""
        members: list[Flow | Job] = []
        history = list(history)
        if asks or history[-1]["pending"]:
            collect = self._step(
                collect_job(
                    maker=self.as_dict(), asked=[OutputReference(uuid) for uuid in asks],
                    pending=history[-1]["pending"], dataset=str(place / DATASET), number=number, last=True,
                ),
                "collect", round=number,
            )  # fmt: skip
            lesson = self._lesson(
                number + 1, collect.output, history, place=place, heldout=heldout, choices=[]
            )
            members += [collect, lesson]
            history.append(lesson.output)
        summary = self._step(
            summary_job(rounds=history, stopped=reason, name=self.name, oracle=self.oracle), "loop summary"
        )
        return Flow([*members, summary], output=summary.output)

    def _round(self, number: int, judged: list[str], **state: Any) -> Job:
        state = {**state, "judged": judged, "place": str(state["place"])}
        history = [OutputReference(uuid) for uuid in judged]
        made = round_job(maker=self.as_dict(), number=number, history=history, state=state)
        return self._step(made, "round", label=f"round {number}", round=number)

    def _gather(self, waiting: Mapping[str, Any], dataset: Path, *, message: str, last: bool) -> Job:
        made = self.gather(
            labels={name: OutputReference(one["label"]) for name, one in waiting.items()},
            waiting=dict(waiting), dataset=str(dataset), message=message, need=self.need,
            most_failed=self.most_failed, last=last,
        )  # fmt: skip
        self._step(made, "gather")
        made.config.on_missing_references = OnMissing.NONE
        wanted = math.ceil(round(len(waiting) * self.quorum, 9))  # 0.55 of 100 are 55
        if not last and wanted < len(waiting):
            made.config.manager_config["quorum"] = max(1, wanted)
        return made

    def _step(self, made: Job, step: str, *, kind: str = "", label: str = "", **more: Any) -> Job:
        """Name a job, say in its metadata which step of which campaign it is, and where it runs."""
        made.name = label or step
        made.metadata = {"campaign": self.name, "step": step, **more}
        made.config.manager_config = {
            "priority": PRIORITY[kind],
            "cache": kind == "label",  # the others write into the campaign's own directory
            **self.resources.get(kind, {}),
        }
        made.config.pass_manager_config = False
        return made


@job
def begin_job(*, maker: dict[str, Any]) -> Response[Any]:
    """Replace this job by the first labels and what follows."""
    made: RelabelMaker = decoded(maker)
    place = Path(made.directory) if made.directory else campaign_directory() or Path.cwd()
    return Response(replace=made.make_begin(place.absolute()))


@job
def round_job(
    *, maker: dict[str, Any], number: int, history: list[Any], state: dict[str, Any]
) -> Response[Any]:
    """Replace this job by the jobs of a round, or by the end, as a person has steered so far."""
    made: RelabelMaker = decoded(maker)
    if (values := steered()) != made.steered:
        made = made.with_steering(values)
    place = Path(state["place"])
    return Response(replace=made.make_round(number, history, **{**state, "place": place}))


@job
def ask_job(*, maker: dict[str, Any], chosen: list[dict[str, Any]], number: int) -> Response[Any]:
    """Bring a job for each label; nobody waits for all of them. Returns what :meth:`.labels` does."""
    waiting, labelling = decoded(maker).labels(chosen, why=f"round {number}")
    told = {"waiting": waiting}
    return Response(output=told, addition=Flow([*labelling])) if labelling else Response(output=told)


@job
def collect_job(
    *,
    maker: dict[str, Any],
    asked: list[dict[str, Any]],
    pending: dict[str, Any],
    dataset: str,
    number: int,
    last: bool = False,
) -> Response[Any]:
    """Replace this job by one that waits for a quorum of labels: which they are is known only now."""
    made: Job = decoded(maker).make_collection(
        asked, pending, dataset=Path(dataset), number=number, last=last
    )
    return Response(replace=made)
