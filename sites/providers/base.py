"""What providers have in common: submission, honest states, outages that do no harm.

Parsl's own providers overwrite the end of a job with COMPLETED at the next look, take a job that the
scheduler has not listed yet for finished, let exceptions of a status command into the loop that starts
blocks, and report a held job in a way that makes Parsl ask for block after block. A subclass here says how
to ask its scheduler; what follows from the answers is decided in one place, this one.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from parsl.jobs.states import JobState, JobStatus
from parsl.launchers import SimpleLauncher
from parsl.providers.cluster_provider import ClusterProvider
from parsl.utils import RepresentationMixin

from zonemelt.sites.commands import OutageError, Said, ask
from zonemelt.sites.providers.jobs import Common, Seen, SubmissionError, copy_of, job_name_of, vanished

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOG = logging.getLogger(__name__)


class BatchProvider(ClusterProvider, RepresentationMixin):
    """A Parsl provider over a batch system's commands; its parameters are those of :class:`Common`."""

    def __init__(self, label: str, **common: Unpack[Common]) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            label,
            nodes_per_block=common.get("nodes_per_block", 1),
            init_blocks=common.get("init_blocks", 0),
            min_blocks=common.get("min_blocks", 0),
            max_blocks=common.get("max_blocks", 1),
            parallelism=common.get("parallelism", 1),
            walltime=common.get("walltime", "01:00:00"),
            launcher=common.get("launcher") or SimpleLauncher(),
            cmd_timeout=common.get("cmd_timeout", 120),
        )
        self.scheduler_options = common.get("scheduler_options", "")
        self.worker_init = common.get("worker_init", "")
        self.poll_seconds = common.get("poll_seconds", 60)
        self.grace_seconds = common.get("grace_seconds", 120)
        self.outage: str | None = None  # why the scheduler does not answer; None: it does
        self._since: dict[str, float] = {}  # job → when it was submitted

    # ── what a scheduler is ─────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def _directives(self, job_name: str, output: str, errors: str) -> list[str]:
        """The scheduler's lines at the top of a batch script."""

    @abstractmethod
    def _submit(self, script: str) -> tuple[str | None, Said]:
        """Submit a script: the job's id, or None where it was refused, and what was said."""

    @abstractmethod
    def _look(self, job_ids: Sequence[str]) -> dict[str, Seen]:
        """What the queue says of jobs; those it does not name are left out. May raise OutageError."""

    @abstractmethod
    def _look_again(self, job_id: str) -> Seen | None:
        """What can be learnt of a job that the queue does not name; None: there is no such job.

        May raise OutageError.
        """

    @abstractmethod
    def _cancel(self, job_id: str) -> bool:
        """Cancel a job; whether it is gone, now or before. May raise OutageError."""

    def _find(self, job_name: str) -> str | None:  # noqa: ARG002
        """The id of a job by its name: asked when a submission ends in an outage. May raise OutageError."""
        return None

    # ── submission ──────────────────────────────────────────────────────────────────────────────────

    def script(self, command: str, job_name: str) -> str:
        """The batch script that would be submitted for a command."""
        name = job_name_of(job_name)
        return self._text(command, name, self._place() / name)

    def _place(self) -> Path:
        """Where scripts and their output lie; Parsl says it when a campaign starts."""
        return Path(self.script_dir or "submit_scripts").absolute()

    def _text(self, command: str, name: str, path: Path) -> str:
        started = self.launcher(command, 1, self.nodes_per_block, str(path.parent))
        parts = [
            "#!/bin/bash\n" + "\n".join(self._directives(name, f"{path}.stdout", f"{path}.stderr")),
            self.worker_init.strip("\n"),
            f"export JOBNAME={name}",
            started.strip("\n"),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl") -> str:  # noqa: ARG002
        """Ask for a block; its job's id.

        Args:
            command: what the launcher starts on the nodes.
            tasks_per_node: Parsl's, always one manager a node.
            job_name: made unique, and cut to what schedulers accept.

        Raises:
            SubmissionError: with the scheduler's own message.
        """
        name = job_name_of(f"{job_name}.{time.time():.3f}")
        path = self._place() / name
        path.write_text(self._text(command, name, path))
        job_id = self._submitted(path, name)
        self.resources[job_id] = {
            "job_id": job_id,
            "status": JobStatus(JobState.PENDING),
            "job_stdout_path": f"{path}.stdout",
            "job_stderr_path": f"{path}.stderr",
        }
        self._since[job_id] = time.monotonic()
        return job_id

    def _submitted(self, path: Path, name: str) -> str:
        try:
            job_id, said = self._submit(str(path))
        except OutageError as outage:
            words, uncertain = str(outage), True
        else:
            if job_id is not None:
                return job_id
            words = said.words or f"exit status {said.code}, and no job id in what was printed"
            uncertain = "timed out" in words.lower()
        if uncertain:
            # The command gave up; the scheduler may have taken the job all the same, and nobody would ever
            # connect it with this campaign, nor cancel it.
            try:
                if found := self._find(name):
                    return found
            except OutageError:
                _LOG.debug("whether %s was submitted cannot be asked either", name)
        raise SubmissionError(str(path), words)  # type: ignore[no-untyped-call]

    # ── states ──────────────────────────────────────────────────────────────────────────────────────

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        """The last known state of jobs, as copies: Parsl's executors write into what they are given."""
        if job_ids:
            self._status()
        return [copy_of(self.resources[job_id]["status"]) for job_id in job_ids]

    def _status(self) -> None:
        """Look at the jobs that have not ended; an end that was seen once is never looked at again."""
        known = list(self.resources.items())
        going = [str(job_id) for job_id, job in known if not job["status"].terminal]
        if not going:
            return
        try:
            seen = self._look(going)
            for job_id in going:
                if found := seen.get(job_id) or self._look_again(job_id):
                    self._note(job_id, found)
                elif self._old_enough(job_id):
                    self._note(job_id, vanished(self.label))
        except OutageError as outage:
            if self.outage is None:
                _LOG.warning("%s does not answer, blocks keep their last states: %s", self.label, outage)
            self.outage = str(outage)
        else:
            if self.outage is not None:
                _LOG.warning("%s answers again", self.label)
            self.outage = None

    def _old_enough(self, job_id: str) -> bool:
        """A job that runs has been listed, so it is missed at once; one just submitted may be on its way."""
        started = self.resources[job_id]["status"].state != JobState.PENDING
        return started or time.monotonic() - self._since.get(job_id, 0.0) > self.grace_seconds

    def _note(self, job_id: str, seen: Seen) -> None:
        job = self.resources[job_id]
        if job["status"].terminal:  # cancelled by us while the scheduler was being asked
            return
        job["status"] = JobStatus(
            seen.state, message=seen.message, exit_code=seen.exit_code,
            stdout_path=job["job_stdout_path"], stderr_path=job["job_stderr_path"],
        )  # fmt: skip

    # ── the rest ────────────────────────────────────────────────────────────────────────────────────

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """Cancel jobs; for each, whether it is gone."""
        return [self._cancelled(str(job_id)) for job_id in job_ids]

    def _cancelled(self, job_id: str) -> bool:
        try:
            gone = self._cancel(job_id)
        except OutageError as outage:
            _LOG.warning("job %s is not cancelled: %s", job_id, outage)
            return False
        if gone and job_id in self.resources:
            self._note(job_id, Seen(state=JobState.CANCELLED, message="cancelled by the campaign"))
        return gone

    def _ask(self, *command: str) -> Said:
        return ask(*command, seconds=self.cmd_timeout)

    def _options(self) -> list[str]:
        """The lines that the site adds to a batch script."""
        return [line.strip() for line in self.scheduler_options.splitlines() if line.strip()]

    @property
    def status_polling_interval(self) -> float:  # type: ignore[override]
        """Seconds between looks at the queue."""
        return self.poll_seconds
