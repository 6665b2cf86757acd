"""The campaign kind ``graph``: any jobflow graph, made by a function or a Maker of your own.

::

    kind: graph
    name: screening
    graph: my_flows:screening        # module:function; the module beside the file, or installed
    arguments: {formulas: [Fe2O3, TiO2]}
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.own_code import imported
from zonemelt.workflows.campaigns.base import CampaignSpec


class GraphSpec(CampaignSpec):
    """Run a graph as it is."""

    kind: Literal["graph"] = "graph"
    graph: str = Field(
        pattern=r"^[\w.]+:[\w.]+$", description="module:function that returns a flow or jobs, or module:Maker"
    )
    arguments: dict[str, Any] = Field({}, description="keyword arguments of the function or the Maker")


def document_of(source: str) -> dict[str, Any]:
    """The campaign that ``module:function`` alone stands for."""
    return {
        "name": source.rpartition(":")[2].replace(".", "-"),
        "kind": "graph",
        "graph": source,
    }


def build(spec: GraphSpec) -> Any:
    """Call the function of a graph campaign.

    Raises:
        InputError: it cannot be found, takes other arguments, or returns no graph.
    """
    from jobflow import Flow, Job

    where = f"graph {spec.graph}"
    folder = str(Path(spec.import_from).resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # workers are told the head's path
    found = imported(spec.graph, where=where)
    try:
        inspect.signature(found).bind(**spec.arguments)
    except TypeError as error:
        raise InputError(str(error), where=where, remedy="set them: --set arguments.KEY=VALUE") from None
    made: Any = found(**spec.arguments)
    if isinstance(found, type):
        made = made.make()
    if not isinstance(made, Flow | Job | list | tuple | Iterator):
        raise InputError(
            f"it returned {made!r:.60}", where=where, remedy="let it return a flow, a job, or several"
        )
    return made
