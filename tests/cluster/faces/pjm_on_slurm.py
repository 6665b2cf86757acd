"""PJM's commands over the SLURM cluster: real jobs on real nodes, which can be lost."""

from __future__ import annotations

import os
import re
import sys

from cluster.faces import pjm, slurm_jobs

_STATES = {
    "PENDING": "QUE", "CONFIGURING": "RNP", "RUNNING": "RUN", "COMPLETING": "RNO", "SUSPENDED": "SPD",
    "COMPLETED": "EXT", "TIMEOUT": "EXT", "FAILED": "EXT", "CANCELLED": "CCL", "NODE_FAIL": "ERR",
}  # fmt: skip
_REASONS = {"TIMEOUT": ("ELAPSE LIMIT EXCEEDED", 11), "NODE_FAIL": ("LOST COMM", 20), "CANCELLED": ("-", 1)}


class Slurm:
    """SLURM as the machine behind PJM's words."""

    def submit(self, request: pjm.Request) -> str:
        options = [
            f"--nodes={request.nodes}", f"--time={max(1, -(-request.elapse // 60))}", "--exclusive",
            f"--partition={request.rscgrp}", f"--job-name={request.name}",
            f"--output={request.out or f'{request.name}.%j.out'}",
            f"--error={request.err or f'{request.name}.%j.err'}",
        ]  # fmt: skip
        variables = "".join(f"export {k}={v}\n" for k, v in request.variables.items())
        number, complaint = slurm_jobs.sbatch(
            options, request.script,
            f"{variables}export PJM_JOBID=$SLURM_JOB_ID PJM_O_WORKDIR=$PWD PJM_ENVIRONMENT=BATCH"
            f" PJM_FACE_NODES={request.nodes} PJM_FACE_PER_NODE={request.max_per_node}\n"
            'PJM_O_NODEINF=$(mktemp) && scontrol show hostnames > "$PJM_O_NODEINF" && export PJM_O_NODEINF',
        )  # fmt: skip
        if number is None:
            raise pjm.RefusalError(f"0058 pjsub {complaint}")
        return number

    def record(self, number: str) -> pjm.Record | None:
        known = slurm_jobs.job(number)
        if not known:
            return None
        state = known["JobState"]
        reason, code = _REASONS.get(state, ("-", 0))
        nodes = re.match(r"\d+", known["NumNodes"])
        return pjm.Record(
            number=number, name=known["JobName"], state=_STATES.get(state, "QUE"), reason=reason, code=code,
            nodes=int(nodes[0]) if nodes else 1,
        )  # fmt: skip

    def numbers(self) -> list[str]:
        return slurm_jobs.numbers("PENDING", "RUNNING")

    def delete(self, number: str) -> None:
        slurm_jobs.scancel(number)

    def mpiexec(self, ranks: int, out: str, err: str, program: list[str]) -> int:
        nodes = min(ranks, int(os.environ["PJM_FACE_NODES"]))
        files = [f"--output={out}.%t"] * bool(out) + [f"--error={err}.%t"] * bool(err)
        ranked = [
            "bash",
            "-c",
            'PMIX_RANK=$SLURM_PROCID PLE_RANK_ON_NODE=$SLURM_LOCALID "$@"',
            "rank",
            *program,
        ]
        return slurm_jobs.srun(ranks // nodes, nodes, ranked, *files)


if __name__ == "__main__":
    sys.exit(pjm.main(Slurm()))
