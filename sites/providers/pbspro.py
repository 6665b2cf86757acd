"""Blocks on PBS Pro and OpenPBS, asked in their text form, which every version prints whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Unpack

from parsl.jobs.states import JobState

from zonemelt.sites.providers.base import BatchProvider
from zonemelt.sites.providers.jobs import Common, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.sites.commands import Said

_UNKNOWN_JOB = re.compile(r"Unknown Job|does not exist|has finished", re.IGNORECASE)
_WALLTIME = -29  # Exit_status of a job that PBS ended at its limit
_DELETED = "91"  # substate of a job that somebody deleted
_TERMINATED = 256 + 15  # Exit_status of a job that got SIGTERM, at its limit or by somebody
# Letters that are not here are of jobs that wait (M: it waits elsewhere). E: its end is not over yet.
_RUNNING = {"R", "E", "S", "U", "B"}
_FINISHED = {"F", "X", "C"}


class PBSProProvider(BatchProvider):
    """A Parsl provider for PBS Pro and OpenPBS.

    Nodes are scattered (PBS packs chunks onto one host otherwise), and pilots are not rerun.

    Args:
        account: ``-A``. Sites that name who pays in another way (``-P`` on ABCI and Gadi, ``-W group_list=``
            on Miyabi) have it in ``scheduler_options``.
        queue: the queue.
        select_options: of each chunk, e.g. ``ngpus=4``.
        cpus_per_node: ``ncpus`` of a chunk; None: not said, where the queue implies it.
        mem_per_node: of a chunk, in GB.
        select: ask by ``-l select``. False for sites that want totals (NCI Gadi): then ``scheduler_options``
            says all of it: ``#PBS -l ncpus=96``, ``-l ngpus=8``, ``-l mem=…``, ``-l storage=…``.
        place: how chunks lie on hosts, e.g. ``scatter:excl``.
        **common: see :class:`Common`.
    """

    def __init__(
        self,
        *,
        account: str | None = None,
        queue: str | None = None,
        select_options: str = "",
        cpus_per_node: int | None = 1,
        mem_per_node: float | None = None,
        select: bool = True,
        place: str = "scatter",
        **common: Unpack[Common],
    ) -> None:
        super().__init__("pbspro", **common)
        self.account = account
        self.queue = queue
        self.select_options = select_options
        self.cpus_per_node = cpus_per_node
        self.mem_per_node = mem_per_node
        self.select = select
        self.place = place
        self._history = True  # until the server turns out to keep none

    def _directives(self, job_name: str, output: str, errors: str) -> list[str]:
        options = self._options()
        lines = [
            "#PBS -S /bin/bash", f"#PBS -N {job_name}", f"#PBS -o {output}", f"#PBS -e {errors}", "#PBS -m n",
            "#PBS -r n", f"#PBS -l walltime={self.walltime}",
        ]  # fmt: skip
        lines += [f"#PBS -q {self.queue}"] if self.queue else []
        lines += [f"#PBS -A {self.account}"] if self.account else []
        if self.select:
            lines.append(f"#PBS -l select={self._chunks()}")
            if not any("place=" in line for line in options):
                lines.append(f"#PBS -l place={self.place}")
        return lines + options

    def _chunks(self) -> str:
        parts = [str(self.nodes_per_block)]
        parts += [f"ncpus={self.cpus_per_node}"] if self.cpus_per_node else []
        parts += [f"mem={round(self.mem_per_node * 1024)}mb"] if self.mem_per_node else []
        return ":".join([*parts, *filter(None, self.select_options.split(":"))])

    def _submit(self, script: str) -> tuple[str | None, Said]:
        said = self._ask("qsub", script)
        found = re.search(r"^\s*(\d+(?:\.[\w.-]+)?)\s*$", said.out, re.MULTILINE)
        return (found[1] if found and not said.code else None), said

    def _look(self, job_ids: Sequence[str]) -> dict[str, Seen]:
        # One unknown id gives exit status 153 for all of them, so what counts is what is printed.
        said = self._ask("qstat", *self._flags(), *job_ids)
        found = _jobs(said.out)
        if not found and said.code and not _UNKNOWN_JOB.search(said.words):
            said.or_outage()
        return {job_id: found[_number(job_id)] for job_id in job_ids if _number(job_id) in found}

    def _look_again(self, job_id: str) -> Seen | None:
        """Ask for one job alone, then as a server does that keeps no history of jobs."""
        for flags in (self._flags(), ["-f"]):
            said = self._ask("qstat", *flags, job_id)
            if found := _jobs(said.out).get(_number(job_id)):
                self._history = self._history and flags != ["-f"]
                return found
            if said.code and not _UNKNOWN_JOB.search(said.words):
                said.or_outage()
        return None

    def _flags(self) -> list[str]:
        return ["-x", "-f"] if self._history else ["-f"]

    def _find(self, job_name: str) -> str | None:
        found = self._ask("qselect", "-N", job_name).or_outage().out.split()
        return found[0] if found else None

    def _cancel(self, job_id: str) -> bool:
        said = self._ask("qdel", job_id)
        return not said.code or bool(_UNKNOWN_JOB.search(said.words))


def _number(job_id: str) -> str:
    """Servers print ids with shorter or longer names behind the number than qsub did."""
    return job_id.partition(".")[0]


def _jobs(text: str) -> dict[str, Seen]:
    """What ``qstat -f`` prints, by the numbers of jobs."""
    found = {}
    for part in re.split(r"^Job Id:\s*", text.replace("\n\t", ""), flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        values = dict(reversed(re.findall(r"^ {4}([\w.]+) = (.*)$", body, re.MULTILINE)))
        if "job_state" in values:
            found[_number(name.strip())] = _seen(values)
    return found


def _seen(values: dict[str, str]) -> Seen:
    letter, code = values["job_state"].strip(), _integer(values.get("Exit_status"))
    comment = values.get("comment", "").strip()
    message = f"PBS: {letter}" + (f", {comment}" if comment else "")
    if letter not in _FINISHED:
        state = JobState.RUNNING if letter in _RUNNING else JobState.PENDING
        return Seen(state=state, message=message)
    if code:
        message += f", Exit_status {code}"
    return Seen(state=_end(values, code), message=message, exit_code=code)


def _end(values: dict[str, str], code: int | None) -> JobState:
    if code == 0:
        return JobState.COMPLETED
    if code == _WALLTIME or (code == _TERMINATED and _used_up(values)):
        return JobState.TIMEOUT
    if code is None or code == _TERMINATED or values.get("substate") == _DELETED:
        return JobState.CANCELLED
    return JobState.FAILED


def _used_up(values: dict[str, str]) -> bool:
    """Whether a job ran for as long as it was allowed to."""
    used, limit = (_seconds(values.get(f"{name}.walltime")) for name in ("resources_used", "Resource_List"))
    return used is not None and limit is not None and used >= limit


def _seconds(clock: str | None) -> int | None:
    if not clock or not re.fullmatch(r"\d+(:\d+)*", clock.strip()):
        return None
    total = 0
    for part in clock.strip().split(":"):
        total = 60 * total + int(part)
    return total


def _integer(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\s*-?\d+\s*", text) else None
