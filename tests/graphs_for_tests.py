"""Job functions that tests run: small, deterministic, importable by workers.

Jobs that a running job brings get uuids derived from its own, so that two runs of one graph compare
document by document. :func:`act` and :func:`grow` turn a plain description (a *plan*) into a graph, static
or dynamic::

    {"value": 1, "replace": {"jobs": [{"value": 2}, {"value": 3, "after": [0]}], "shape": "flow"}}
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence  # noqa: TC003 (pydantic and workers resolve annotations)
from dataclasses import dataclass, field
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from jobflow import CURRENT_JOB, Flow, Job, JobOrder, Maker, OnMissing, Response, job

# ── uuids ───────────────────────────────────────────────────────────────────────────────────────────────


def derived(label: str) -> str:
    """A uuid that depends on the running job and a label only."""
    parent = CURRENT_JOB.job
    return str(uuid5(NAMESPACE_OID, f"{parent.uuid} {parent.index} {label}"))


def named(new: Job, label: str) -> Job:
    """Give a job that the running job brings its derived uuid."""
    new.set_uuid(derived(label))
    return new


# ── plain jobs ──────────────────────────────────────────────────────────────────────────────────────────


@job
def add(a: Any, b: Any = 1) -> Any:
    return a + b


@job
def total(numbers: Sequence[float]) -> float:
    return sum(numbers)


@job
def same(value: Any = None) -> Any:
    return value


@job
def text_of(value: Any) -> str:
    return repr(value)


@job
def fail(*_: Any, message: str = "on purpose", **__: Any) -> None:
    raise RuntimeError(message)


@job
def ask_for_memory(nbytes: int) -> int:
    return len(bytearray(nbytes))


@job
def rest(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


@job
def speak(text: str, *, fails: bool = False) -> str:
    print(text)
    Path("kept.txt").write_text(text)
    if fails:
        raise ValueError(text)
    return text


@job
def note(folder: str, *inputs: Any, name: str = "", seconds: float = 0.0) -> str:
    """Leave a line in a file that counts executions."""
    wrote(folder, name)
    if seconds:
        time.sleep(seconds)
    return fingerprint([name, inputs])


def wrote(folder: str, name: str = "") -> None:
    """Append one line to the file of the running job: lines count executions."""
    current = CURRENT_JOB.job
    path = os.path.join(folder, f"{name or current.uuid}_{current.index}")  # noqa: PTH118
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, f"{os.getpid()}\n".encode())
    os.close(file)


def executions(folder: str | Path) -> dict[str, int]:
    """How often each job of a folder of :func:`wrote` was begun."""
    return {path.name: len(path.read_text().splitlines()) for path in Path(folder).iterdir()}


def fingerprint(value: Any) -> str:
    """A short text that tells values apart, whatever their size."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


@job
def fail_times(folder: str, times: int, error: str = "application") -> int:
    """Fail the first ``times`` executions."""
    wrote(folder)
    current = CURRENT_JOB.job
    count = executions(folder)[f"{current.uuid}_{current.index}"]
    if count > times:
        return count
    if error == "exit":
        os._exit(1)
    if error == "disk":
        raise OSError(28, "No space left on device")
    if error == "memory":
        raise MemoryError
    if error == "walltime":
        time.sleep(60)
    raise RuntimeError(f"execution {count} fails")


# ── jobs that bring jobs ────────────────────────────────────────────────────────────────────────────────


@job
def countdown(n: int) -> Any:
    return Response(output=n, replace=countdown(n - 1)) if n else "end"


@job
def respond(value: Any = None, **keywords: Any) -> Any:
    return Response(output=value, **keywords)


@job
def map_reduce(n: int, fails: Sequence[int] = (), on_missing: str = "error") -> Any:
    mapped = [named((fail if i in fails else add)(i), f"map {i}") for i in range(n)]
    reduced = named(same([m.output for m in mapped]), "reduce")
    reduced.config.on_missing_references = OnMissing(on_missing)
    return Response(replace=Flow([*mapped, reduced], output=reduced.output))


def given(function: Any, *values: Any, **keywords: Any) -> Any:
    """A partial function, named as jobflow wants one."""
    return update_wrapper(partial(function, *values, **keywords), function)


def power(base: float, exponent: float = 2) -> float:
    return base**exponent


@job
def called(function: Any, *values: float) -> Any:
    return function(*values)


