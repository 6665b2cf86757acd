"""The simulated site: the engine's decisions over a virtual clock, to say beforehand what a campaign takes.

Shared with the engine, so that a change there is a change here: which jobs go out and how many travel
together (``dispatch.plan``, ``Durations``, ``Limits``, ``lines.lengthen``), the room of a pool
(``traffic.Traffic``), what the end of a job means to those that wait for it (``states.next_state``,
``states.outcome``, ``resources.quorum_count``), how often a job goes again and how long it rests
(``retry.RetryPolicy``), what a job asks for (``Resources``), what a machine has (``sites.site.Pool``).

Modelled, because it lives in SQL, in Parsl or in the batch system: the counters of the ledger
(:mod:`.board`), the loop of the head with a cost for each job
(:mod:`.head`), Parsl's strategy and its interchange, queue waits, walltimes, drains, node losses
(:mod:`.blocks`), how long a job takes (:mod:`.times`). Disk, network and file system are not modelled, nor
is what jobs do to one another's speed, nor that a job whose own walltime does not fit what is left of a block
is kept for another.
"""

from zonemelt.workflows.simulate.graph import Graph, GraphBuilder
from zonemelt.workflows.simulate.machine import Machine, PoolModel, machine_of
from zonemelt.workflows.simulate.outcome import Outcome
from zonemelt.workflows.simulate.run import simulate
from zonemelt.workflows.simulate.times import Times

__all__ = ["Graph", "GraphBuilder", "Machine", "Outcome", "PoolModel", "Times", "machine_of", "simulate"]
