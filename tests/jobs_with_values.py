"""Job functions with output schemas, stores, arrays, structures, odd values, settings of their own."""

from __future__ import annotations

import enum
from datetime import datetime
from pathlib import Path
from typing import Any

from graphs_for_tests import named, same
from jobflow import CURRENT_JOB, Flow, JobConfig, Response, job
from pydantic import BaseModel


class Sum(BaseModel):
    """An output schema."""

    total: float
    terms: list[float] = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


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


@job
def array_in_a_large_document(n: int) -> dict[str, Any]:
    """An output that is so large that it goes into a file, which names another one: that of an array."""
    import numpy as np

    return {"values": np.arange(n, dtype=float), "text": "x" * (1 << 21)}


@job
def brings_to(pool: str) -> Any:
    """Bring a job for a pool of the site."""
    brought = same(1)
    brought.update_config({"manager_config": {"pool": pool}})
    return Response(output=pool, addition=brought)
