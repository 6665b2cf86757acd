"""Job functions that tests run: small, deterministic, importable by workers.

Jobs that a running job brings get uuids derived from its own, so that two runs of one graph compare
document by document. :func:`act` and :func:`grow` turn a plain description (a *plan*) into a graph, static
or dynamic::

    {"value": 1, "replace": {"jobs": [{"value": 2}, {"value": 3, "after": [0]}], "shape": "flow"}}
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
import time
from collections.abc import Sequence  # noqa: TC003 (pydantic and workers resolve annotations)
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from jobflow import CURRENT_JOB, Flow, Job, JobConfig, JobOrder, Maker, OnMissing, Response, job
from pydantic import BaseModel


class Sum(BaseModel):
    """An output schema."""

    total: float
    terms: list[float] = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


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


@job(output_schema=Sum)
def summed(terms: list[float]) -> Any:
    return {"total": sum(terms), "terms": terms}


@job(output_schema=Sum)
def summed_model(terms: list[float]) -> Any:
    return Sum(total=sum(terms), terms=terms)


@job(output_schema=Sum)
def summed_wrongly(terms: list[float]) -> Any:
    return {"sum": sum(terms)}


@job(output_schema=Sum)
def summed_by_another(terms: list[float], *, wrong: bool = False) -> Any:
    return Response(replace=(same if wrong else summed_plain)(terms))


@job
def summed_plain(terms: list[float]) -> Any:
    return {"total": sum(terms), "terms": terms}


@job(data="trajectory")
def trajectory(n: int) -> dict[str, Any]:
    return {"energy": -1.0 * n, "trajectory": [[i, i + 0.5] for i in range(n)]}


@job(data=True)
def all_data(n: int) -> dict[str, Any]:
    return {"frames": list(range(n))}


@job(data=["trajectory", Colour, "frames"])
def many_data(n: int) -> dict[str, Any]:
    return {"trajectory": list(range(n)), "inner": {"frames": [n], "trajectory": "deep"}, "n": n}


@job(data="trajectory")
def trajectory_by_another(n: int) -> Any:
    return Response(replace=Flow([new := named(summed_plain([n]), "t")], output={"trajectory": new.output}))


@job(nowhere="frames")
def unknown_store(n: int) -> dict[str, Any]:
    return {"frames": n}


@job
def array(n: int, kind: str = "float64") -> Any:
    import numpy as np

    return {"values": np.arange(n).astype(kind), "n": n, "scalar": np.float64(0.1), "whole": np.int64(n)}


@job
def bare_array(n: int) -> Any:
    import numpy as np

    return np.linspace(0, 1, n).reshape(2, -1)


@job
def mean_of(values: Any) -> Any:
    import numpy as np

    return {"mean": float(np.mean(values)) if len(values) else 0.0, "shape": list(np.shape(values))}


@job
def structure(repeats: int) -> Any:
    from pymatgen.core import Lattice, Structure

    crystal = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0, 0]])
    crystal.add_site_property("magmom", [0.5 * i for i in range(len(crystal))])
    return crystal * (repeats, repeats, 1)


@job
def about_structure(crystal: Any) -> dict[str, Any]:
    return {
        "type": type(crystal).__name__,
        "sites": len(crystal),
        "volume": crystal.volume,
        "formula": crystal.composition.reduced_formula,
        "magmom": sum(crystal.site_properties["magmom"]),
    }


@job
def odd_values() -> dict[str, Any]:
    return {
        "none": None,
        "nan": float("nan"),
        "inf": float("inf"),
        "minus": -float("inf"),
        "enum": Colour.RED,
        "date": datetime(2026, 11, 22, 12, 30, 15, 250000),  # noqa: DTZ001 (that is the point)
        "text": "Ångström 😀 \u0000 \ud83d".encode("utf-8", "ignore").decode(),
        "tuple": (1, (2, 3)),
        "set": [1],
        "big": 2**60,
        "bytes": b"\x00\xff",
        "bool": True,
        "empty": {},
        "list": [],
        "key with spaces": {"a.b": 1},
        "path": str(Path("x", "y")),
    }


@job
def not_serialisable() -> Any:
    return {"it": object()}


@job
def current_job() -> dict[str, Any]:
    current = CURRENT_JOB.job
    return {
        "uuid": current.uuid,
        "index": current.index,
        "name": current.name,
        "metadata": current.metadata,
        "manager_config": current.config.manager_config,
        "hosts": len(current.hosts),
        "store": CURRENT_JOB.store is not None,
    }


@job(config=JobConfig(expose_store=True))
def look_up(uuid: str) -> Any:
    found = CURRENT_JOB.store.query_one({"uuid": uuid}, sort={"index": -1})
    return None if found is None else found["output"]


@job(config=JobConfig(resolve_references=False))
def unresolved(value: Any) -> Any:
    return {"kind": type(value).__name__, "value": value}


@job(config=JobConfig(resolve_references="both"))
def both(value: Any) -> Any:
    return {"kind": type(value).__name__, "value": value.value}


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


# ── jobs for single tests ───────────────────────────────────────────────────────────────────────────────


@job
def text_of_type(value: Any) -> str:
    return type(value).__name__


@job
def map_reduce_list(n: int) -> Any:
    mapped = [named(add(i), f"map {i}") for i in range(n)]
    return Response(replace=Flow(mapped, output=[new.output for new in mapped]))


def wait_for(path: str | Path, *, seconds: float = 60.0) -> None:
    """Wait until a file is there."""
    until = time.monotonic() + seconds
    while not Path(path).exists():
        if time.monotonic() > until:
            raise TimeoutError(str(path))
        time.sleep(0.01)


@job
def stops_when(folder: str, mark: str) -> Any:
    """Stop the jobflow as soon as another job runs."""
    wait_for(Path(folder, mark))
    return Response("stopped", stop_jobflow=True)


@job
def brings_when(folder: str, mark: str, campaign: str) -> Any:
    """Bring a job, but long after another has stopped the jobflow."""
    Path(folder, mark).touch()
    time.sleep(1.5)
    return Response(
        "brought", replace=Flow([note(folder, name="replacement")]), addition=note(folder, name="added")
    )


@job
def write_file(name: str, content: str) -> dict[str, Any]:
    """Write a file into the job's directory and keep it."""
    from zonemelt.tasks.kept_files import keep_file

    Path(name).write_text(content)
    return {"file": keep_file(name)}