@job
def about_atoms(atoms: Any) -> dict[str, Any]:
    """What arrived: positions, and arrays of any name."""
    return {name: values.tolist() for name, values in atoms.arrays.items()} | {"info": dict(atoms.info)}


@job
def called_as_job(make: Any, value: float) -> Any:
    """Make a job of what was given, as recipes with jobs for arguments do."""
    return Response(replace=named(make(value), "made"))


@job
def bare(shape: str, n: int = 2) -> Any:
    """Return jobs, which jobflow takes for a replacement."""
    jobs = [named(add(i), f"bare {i}") for i in range(n)]
    shapes = {
        "job": jobs[0],
        "list": jobs,
        "tuple": tuple(jobs),
        "dict": {f"k{i}": j for i, j in enumerate(jobs)},
        "flow": Flow(jobs, output=[j.output for j in jobs]),
    }
    return shapes[shape]


@dataclass
class AddMaker(Maker):
    name: str = "add"
    number: float = 1.0

    @job
    def make(self, a: float) -> float:
        return a + self.number


@dataclass
class ChainMaker(Maker):
    name: str = "chain"
    first: Maker = field(default_factory=AddMaker)
    second: Maker = field(default_factory=lambda: AddMaker(name="second", number=10.0))

    def make(self, a: float) -> Flow:
        one = self.first.make(a)
        two = self.second.make(one.output)
        return Flow([one, two], output=two.output, name=self.name)


@dataclass
class BringMaker(Maker):
    """A job that brings what its makers make."""

    name: str = "bring"
    maker: Maker = field(default_factory=ChainMaker)
    way: str = "replace"

    @job
    def make(self, a: float) -> Any:
        flow = self.maker.make(a)
        for i, new in enumerate(flow.jobs if isinstance(flow, Flow) else [flow]):
            new.set_uuid(derived(f"brought {i}"))
        if isinstance(flow, Flow):  # references follow the new uuids
            one, two = flow.jobs
            two.function_args = (one.output,)
            flow.output = two.output
        return Response(output=a, **{self.way: flow})


# ── graphs from plans ───────────────────────────────────────────────────────────────────────────────────


@job
def act(plan: dict[str, Any], inputs: Any = None) -> Any:
    """Do what the plan says: note the execution, fail, bring jobs, stop others."""
    if "folder" in plan:
        wrote(plan["folder"])
    if "seconds" in plan:
        time.sleep(plan["seconds"])
    if plan.get("fails"):
        raise RuntimeError(f"job {plan.get('value')} fails")
    output = {"value": plan.get("value"), "inputs": fingerprint(inputs)}
    response = Response(output=output)
    for way in ("replace", "detour", "addition"):
        if way in plan:
            setattr(response, way, grow(plan[way], derived(way)))
    for flag in ("stop_children", "stop_jobflow"):
        if plan.get(flag):
            setattr(response, flag, True)
    return response


def grow(plan: dict[str, Any], seed: str) -> Any:
    """The graph that a plan describes.

    Args:
        plan: ``jobs``: what each does, ``after``: indices of those whose output it takes, ``missing``: its
            OnMissing, ``folder`` and the like as for :func:`act`. ``shape``: flow, plain (a flow without an
            output), list, dict or job (the first). ``order``: auto or linear.
        seed: what uuids derive from.
    """
    jobs: list[Job] = []
    for i, what in enumerate(plan["jobs"]):
        after = [jobs[k].output for k in what.get("after", ())]
        new = act({k: v for k, v in what.items() if k not in {"after", "missing", "config"}}, after)
        new.set_uuid(str(uuid5(NAMESPACE_OID, f"{seed} {i}")))
        new.config.on_missing_references = OnMissing(what.get("missing", "error"))
        new.config.manager_config = dict(what.get("config", {}))
        new.name = f"act {what.get('value', i)}"
        jobs.append(new)
    shape = plan.get("shape", "flow")
    if shape == "job":
        return jobs[0]
    if shape == "list":
        return jobs
    if shape == "dict":
        return {f"k{i}": new for i, new in enumerate(jobs)}
    return Flow(
        jobs,
        output=None if shape == "plain" else [new.output for new in jobs],
        order=JobOrder(plan.get("order", "auto")),
        uuid=str(uuid5(NAMESPACE_OID, f"{seed} flow")),
        name="grown",
    )
