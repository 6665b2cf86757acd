"""What a job runs under, noted without its help: software, machine and allocation of this process.

What many jobs share is described once and named by the digest of its description; a result carries the name
only. Of the environment only variables that are listed here are noted, so that no secret can come along.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zonemelt import __version__

if TYPE_CHECKING:
    from collections.abc import Hashable

# What bears on numbers, and names of allocations. Nothing that could hold a password, a token or an address.
SOFTWARE_VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_VERSION", "LOADEDMODULES", "MKL_NUM_THREADS", "OMP_NUM_THREADS",
    "OMP_PLACES", "OMP_PROC_BIND", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "ROCM_VERSION",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
ALLOCATION_VARIABLES = (
    "FLUX_JOB_ID", "LSB_JOBID", "LSB_QUEUE", "PARSL_WORKER_BLOCK_ID", "PARSL_WORKER_COUNT", "PBS_JOBID",
    "PBS_QUEUE", "PJM_JOBID", "PJM_NODE", "SLURM_CLUSTER_NAME", "SLURM_JOB_ID", "SLURM_JOB_NODELIST",
    "SLURM_JOB_NUM_NODES", "SLURM_JOB_PARTITION", "SLURM_JOB_QOS",
)  # fmt: skip
_CONTAINER_VARIABLES = (
    "ZONEMELT_CONTAINER", "ZONEMELT_CONTAINER_DIGEST", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER",
    "SHIFTER_IMAGEREQUEST",
)  # fmt: skip
_LONGEST = 1000  # characters of a variable
_DIGITS = 32  # of a digest: 128 bits
_SHORT = 16  # of the name of a description: a campaign has few, and every job names one


def digest_of(data: bytes) -> str:
    """The digest by which descriptions, inputs and outputs are named: 128 bits of their SHA-256."""
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def describe(kind: str, **said: Any) -> tuple[str, str, str]:
    """A row of the table ``circumstances``: digest, kind and the description as JSON."""
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS, default=str)
    return digest_of(kind.encode() + b"\0" + text)[:_SHORT], kind, text.decode()


class Circumstances:
    """The circumstances of this process, told to each campaign once.

    Attributes:
        rows: digest → its row, of all that was described here.
    """

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, str, str]] = {}
        self._parts: dict[str, str] | None = None
        self._names: dict[str, str] = {}
        self._told: set[tuple[Hashable, str]] = set()

    def name(self, source: str) -> str:
        """The digest of what a function whose source has this digest runs under here."""
        found = self._names.get(source)
        if found is None:
            if self._parts is None:
                whole = {"software": software(), "machine": machine(), "allocation": allocation()}
                self._parts = {kind: self._keep(describe(kind, **said)) for kind, said in whole.items()}
            found = self._names[source] = self._keep(describe("job", source=source, **self._parts))
        return found

    def untold(self, campaign: Hashable, name: str) -> list[tuple[str, str, str]]:
        """The rows that a campaign needs to read ``name`` and was not told by this process."""
        if (campaign, name) in self._told:
            return []
        named = [name, *(self._parts or {}).values()]
        new = [each for each in named if (campaign, each) not in self._told]
        self._told.update((campaign, each) for each in new)
        return [self.rows[each] for each in new]

    def _keep(self, row: tuple[str, str, str]) -> str:
        self.rows[row[0]] = row
        return row[0]


def software() -> dict[str, Any]:
    """The interpreter, every installed package with its version, the container, variables that matter."""
    said: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "zonemelt": __version__,
        "packages": packages(),
        "variables": _variables(SOFTWARE_VARIABLES),
    }
    if container := _variables(_CONTAINER_VARIABLES):
        said["container"] = container
    return said


@cache
def packages() -> dict[str, str]:
    """Installed packages, by the names of their folders: what is in them takes far longer to read."""
    found: dict[str, str] = {}
    for entry in reversed(sys.path):  # the first on the path wins
        with contextlib.suppress(OSError):
            for folder in os.listdir(entry or "."):  # noqa: PTH208
                if folder.endswith(".dist-info"):
                    name, _, version = folder.removesuffix(".dist-info").partition("-")
                    found[name.lower().replace("_", "-")] = version
    return dict(sorted(found.items()))


def machine() -> dict[str, Any]:
    """The hardware of this node, without its name."""
    import psutil

    said: dict[str, Any] = {
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "threads": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
    }
    if accelerators := _accelerators():
        said["accelerators"] = accelerators
    return said


def _processor() -> str:
    with (
        contextlib.suppress(OSError),
        Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines,
    ):
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _accelerators() -> list[str]:
    """Models of accelerators as their drivers name them, without a library or a program."""
    found = []
    for place, field in (("/proc/driver/nvidia/gpus/*/information", "Model:"),):
        for path in sorted(Path("/").glob(place[1:])):
            with contextlib.suppress(OSError):
                lines = path.read_text(errors="replace").splitlines()
                found += [line.partition(":")[2].strip() for line in lines if line.startswith(field)]
    for path in sorted(Path("/sys/class/drm").glob("card*/device/product_name")):
        with contextlib.suppress(OSError):
            found.append(path.read_text(errors="replace").strip())
    return found


def allocation() -> dict[str, Any]:
    """The batch job, its nodes, and how many workers share one."""
    return _variables(ALLOCATION_VARIABLES)


def _variables(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name][:_LONGEST] for name in names if os.environ.get(name)}


here = Circumstances()
