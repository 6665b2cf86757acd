"""A batch site and a graph that asks for much: what plans are tried on."""

from __future__ import annotations

from typing import Any

from graphs_for_tests import add
from jobflow import Flow

CLUSTER = """\
name: cluster
scheduler: slurm
requires: {account: who pays}
pools:
  cpu:
    partition: batch
    cores: 4
    nodes_per_block: 2
    max_blocks: 3
    walltime: "02:00:00"
    max_walltime: "24:00:00"
    launch: {program: srun}
  wide:
    partition: wide
    nodes_per_block: 4
    whole_block: true
    walltime: "01:00:00"
    max_blocks: 2
limits: {jobs_in_queue: 4}
evidence:
  - {confidence: choice, source: made up for tests, covers: [pools]}
"""


def greedy(wanted: dict[str, Any]) -> Flow:
    """One job that asks for something, behind one that asks for nothing."""
    first = add(1)
    second = add(first.output)
    second.name = "greedy"
    second.config.manager_config = wanted
    return Flow([first, second], name="greedy")
