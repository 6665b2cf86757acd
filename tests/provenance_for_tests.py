"""A small campaign with something of everything that provenance tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphs_for_tests import (
    add,
    array,
    countdown,
    fail,
    map_reduce,
    mean_of,
    read_file,
    same,
    total,
    trajectory,
    write_file,
)
from jobflow import Flow

from zonemelt import RetryPolicy, run_flow

if TYPE_CHECKING:
    from pathlib import Path


def named(new, name):
    new.name = name
    return new


def graph() -> Flow:
    """Records, an array in a file, a kept file, an additional store, dynamic jobs, a failure."""
    record = named(same({"identifier": "Fe2O3-0017", "energy": -6.5, "seed": 3}), "label Fe2O3-0017")
    other = named(same({"identifier": "MgO-0001", "energy": -5.9}), "label MgO-0001")
    both = named(same([record.output, other.output]), "collect")
    large = named(array(3000), "array")
    mean = named(mean_of(large.output["values"]), "mean")
    kept = named(write_file("model.txt", "weights"), "write")
    read = named(read_file(kept.output["file"]), "read")
    moved = named(trajectory(3), "trajectory")
    last = named(same(moved.output), "after trajectory")
    many = named(map_reduce(4), "many")
    after = named(same(many.output), "after many")
    broken = named(fail(mean.output, message="bad cell"), "broken")
    skipped = named(add(broken.output), "skipped")
    number = named(total([1.0, 2.0]), "total")
    return Flow(
        [
            *(record, other, both, large, mean, kept, read, moved, last, many, after, countdown(2)),
            *(broken, skipped, number),
        ],
        name="oxides",
    )


def build(directory: Path, flow: Flow | None = None) -> Path:
    retry = RetryPolicy(application=1, backoff_s=0)
    run_flow(flow or graph(), site="inline", directory=directory, name="oxides", retry=retry)
    return directory
