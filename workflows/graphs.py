"""A campaign that is any jobflow graph: a function that makes it, and how to run it.

::

    # campaign.yaml
    graph: my_flows:screening     # module:function, the module beside this file or installed
    arguments: {formulas: [Fe2O3, TiO2]}
    site: my-cluster
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "graph"  # the key that tells such a campaign from the others


class GraphCampaign(BaseModel):
    """The specification of a campaign that runs a jobflow graph as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    graph: str = Field(pattern=r"^[\w.]+:[\w.]+$", description="module:function that returns a flow or jobs")
    arguments: dict[str, Any] = Field({}, description="keyword arguments of the function")
    import_from: str = Field("", description="directory that holds the module; default: the current one")
    name: str = ""
    site: str = ""
    store: str | dict[str, Any] | None = None
    retry: dict[str, float] = Field({}, description="fields of RetryPolicy")
    max_jobs_in_flight: int | None = Field(None, ge=1)
    budget_node_hours: float | None = Field(None, gt=0)
    reuse: list[str] = Field([], description="directories of earlier campaigns")


def read_graph_campaign(
    content: Mapping[str, Any], overrides: Mapping[str, Any], *, where: str, base: Path
) -> GraphCampaign:
    """Check the specification of a graph campaign.

    Args:
        content: as written by a person.
        overrides: ``key`` or ``arguments.key`` → value.
        where: what to name in an error.
        base: where its module is looked for unless it says so.

    Raises:
        UnknownKeyError: a key that does not exist.
        InputError: a value that cannot be used.
    """
    values = {**content, "arguments": dict(content.get("arguments") or {})}
    for key, value in overrides.items():
        if key.startswith("arguments."):
            values["arguments"][key.removeprefix("arguments.")] = value
        else:
            values[key] = value
    for key in values:
        if key not in GraphCampaign.model_fields:
            known = [*GraphCampaign.model_fields, *(f"arguments.{k}" for k in values["arguments"])]
            raise UnknownKeyError.of(str(key), known, where=where)
    values["import_from"] = str(Path(base, values.get("import_from") or ".").resolve())
    values["name"] = values.get("name") or str(values["graph"]).rpartition(":")[2]
    try:
        return GraphCampaign.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{field}: {first['msg']}", where=where, remedy="see docs/cli.md") from None


def build_graph(campaign: GraphCampaign) -> Any:
    """Call the function of a graph campaign.

    Raises:
        InputError: it cannot be found, or takes other arguments.
    """
    module_name, _, path = campaign.graph.partition(":")
    if campaign.import_from not in sys.path:
        sys.path.insert(0, campaign.import_from)
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"it cannot be found: {error}",
            where=f"graph {campaign.graph}",
            remedy=f"give module:function; the module is looked for in {campaign.import_from}",
        ) from error
    if isinstance(found, type):  # a Maker
        found = found(**campaign.arguments).make
        return found()
    try:
        inspect.signature(found).bind(**campaign.arguments)
    except TypeError as error:
        raise InputError(
            str(error), where=f"graph {campaign.graph}", remedy="set them with --set arguments.KEY=VALUE"
        ) from None
    return found(**campaign.arguments)
