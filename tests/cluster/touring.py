"""The grand tour: a discovery on a SLURM cluster, driven by commands, and somebody who pulls plugs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from processes_for_tests import command, environment
from waiting import until

from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import CampaignError
from zonemelt.tasks.train.metrics_log import read_metrics
from zonemelt.workflows.engine.inspect import fact, open_ledger, summarise
from zonemelt.workflows.engine.lock import read_holder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cluster.slurm import Cluster

ROOT = Path(__file__).parents[2]
CAMPAIGN = ROOT / "docs" / "grand-tour" / "grand-tour.yaml"
SITE = ROOT / "docs" / "grand-tour" / "cluster.yaml"
PATIENCE = 1800.0  # seconds for anything to happen: DFT on a busy machine is slow


class Tour:
    """A campaign, what is done to it, and when.

    Args:
        cluster: with its commands in the environment.
        directory: of the campaign; what commands say is kept beside it.
    """

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self.began = time.time()
        self.said = directory.with_name(f"{directory.name}-said")
        self.said.mkdir(parents=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if (self.directory / "ledger.db").exists() and (head := self.summary().head):
            os.kill(head["pid"], signal.SIGKILL)  # what failed is told by now; nothing shall be left behind

    # ── what a user does ────────────────────────────────────────────────────────────────────────────

    def zonemelt(self, *words: str | Path) -> str:
        """A command; what it prints, which is kept."""
        done = subprocess.run(
            command(*words), env=environment(), capture_output=True, text=True, timeout=PATIENCE,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        number = len(list(self.said.iterdir()))
        text = f"$ zonemelt {' '.join(map(str, words))}\n{done.stdout}{done.stderr}"
        (self.said / f"{number:03d}-{words[0]}.txt").write_text(text)
        assert not done.returncode, text
        return done.stdout

    def document(self, *words: str | Path) -> Any:
        """What a command says with ``--json``."""
        return json.loads(self.zonemelt(*words, "--json"))

    def submit(self, *options: str) -> None:
        """Start it; its head goes on by itself."""
        self.note("submitted")
        self.zonemelt("submit", CAMPAIGN, "--site", SITE, "--directory", self.directory, *options)

    def resume(self) -> None:
        """Go on after the head has died."""
        self.zonemelt("resume", self.directory, "--detach")
        self.note("resumed")

    def look(self, status: str) -> None:
        """The commands that look at a campaign that is ``running``, or ``interrupted`` without a head."""
        self.zonemelt("status", self.directory)
        found = self.document("watch", self.directory)
        assert {pool["name"] for pool in found["pools"]} == {"cpu", "dft", "gpu"}
        assert all(pool["blocks"] <= 1 for pool in found["pools"])
        assert self.document("status", self.directory)["status"] == status
        with open_ledger(self.directory) as connection:
            (job,) = connection.execute("SELECT MAX(job) FROM events WHERE kind = 'done'").fetchone()
        assert self.document("why", self.directory, str(job))["records"]
        self.zonemelt("report", self.directory, "--out", self.said.with_suffix(".html"))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Have `zonemelt watch` stay until the campaign ends; it must end by itself then, and content."""
        with (self.said / "watch.txt").open("w") as file:
            watcher = subprocess.Popen(command("watch", self.directory), env=environment(), stdout=file)
        try:
            yield
            assert watcher.wait(PATIENCE) == 0
        finally:
            watcher.kill()
            watcher.wait()

    # ── harm ────────────────────────────────────────────────────────────────────────────────────────

    def kill_head(self) -> None:
        """As when a login node is rebooted: without a word."""
        holder = read_holder(self.directory)
        assert holder is not None
        os.kill(holder["pid"], signal.SIGKILL)
        self.note(f"head killed ({self.progress()})")
        until(lambda: not self.summary().head)
        assert "`zonemelt resume` goes on" in self.summary().waits_for

    def lose_power(self, node: str) -> None:
        """A node goes, with all on it; it comes back later."""
        self.cluster.lose_power(node)
        self.note(f"{node} lost power ({self.progress()})")
        self.cluster.boot(node)
        self.note(f"{node} is back")

    def end_block(self, pool: str) -> None:
        """The walltime of a pool's block ends now, whatever runs on it."""
        (block,) = until(lambda: self.blocks(pool), seconds=PATIENCE)
        self.cluster.run("scontrol", "update", f"jobid={block}", "EndTime=now+1")
        self.note(f"the walltime of block {block} of {pool} ends ({self.progress()})")
        until(lambda: self.cluster.job(block).get("JobState") == "TIMEOUT")
        self.note(f"SLURM has ended block {block}: TIMEOUT")

    # ── how it stands ───────────────────────────────────────────────────────────────────────────────

    def note(self, what: str) -> None:
        """A line of the timeline, in ``timeline.jsonl`` beside what commands said."""
        line = {"after_s": round(time.time() - self.began, 1), "what": what}
        with self.said.with_suffix(".jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    def summary(self) -> Any:
        """See :func:`summarise`."""
        return summarise(self.directory, running=100)

    def progress(self) -> str:
        """A few words on how far it is."""
        found = self.summary()
        running = ", ".join(sorted({job.name for job in found.running})) or "nothing"
        return f"{found.finished} of {found.total} jobs done; running: {running}"

    def blocks(self, pool: str) -> list[str]:
        """Batch jobs that the head holds for a pool."""
        with open_ledger(self.directory) as connection:
            return list((fact(connection, "blocks") or {}).get(pool, []))

    def labelled(self) -> int:
        """Labels that were recorded so far."""
        with suppress(CampaignError), open_ledger(self.directory) as connection:
            return len(labels_recorded(connection))
        return 0

    def runs(self, beginning: str) -> bool:
        """Whether a worker has begun a job whose name begins so."""
        return any(job.name.startswith(beginning) for job in self.summary().running)

    def epochs(self, number: int) -> int:
        """Of the generator in a round, so far."""
        return len(read_metrics(self.directory / "generators" / f"round-{number}"))

    def ranks(self, name: str) -> int:
        """How many ranks the last training of that name had."""
        with open_ledger(self.directory) as connection:
            (text,) = connection.execute(
                "SELECT doc FROM outputs JOIN jobs USING (uuid) WHERE jobs.name = ? ORDER BY jobs.id DESC",
                (name,),
            ).fetchone()
        return int(json.loads(text)["output"]["world_size"])

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something; that the campaign ends before is an error."""

        def look() -> Any:
            if found := condition():
                return found
            state = self.summary().status if self.labelled() else "running"
            assert state == "running", f"it has {state} before this happened: {what}"
            return None

        until(look, seconds=PATIENCE)

    def finish(self) -> None:
        """Wait for the end."""

        def ended() -> bool:
            found = self.summary()
            return found.status != "running" and not found.head

        until(ended, seconds=PATIENCE)
        self.note(f"{self.summary().status} ({self.progress()})")
        assert self.summary().status == "finished", (self.directory / "head.log").read_text()[-5000:]
        assert not self.summary().failures


def labels_recorded(connection: Any) -> dict[str, int]:
    """Uuid of each label's job → how often the ledger says that it was done."""
    rows = connection.execute(
        "SELECT jobs.uuid, COUNT(*) FROM events JOIN jobs ON jobs.id = events.job"
        " WHERE events.kind = 'done' AND jobs.name LIKE 'label %' GROUP BY jobs.uuid"
    )
    return dict(rows.fetchall())


def energies(directory: Path) -> dict[str, float]:
    """Of every label of the dataset: identifier → eV."""
    return {one.identifier: one.energy_free for one in open_dataset(directory / "dataset").records()}


def models(directory: Path) -> dict[str, str]:
    """Generators and potentials of all rounds: their place → SHA-256 of their weights."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("generators", "committees")
        for path in sorted((directory / folder).rglob("model.safetensors"))
    }


def assert_nothing_lost_or_doubled(directory: Path, *, labels: int) -> None:
    """Every label was asked for once, recorded once, and is in the dataset or in its quarantine once."""
    with open_ledger(directory) as connection:
        recorded = labels_recorded(connection)
        names = [row[0] for row in connection.execute("SELECT name FROM jobs WHERE name LIKE 'label %'")]
    assert len(names) == len(set(names)) == labels
    assert set(recorded.values()) == {1}
    assert len(recorded) == labels
    found = open_dataset(directory / "dataset")
    identifiers = [one.identifier for one in found.records()]
    refused = [one.identifier for one in found.quarantine.records()]
    assert len(identifiers) == len(set(identifiers))
    assert {f"label {name}" for name in [*identifiers, *refused]} == set(names)
