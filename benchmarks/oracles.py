"""What a label costs, beside the bare command: ``python -m benchmarks.oracles [--quick] [--json]``.

A label of two rattled silicon atoms by the fast protocol of each code that is installed, in processor time:
all processes of the code, and what our own process adds before and after. The bare command runs the very
input that the label wrote. Codes that are not installed are skipped with a reason.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ase.build import bulk
from benchmarks.report import Row, as_json, as_table, machine, median, say, spread

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.tasks.label.dft import code_named, label
from zonemelt.tasks.label.registry import ORACLES
from zonemelt.tasks.programs import ProgramRanks, run_program
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CODES = ("qe", "gpaw", "abinit")
INPUTS = {"qe": ["-in", "espresso.pwi"], "abinit": ["abinit.in"]}
OUTPUTS = {"qe": "bare.pwo", "abinit": "bare.log"}


def silicon() -> Geometry:
    """Two atoms off their places: no symmetry helps."""
    atoms = bulk("Si")
    atoms.rattle(0.03, seed=1)
    return Geometry.of(atoms)


def rows(code: str, *, quick: bool) -> Iterator[Row]:
    """The measurements of one code."""
    settings = ORACLES[code].settings()
    executable = code_named(code).EXECUTABLE
    try:
        argv = executable.find()
    except ZonemeltError as error:
        yield Row(name=f"{code}, a label", unit="CPU s", quick=quick, note=f"skipped: {error.what}")
        return
    repeats = 2 if quick else 5
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        say(f"{code}: {repeats} labels")
        label(silicon(), settings, identifier="warm", workdir=folder)  # our imports are not a label's cost
        started, theirs, ours, bare = time.monotonic(), [], [], []
        for _ in range(repeats):
            before = time.process_time()
            record = label(silicon(), settings, identifier="si2", workdir=folder)
            ours.append(time.process_time() - before)
            theirs.append(record.provenance.cpu_seconds)
            if code in INPUTS:
                (folder / "abinit.abo").unlink(missing_ok=True)
                ended = run_program(
                    [*argv, *INPUTS[code]],
                    folder=folder,
                    stdout=OUTPUTS[code],
                    stderr="bare.err",
                    timeout=600,
                )
                assert ended.status == 0, (folder / "bare.err").read_text()
                bare.append(ended.cpu_seconds)
        seconds = time.monotonic() - started
    total = [one + own for one, own in zip(theirs, ours, strict=True)]
    about = f"{record.theory.code} {record.theory.version}, {record.convergence.iterations} iterations"
    yield Row(
        name=f"{code}, a label of Si2, fast", unit="CPU s", ours=median(total), spread=spread(total),
        peer=median(bare) if bare else None, peer_name="the bare command" if bare else "",
        target="ratio <= 1.1" if bare else "", seconds=seconds, quick=quick, note=about,
    )  # fmt: skip
    yield Row(
        name=f"{code}, of that in our own process", unit="CPU s", ours=median(ours), spread=spread(ours),
        target="ours <= 0.1", seconds=seconds, quick=quick,
    )  # fmt: skip


def rank_rows(*, quick: bool) -> Iterator[Row]:
    """pw.x by one rank and by two of its own MPI: processor time of all, and wall time."""
    executable = code_named("qe").EXECUTABLE
    try:
        argv = executable.find()
    except ZonemeltError as error:
        yield Row(name="qe, two ranks", unit="CPU s", quick=quick, note=f"skipped: {error.what}")
        return
    wall: dict[int, list[float]] = {1: [], 2: []}
    cpu: dict[int, list[float]] = {1: [], 2: []}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        label(silicon(), ORACLES["qe"].settings(), identifier="si2", workdir=folder)
        say("qe: one rank and two in turns")
        for _ in range(2 if quick else 5):
            for ranks in (1, 2):
                command = ProgramRanks(ranks=ranks).command([*argv, "-nk", str(ranks), *INPUTS["qe"]])
                ended = run_program(command, folder=folder, stdout="bare.pwo", stderr="bare.err", timeout=600)
                assert ended.status == 0, (folder / "bare.err").read_text()
                wall[ranks].append(ended.seconds)
                cpu[ranks].append(ended.cpu_seconds)
    for unit, held in (("CPU s", cpu), ("wall s", wall)):
        yield Row(
            name=f"qe, Si2 by two ranks, {unit.removesuffix(' s')} time", unit=unit,
            ours=median(held[2]), spread=spread(held[2]),
            peer=median(held[1]), peer_name="one rank", seconds=time.monotonic() - started, quick=quick,
            note="wall times of a machine that does other work as well" if unit == "wall s" else "",
        )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.oracles", description=__doc__.split(":")[0])
    parser.add_argument("--quick", action="store_true", help="fewer labels; not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", nargs="+", choices=[*CODES, "ranks"], default=[*CODES, "ranks"])
    given = parser.parse_args(arguments)
    about = machine()
    found = [row for code in given.only if code != "ranks" for row in rows(code, quick=given.quick)]
    if "ranks" in given.only:
        found += rank_rows(quick=given.quick)
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