@job
def exists(path: str) -> str:
    """The path of a file that must be there."""
    if not Path(path).exists():
        raise FileNotFoundError(path)
    return path


@job
def read_file(path: Path) -> list[str]:
    """The name and content of a kept file."""
    return [path.name.partition("-")[2], path.read_text()]


@job
def kill_once(folder: str, victim: str, _after: Any = None) -> str:
    """Kill a part of the machinery that runs this job, the first time."""
    import psutil

    wrote(folder, victim)
    if executions(folder)[f"{victim}_1"] > 1:
        return "survived"
    me = psutil.Process()
    if victim == "worker":
        me.kill()
    if victim == "manager":
        me.parent().kill()
    if victim == "interchange":
        mark = os.environ["ZONEMELT_CAMPAIGN"]
        for process in psutil.process_iter():
            try:
                if (
                    "interchange" in " ".join(process.cmdline())
                    and process.environ().get("ZONEMELT_CAMPAIGN") == mark
                ):
                    process.kill()
            except psutil.Error:
                continue
    time.sleep(300)
    return "not killed"


@job
def fill_disk(folder: str, path: str) -> int:
    """Leave no room on a disk, the first time."""
    wrote(folder, "full")
    if executions(folder)["full_1"] == 1:
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(file, bytes(size))
        os.close(file)
    return 0


@job
def big_output(folder: str, _: Any, n: int) -> Any:
    import numpy as np

    wrote(folder, f"big {n}")
    return {"n": n, "values": np.random.default_rng(n).random(50_000)}


@job
def overtake(directory: str) -> int:
    """Do as another head would that takes the campaign over."""
    epoch = Path(directory, "epoch")
    epoch.write_text(str(int(epoch.read_text()) + 1))
    return 0


# ── jobs that look around ───────────────────────────────────────────────────────────────────────────────


@job
def listeners(head: int) -> list[str]:
    """Addresses at which the head, its workers and all that was started for them listen."""
    import psutil

    processes = [psutil.Process(head), *psutil.Process(head).children(recursive=True)]
    connections = [one for each in processes for one in each.net_connections()]
    return sorted({one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN})


@job
def tell(words: str) -> str:
    print("said", words)
    return words
