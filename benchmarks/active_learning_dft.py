"""Real DFT in the loop: aluminium by Quantum ESPRESSO under MPI, from nothing to a committee of potentials.

LDA at 20 Ry in cells of four atoms: the protocol ``fast``, for speed and not for convergence. Two ranks a
label, started by the site's launcher; everything shares two workers of this machine.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

CAMPAIGN: Final[dict[str, Any]] = {
    "name": "al_qe",
    "structures": [{"bulk": "Al", "crystal": "fcc", "a": 3.98, "cubic": True}],
    "oracle": "qe",
    "initial": 8,
    "heldout": 8,
    "start": {"displacement": 0.12, "strain": 0.03},
    "committee": {"members": 3, "basis": {"cutoff": 5.0, "radial": 5, "degree": 2}},
    "explore": {
        "md": {
            "explorer": "dynamics", "temperatures": [300.0, 600.0, 900.0], "steps": 60, "every": 10,
            "timestep": 2.0, "unsure": 2.0, "runs": 2,
        },
        "shake": {"explorer": "deform", "copies": 10, "displacement": 0.15, "strain": 0.04},
    },
    "batch": 5,
    "quorum": 0.75,
    "stop": {"rounds": 3},
    "resources": {"label": {"ranks_per_node": 2}},
}  # fmt: skip


def rows(quick: bool) -> Iterator[Row]:
    """The rows of this part."""
    from zonemelt.workflows.campaigns.spec import build_flow, load_campaign
    from zonemelt.workflows.engine.run import run_flow

    if quick or shutil.which("pw.x") is None:
        why = "not in quick runs: minutes" if quick else "Quantum ESPRESSO's pw.x is not installed"
        yield Row(name="error of forces on held-out DFT labels", unit="meV/Å", quick=quick, note=why)
        return
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place, "campaign")
        flow = build_flow(load_campaign("al_potential", CAMPAIGN))
        run_flow(flow, site="local", directory=directory, ensure_success=True)
        yield from rows_of(directory)


def rows_of(directory: Path) -> Iterator[Row]:
    """The rows of a campaign that ran."""
    from zonemelt.workflows.engine.inspect import open_ledger

    with open_ledger(directory) as connection:
        (text,) = connection.execute(
            "SELECT doc FROM outputs JOIN jobs USING (uuid) WHERE jobs.name = 'loop summary'"
        ).fetchone()
        times = [
            (name, json.loads(data))
            for name, data in connection.execute(
                "SELECT name, data FROM events JOIN jobs ON jobs.id = events.job WHERE events.kind = 'done'"
            )
        ]
        records = [
            json.loads(doc)["output"]
            for (doc,) in connection.execute(
                "SELECT doc FROM outputs JOIN jobs USING (uuid) WHERE jobs.name LIKE 'label %'"
            )
        ]
    rounds = json.loads(text)["output"]["rounds"]
    seconds = max(said["end"] for _, said in times) - min(said["start"] for _, said in times)
    labels = [said["end"] - said["start"] for name, said in times if name.startswith("label ")]
    processor = [one["provenance"]["cpu_seconds"] for one in records]
    for name, unit, scale in (("forces", "eV/Å", 1000), ("energy", "eV/atom", 1000)):
        errors = [scale * one["heldout"][f"{name} mae ({unit})"] for one in rounds]
        falls = sum(after < before for before, after in pairwise(errors))
        yield Row(
            name=f"{name} on held-out DFT labels of Al, MAE after the last round", unit=f"m{unit}",
            ours=errors[-1], peer=errors[0], peer_name="the first round", target="ratio < 1",
            seconds=seconds,
            note=" → ".join(f"{error:.1f}" for error in errors)
            + f" with {', '.join(str(one['records']) for one in rounds)} labels; "
            f"it fell in {falls} of {len(errors) - 1} rounds",
        )  # fmt: skip
    errors = [one["heldout"]["forces mae (eV/Å)"] for one in rounds]
    yield Row(
        name=f"rounds of {len(errors) - 1} in which the error of forces fell", unit="",
        ours=sum(after < before for before, after in pairwise(errors)), target=f"ours == {len(errors) - 1}",
        seconds=seconds, note="one seed, eight held-out structures",
    )  # fmt: skip
    yield Row(
        name="whole campaign with real DFT on 2 cores", unit="min", ours=seconds / 60, target="ours < 30",
        seconds=seconds,
        note=f"{len(labels)} labels by pw.x with 2 MPI ranks; {sum(processor) / len(processor):.1f} s of "
        f"processor time and {sum(labels) / len(labels):.1f} s of wall time each, on a busy machine",
    )  # fmt: skip
