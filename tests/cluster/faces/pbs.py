"""PBS Pro's commands over the SLURM cluster: its grammar, ids, states, exit statuses, and known defects.

Jobs are real SLURM jobs. It proves what is parsed and how we react, not how PBS schedules. Switches in the
environment: ``PBS_FACE_FIRST_ONLY=1``: qstat answers for the first id only; ``PBS_FACE_NO_HISTORY=1``: jobs
that have ended are not listed; ``PBS_FACE_BROKEN_JSON=1``: what ``-F json`` prints is not JSON.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import textwrap

from cluster.faces import slurm_jobs

SERVER = "testbed"
UNKNOWN = 153
_STATES = {"PENDING": "Q", "CONFIGURING": "Q", "RUNNING": "R", "SUSPENDED": "S", "COMPLETING": "E"}
_EXITS = {"TIMEOUT": -29, "NODE_FAIL": -22, "CANCELLED": 271}
_PREAMBLE = f"""\
export PBS_JOBID="$SLURM_JOB_ID.{SERVER}" PBS_O_WORKDIR="$PWD" PBS_ENVIRONMENT=PBS_BATCH
PBS_NODEFILE=$(mktemp) && scontrol show hostnames > "$PBS_NODEFILE" && export PBS_NODEFILE"""


def qsub(words: list[str]) -> int:
    *given, script = words
    options, resources = ["--no-kill"], {}  # PBS keeps a job that loses a node
    for key, value in [*_pairs(_directives(script)), *_pairs(given)]:
        if key == "-l":
            for item in re.split(r",(?=\w+=)", value):
                name, _, amount = item.partition("=")
                resources[name] = amount
        elif key in {"-N", "-o", "-e"}:
            options.append({"-N": "--job-name=", "-o": "--output=", "-e": "--error="}[key] + value)
        elif key == "-q":
            options.append(f"--partition={value}")
        elif key not in {"-A", "-P", "-W", "-S", "-m", "-r", "-j", "-V", "-k"}:
            return _fail(f"qsub: invalid option -- '{key.lstrip('-')}'", 2)
    if not resources.get("walltime") or ("select" in resources and "ncpus" in resources):
        return _fail('qsub: "-lresource=" cannot be used with "select" or "place"', 169)
    number, complaint = slurm_jobs.sbatch([*options, *_asked(resources)], script, _PREAMBLE)
    if number is None:
        unknown_queue = "invalid partition" in complaint
        return _fail("qsub: Unknown queue" if unknown_queue else f"qsub: {complaint}", 170)
    print(f"{number}.{SERVER}")
    return 0


def _asked(resources: dict[str, str]) -> list[str]:
    hours, minutes, seconds = map(int, resources["walltime"].split(":"))
    asked = [f"--time={60 * hours + minutes + (seconds > 0)}"]
    if "select" in resources:
        count, *rest = resources["select"].split(":")
        chunk = dict(part.split("=", 1) for part in rest)
        asked += [f"--ntasks={count}", f"--cpus-per-task={chunk.get('ncpus', 1)}"]
        asked += [f"--gpus-per-task={chunk['ngpus']}"] if "ngpus" in chunk else []
        # PBS packs chunks onto a host unless it is told to scatter them; here they always fit.
        place = resources.get("place", "")
        asked += [f"--nodes={count}"] if "scatter" in place else ["--nodes=1"]
        asked += ["--exclusive"] if "excl" in place else []
    else:  # totals, as on Gadi
        asked += [f"--ntasks={resources.get('ncpus', 1)}"]
        asked += [f"--gpus={resources['ngpus']}"] if "ngpus" in resources else []
    return asked


def _directives(script: str) -> list[str]:
    with open(script) as file:  # noqa: PTH123
        return [w for line in file if line.startswith("#PBS") for w in shlex.split(line[4:])]


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    return list(zip(words[::2], words[1::2], strict=True))


def qstat(words: list[str]) -> int:
    history, as_json = "-x" in words, "json" in words
    ids = [word for word in words if word[0].isdigit()]
    jobs, unknown = {}, 0
    for number in ids or [f"{n}.{SERVER}" for n in slurm_jobs.numbers("PENDING", "RUNNING")]:
        found = _attributes(number.split(".")[0])
        if history and os.environ.get("PBS_FACE_NO_HISTORY"):
            _fail(f"qstat: PBS is not configured to maintain job history {number}", 0)
        elif not found or (found["job_state"] == "F" and not history):
            unknown += 1
            _fail(f"qstat: Unknown Job Id {number}", UNKNOWN)
        elif not (jobs and os.environ.get("PBS_FACE_FIRST_ONLY")):
            jobs[f"{number.split('.')[0]}.{SERVER}"] = found
    if as_json:
        text = json.dumps({"pbs_server": SERVER, **({"Jobs": jobs} if jobs else {})}, indent=4)
        print(
            text.replace('"Variable_List"', 'Variable_List"')
            if os.environ.get("PBS_FACE_BROKEN_JSON")
            else text
        )
    else:
        for number, values in jobs.items():
            print(f"Job Id: {number}")
            for name, value in values.items():
                lines = textwrap.wrap(f"{name} = {value}", 74, break_on_hyphens=False, drop_whitespace=False)
                print("    " + "\n\t".join(lines))
            print()
    return UNKNOWN if unknown else 0


def _attributes(number: str) -> dict[str, str]:
    known = slurm_jobs.job(number)
    if not known:
        return {}
    state = known["JobState"]
    held = state == "PENDING" and known["Reason"].startswith("JobHeld")
    values = {
        "Job_Name": known["JobName"], "Job_Owner": f"root@{SERVER}",
        "resources_used.walltime": known["RunTime"], "job_state": "H" if held else _STATES.get(state, "F"),
        "queue": known["Partition"], "server": SERVER, "Resource_List.walltime": known["TimeLimit"],
        "Variable_List": f"PBS_O_HOME=/root,PBS_O_PATH={os.environ.get('PATH', '')}",
    }  # fmt: skip
    if values["job_state"] == "F":
        code, _, signal = known["ExitCode"].partition(":")
        values["Exit_status"] = str(_EXITS.get(state, int(code) or (256 + int(signal) if int(signal) else 0)))
        values["substate"] = "91" if state == "CANCELLED" else "92"
        values["comment"] = f"Job ended, as SLURM says {state} because of {known['Reason']}"
    return values


def qdel(words: list[str]) -> int:
    unknown = [number for number in words if not slurm_jobs.scancel(number.split(".")[0])]
    for number in unknown:
        _fail(f"qdel: Unknown Job Id {number}", UNKNOWN)
    return UNKNOWN if unknown else 0


def qselect(words: list[str]) -> int:
    for number in slurm_jobs.numbers("PENDING", "RUNNING"):
        if slurm_jobs.job(number).get("JobName") == words[words.index("-N") + 1]:
            print(f"{number}.{SERVER}")
    return 0


def pbsdsh(words: list[str]) -> int:
    """A process a chunk, each with next to nothing in its environment."""
    kept = [f"{k}={v}" for k, v in os.environ.items() if k in {"PBS_JOBID", "PBS_NODEFILE", "HOME"}]
    bare = ["env", "-i", "PATH=/usr/bin:/bin", *kept]
    return slurm_jobs.srun(1, int(os.environ["SLURM_NNODES"]), bare + words[words.index("--") + 1 :])


def mpiexec(words: list[str]) -> int:
    """MPICH's way: ``-n 2 --ppn 1 --hostfile FILE program``."""
    values, rest = {}, list(words)
    while rest[0].startswith("-"):
        name, value, *rest = rest
        values[name.lstrip("-")] = value
    per_node = int(values.get("ppn", 1))
    return slurm_jobs.srun(per_node, int(values["n"]) // per_node, rest)


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[1]](sys.argv[2:]))
