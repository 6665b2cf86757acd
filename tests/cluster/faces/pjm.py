"""PJM's commands in words: options, limits, messages and tables, whatever runs the jobs behind them."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_WITH_VALUE = {
    "-L": "rsc", "--rsc-list": "rsc", "-g": "group", "--gname": "group", "-N": "name", "--name": "name",
    "-o": "out", "--out": "out", "-e": "err", "--err": "err", "-x": "variables", "--mpi": "mpi",
    "--sparam": "sparam", "--spath": "spath",
}  # fmt: skip
_FLAGS = {"-j", "-X", "-s", "-S", "--restart", "--norestart", "--mswk"}
_COMMAND_LINE = {"--no-check-directory", "--no-check-gfscache", "--all-mount-gfscache"}
LIVE = ("ACC", "QUE", "RNA", "RNP", "RUN", "RNE", "RNO", "SPP", "SPD", "RSM", "HLD")
_NOT_DELETED = ("RNP", "RNE", "RNO", "EXT", "CCL", "RJT")


class RefusalError(Exception):
    """What pjsub answers to something it does not take."""


@dataclass
class Request:
    """What a job asks for."""

    script: str
    nodes: int = 1
    elapse: int = 60
    group: str = ""
    rscgrp: str = ""
    name: str = ""
    out: str = ""
    err: str = ""
    max_per_node: int = 1
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Record:
    """What is known of a job."""

    number: str
    name: str
    state: str
    reason: str = "-"
    code: int = 0
    nodes: int = 1
    elapse: int = 0


class Machine(Protocol):
    """What runs jobs."""

    def submit(self, request: Request) -> str: ...
    def record(self, number: str) -> Record | None: ...
    def numbers(self) -> list[str]: ...
    def delete(self, number: str) -> None: ...
    def mpiexec(self, ranks: int, out: str, err: str, program: list[str]) -> int: ...


def pjsub(machine: Machine, words: list[str]) -> int:
    *given, script = words
    try:
        request = _request(given, script)
        number = machine.submit(request)
    except RefusalError as refusal:
        print(f"[ERR.] PJM {refusal}", file=sys.stderr)
        return 1
    print(f"[INFO] PJM 0000 pjsub Job {number} submitted.")
    return 0


def _request(given: list[str], script: str) -> Request:
    request = Request(script=str(Path(script).resolve()))
    lines = Path(script).read_text().splitlines()
    inside = [w for line in lines if line.startswith("#PJM") for w in shlex.split(line[4:])]
    if misplaced := _COMMAND_LINE & set(inside):
        raise RefusalError(f"0003 pjsub Option is not available in a job script: {misplaced.pop()}")
    for name, value in [*_options(inside), *_options(given)]:
        if name == "rsc":
            for item in value.split(","):
                _resource(request, *item.partition("=")[::2])
        elif name == "mpi":
            request.max_per_node = int(
                dict(p.split("=") for p in value.split(",")).get("max-proc-per-node", 1)
            )
        elif name == "variables":
            request.variables |= dict(part.split("=", 1) for part in value.split(","))
        elif name in Request.__dataclass_fields__:
            setattr(request, name, value)
    _check(request)
    request.name = request.name or re.sub(r"^(?=\d)", "J", Path(script).name)
    return request


def _options(words: list[str]) -> list[tuple[str, str]]:
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word in _WITH_VALUE and rest:
            found.append((_WITH_VALUE[word], rest.pop(0)))
        elif word not in _FLAGS | _COMMAND_LINE:
            raise RefusalError(f"0002 pjsub Invalid option: {word}")
    return found


def _resource(request: Request, name: str, value: str) -> None:
    if name == "node":
        shape = re.fullmatch(r"(\d+(?:x\d+){0,2})(?::(?:torus|mesh|noncont))?", value)
        if shape is None:
            raise RefusalError(f"0055 pjsub Invalid value: node={value}")
        request.nodes = 1
        for side in shape[1].split("x"):
            request.nodes *= int(side)
    elif name == "elapse":
        request.elapse = 0
        for part in value.rpartition("-")[2].split(":"):
            request.elapse = 60 * request.elapse + int(part)
    elif name in {"rscgrp", "rg"}:
        request.rscgrp = value


def _check(request: Request) -> None:
    limits = {
        "elapse": int(os.environ.get("PJM_FACE_MAX_ELAPSE", "14400")),
        "nodes": int(os.environ.get("PJM_FACE_MAX_NODES", "24")),
    }
    for name, limit in limits.items():
        if (value := getattr(request, name)) > limit:
            word = name.removesuffix("s")
            raise RefusalError(f"0057 pjsub {word}={value} is greater than the upper limit ({limit}).")
    if request.group in {"", "fugaku"}:
        raise RefusalError("0071 pjsub Group not authorized to submit a job: group(59999)")
    if request.name and not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,62}", request.name):
        raise RefusalError(f"0054 pjsub Invalid job name: {request.name}")


def pjstat(machine: Machine, words: list[str]) -> int:
    ids = [word for word in words if word.isdigit()] or machine.numbers()
    if "-s" in words:
        for record in filter(None, map(machine.record, ids)):
            print(
                f" Job Statistical Information\n\n JOB ID     : {record.number}\n JOB NAME   : {record.name}"
            )
            print(f" STATE      : {record.state}\n PJM CODE   : {record.code}")
        return 0
    verbose, history = "-v" in words, "-H" in words
    head = "JOB_ID     JOB_NAME   MD ST  USER     START_DATE      ELAPSE_LIM NODE_REQUIRE VNODE  CORE V_MEM"
    print(head + (" REASON" if verbose else ""))
    if history and os.environ.get("PJM_FACE_NO_HISTORY"):
        return 0
    for record in filter(None, map(machine.record, ids)):
        if (record.state in LIVE) == history:
            continue
        start = "(--/-- --:--)" if record.state in {"ACC", "QUE"} else "11/22 10:00:00"
        limit = f"{record.elapse // 3600:04}:{record.elapse // 60 % 60:02}:{record.elapse % 60:02}"
        row = f"{record.number:<10} {record.name[:10]:<10} NM {record.state} user     {start} {limit}"
        row += f" {record.nodes:<12} -      -    -"
        print(row + (f" {record.reason}" if verbose else ""))
    return 0


def pjdel(machine: Machine, words: list[str]) -> int:
    failed = 0
    for number in words:
        record = machine.record(number)
        if record is None or record.state in {"EXT", "CCL", "RJT", "ERR"}:
            print(f"[ERR.] PJM 0112 pjdel Job {number} does not exist.", file=sys.stderr)
        elif record.state in _NOT_DELETED:
            print(f"[ERR.] PJM 0113 pjdel Job {number} is in {record.state} state.", file=sys.stderr)
        else:
            machine.delete(number)
            print(f"[INFO] PJM 0100 pjdel Accepted job {number}.")
            continue
        failed = 1
    return failed


def mpiexec(machine: Machine, words: list[str]) -> int:
    """``mpiexec [-n N] [-stdout-proc FILE] [-stderr-proc FILE] program``: nothing of MPICH's options."""
    values, rest = {}, list(words)
    while rest[0].startswith("-"):
        name, *rest = rest
        if name not in {"-n", "-np", "-stdout-proc", "-stderr-proc", "-vcoordfile", "--vcoordfile"}:
            print(f"[mpi::mpiexec] unrecognized option: {name}", file=sys.stderr)
            return 1
        values[name.lstrip("-")], *rest = rest
    most = int(os.environ["PJM_FACE_NODES"]) * int(os.environ["PJM_FACE_PER_NODE"])
    ranks = int(values.get("n", values.get("np", most)))
    if ranks > most:
        print(f"[mpi::mpiexec] {ranks} processes do not fit into {most}", file=sys.stderr)
        return 1
    return machine.mpiexec(ranks, values.get("stdout-proc", ""), values.get("stderr-proc", ""), rest)


def main(machine: Machine) -> int:
    commands = {"pjsub": pjsub, "pjstat": pjstat, "pjdel": pjdel, "mpiexec": mpiexec}
    return commands[sys.argv[1]](machine, sys.argv[2:])
