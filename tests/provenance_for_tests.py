"""A small campaign with something of everything that provenance tells of."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from campaigns_for_tests import named
from graphs_for_tests import add, countdown, fail, map_reduce, same, total
from jobflow import Flow, job
from jobs_for_mishaps import read_file, write_file
from jobs_with_values import array, mean_of, trajectory

from zonemelt import RetryPolicy, run_flow
from zonemelt.workflows.provenance.hashes import MANIFEST


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


@job
def write(text, directory):
    """Keep a text in a directory, and say where."""
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    fresh = not any(place.iterdir())
    (place / "text.txt").write_text(text)
    return {"folder": str(place), "fresh": fresh}


@job
def read_back(written, directory):
    """Read what another job keeps, and keep it again."""
    text = (Path(written["folder"]) / "text.txt").read_text()
    (Path(directory)).mkdir(parents=True, exist_ok=True)
    (Path(directory) / "text.txt").write_text(text.upper())
    return text.upper()


def reseal(crate: Path) -> None:
    """Write the manifest anew, as somebody would who edits a crate and knows how."""
    lines = [
        f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(crate).as_posix()}\n"
        for path in sorted(crate.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    ]
    (crate / MANIFEST).write_text("".join(lines))
