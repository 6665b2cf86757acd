"""Which jobs go out next, and how many travel together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zonemelt.workflows.engine.ledger import ReadyJob

# A chunk holds about this much work, in seconds: enough to hide the round trip of a message, so little that
# nobody waits for it.
TARGET = 0.1
MOST = 100  # jobs of a chunk, however short


@dataclass
class Durations:
    """How long jobs of a kind take, learned while they run.

    A kind is a function; the estimate is a moving average that rises at once and falls slowly, because a
    long job among short ones costs more than a chunk too small.
    """

    estimates: dict[str, float] = field(default_factory=dict)

    def learn(self, kind: str, seconds: float) -> None:
        """Take a measured duration into account."""
        old = self.estimates.get(kind)
        if old is None or seconds > 4 * old:
            self.estimates[kind] = seconds if old is None else max(2 * old, seconds / 4)
        else:
            self.estimates[kind] = 0.8 * old + 0.2 * seconds

    def of(self, kind: str) -> float | None:
        """The estimate in seconds; None for a kind that never ran."""
        return self.estimates.get(kind)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a campaign may take.

    Attributes:
        in_flight: jobs on their way at once; None for as many as the workers can take.
        node_hours: allocated node-hours after which it pauses; None for no limit.
    """

    in_flight: int | None = None
    node_hours: float | None = None

    def steered(self, values: Mapping[str, Any]) -> Limits:
        """The limits with what a person has changed of them while the campaign runs."""
        return Limits(
            in_flight=values.get("max_jobs_in_flight", self.in_flight),
            node_hours=values.get("budget_node_hours", self.node_hours),
        )


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a pool can take now.

    Attributes:
        capacity: its workers.
        chunks: how many chunks more may be on their way.
        slots: how many of its workers no multi-rank job has to itself and no chunk is bound for.
        idle: nothing at all is on its way.
    """

    capacity: int
    chunks: int
    slots: int
    idle: bool


def plan(
    ready: Sequence[ReadyJob], room: Room, estimate: Callable[[str], float | None]
) -> list[list[ReadyJob]]:
    """Group ready jobs, the most urgent first, into the chunks that go out now.

    Short jobs of known duration share a chunk; a long one, or one of a kind that never ran, goes alone, so
    that it neither waits behind a batch nor holds one up. A job that takes several workers goes when as many
    are free; those behind it wait, or it would never go.

    Args:
        ready: candidates by urgency.
        room: what the pool can take.
        estimate: seconds that jobs of a kind take, None where unknown.
    """
    chunks: list[list[ReadyJob]] = []
    share = max(1, -(-len(ready) // room.capacity))  # no worker idles while another has a full chunk
    most = min(MOST, share)
    slots = room.slots
    current: list[ReadyJob] = []
    work = 0.0
    for job in ready:
        if job.resources.slots > 1:
            wanted = min(job.resources.slots, room.capacity)
            if slots < wanted and not (room.idle and not chunks and not current):
                break
            if len(chunks) + bool(current) >= room.chunks:
                break
            chunks.append([job])
            slots -= wanted
            continue
        seconds = estimate(job.kind)
        alone = seconds is None or seconds > TARGET / 2
        if current and (alone or len(current) >= most or work + (seconds or 0.0) > TARGET):
            chunks.append(current)
            current, work = [], 0.0
        if len(chunks) >= room.chunks:
            break
        slots -= not current  # a chunk begins
        if alone:
            chunks.append([job])
        else:
            current.append(job)
            work += seconds or 0.0
    if current and len(chunks) < room.chunks:
        chunks.append(current)
    return chunks
