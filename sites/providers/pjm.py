"""Blocks on Fujitsu's Technical Computing Suite (PJM): Fugaku, and machines like Wisteria and Flow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Unpack

from parsl.jobs.states import JobState

from zonemelt.sites.providers.base import BatchProvider
from zonemelt.sites.providers.jobs import Common, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.sites.commands import Said

_STATES = {
    **dict.fromkeys(("ACC", "QUE", "QUEUED", "RNA", "RNP", "HLD"), JobState.PENDING),
    **dict.fromkeys(("RUN", "RUNNING", "RNE", "RNO", "RSM", "SPP", "SPD"), JobState.RUNNING),
    **dict.fromkeys(("EXT", "END"), JobState.COMPLETED),
    "CCL": JobState.CANCELLED,
    **dict.fromkeys(("ERR", "RJT"), JobState.FAILED),
}
_CODES = {1: JobState.CANCELLED, 11: JobState.TIMEOUT}  # PJM CODE of statistics; 0: it ended by itself
# pjsub takes these on its command line only, and refuses a script that has them.
_COMMAND_LINE_ONLY = ("--no-check-directory", "--no-check-gfscache", "--all-mount-gfscache")


class PJMProvider(BatchProvider):
    """A Parsl provider for PJM.

    Options that pjsub takes on its command line only may stand among the ``#PJM`` lines of
    ``scheduler_options``: they are put where they belong.

    Args:
        group: who pays, ``-g``.
        rscgrp: the resource group, ``-L rscgrp=``.
        shape: of the nodes on the torus, e.g. ``2x3x2``, in place of their number.
        max_proc_per_node: processes that one ``mpiexec`` may start on a node; managers need one.
        submit_options: for the command line of pjsub, e.g. ``--no-check-directory``.
        gfscache: volumes to cache, e.g. ``/vol0004``; several separated by a colon.
        cores_per_node: of a node, for Parsl's arithmetic.
        **common: see :class:`Common`.

    Raises:
        ValueError: ``gfscache`` has a comma: pjsub takes it, and the job dies much later at the gate check.
    """

    def __init__(
        self,
        *,
        group: str | None = None,
        rscgrp: str | None = None,
        shape: str | None = None,
        max_proc_per_node: int = 1,
        submit_options: str = "",
        gfscache: str | None = None,
        cores_per_node: int | None = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__("pjm", **common)
        if gfscache and "," in gfscache:
            raise ValueError(f"gfscache: {gfscache!r}: separate volumes by a colon")
        self.group = group
        self.rscgrp = rscgrp
        self.shape = shape
        self.max_proc_per_node = max_proc_per_node
        self.submit_options = submit_options
        self.gfscache = gfscache
        self.cores_per_node = cores_per_node
        self.mem_per_node = None  # Parsl asks for it

    def _directives(self, job_name: str, output: str, errors: str) -> list[str]:
        lines = [f'#PJM -L "node={self.shape or self.nodes_per_block}"', f'#PJM -L "elapse={self.walltime}"']
        lines += [f'#PJM -L "rscgrp={self.rscgrp}"'] if self.rscgrp else []
        lines += [f"#PJM -g {self.group}"] if self.group else []
        lines += [f'#PJM --mpi "max-proc-per-node={self.max_proc_per_node}"', "#PJM --norestart"]
        lines += [f"#PJM -N {job_name}", f"#PJM -o {output}", f"#PJM -e {errors}"]
        lines += [f"#PJM -x PJM_LLIO_GFSCACHE={self.gfscache}"] if self.gfscache else []
        return lines + [line for line in self._options() if not _is_command_line(line)]

    def command_line(self) -> list[str]:
        """The options that pjsub gets on its command line."""
        lines = self._options()
        moved = [_words(line) for line in lines if _is_command_line(line)]
        return [*self.submit_options.split(), *moved]

    def _submit(self, script: str) -> tuple[str | None, Said]:
        said = self._ask("pjsub", *self.command_line(), script)
        found = re.search(r"PJM \d{4} pjsub Job (\d+) submitted", said.out)
        # Exit status 0 alone proves nothing: staging errors have come with it.
        return (found[1] if found and not said.code else None), said

    def _look(self, job_ids: Sequence[str]) -> dict[str, Seen]:
        found = _rows(self._ask("pjstat", "-v", *job_ids).or_outage().out)
        if any(job_id not in found for job_id in job_ids):
            found |= _rows(self._ask("pjstat", "-v", "-H", *job_ids).or_outage().out)
        return {job_id: found[job_id] for job_id in job_ids if job_id in found}

    def _look_again(self, job_id: str) -> Seen | None:
        """Ask for its statistics: some machines keep no history but those."""
        text = self._ask("pjstat", "-s", job_id).or_outage().out
        found: list[tuple[str, str]] = re.findall(
            r"^\s*([A-Z][A-Z ]*?)\s*:\s*(\S.*?)\s*$", text, re.MULTILINE
        )
        values = dict(found)
        if values.get("JOB ID") != job_id or "STATE" not in values:
            return None
        seen = _seen(values["STATE"], values.get("REASON", ""))
        code = values.get("PJM CODE", values.get("PC", ""))
        if seen.state != JobState.COMPLETED or not code.isdigit() or code == "0":
            return seen
        state = _CODES.get(int(code), JobState.FAILED)
        return Seen(state=state, message=f"{seen.message}, PJM code {code}")

    def _cancel(self, job_id: str) -> bool:
        words = self._ask("pjdel", job_id).words
        return "Accepted" in words or "does not exist" in words


def _rows(text: str) -> dict[str, Seen]:
    """What ``pjstat`` prints; START_DATE may be two words, so only the columns before it are counted."""
    column, found = 3, {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["JOB_ID"] and "ST" in words:
            column = words.index("ST")
        elif len(words) > column and words[0].isdigit():
            reason = re.search(
                r"[A-Z]+(?: [A-Z]+)* EXCEEDED|[A-Z]+(?: [A-Z]+)* (?:FAILED|DOWN|COMM|ERROR)", line
            )
            found[words[0]] = _seen(words[column], reason[0] if reason else "")
    return found


def _seen(word: str, reason: str) -> Seen:
    message = f"PJM: {word}" + (f", {reason}" if reason not in {"", "-"} else "")
    state = _STATES.get(word, JobState.RUNNING)
    if state == JobState.COMPLETED and "ELAPSE" in reason:
        state = JobState.TIMEOUT
    return Seen(state=state, message=message)


def _words(line: str) -> str:
    return line.removeprefix("#PJM").strip()


def _is_command_line(line: str) -> bool:
    return _words(line).startswith(_COMMAND_LINE_ONLY)
