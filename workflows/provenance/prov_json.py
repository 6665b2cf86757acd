"""A campaign in the W3C's PROV data model, as PROV-JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.provenance.told import iso

if TYPE_CHECKING:
    from zonemelt.workflows.provenance.told import Told

_NAMESPACE = "https://zonemelt.org/terms#"


def prov_json(told: Told) -> str:
    """Jobs as activities, outputs as entities, accounts and functions as agents and plans.

    https://www.w3.org/submissions/prov-json/
    """
    from prov.model import ProvDocument

    document = ProvDocument()
    document.add_namespace("zonemelt", _NAMESPACE)
    document.add_namespace("run", f"{_NAMESPACE}run/")
    agents = [document.agent(f"run:user-{number}", {"prov:label": name, "prov:type": "prov:Person"})
              for number, name in enumerate(told.users)]  # fmt: skip
    functions = {
        step.kind: document.entity(
            f"run:function-{number}",
            {"prov:label": step.kind, "prov:type": "prov:Plan", "zonemelt:sources": ", ".join(step.sources)},
        )
        for number, step in enumerate(told.steps)
    }
    ran = {job for step in told.steps for job in step.jobs}
    nodes = told.lineage.nodes
    for job in sorted(ran):
        node = nodes[job]
        start, end = (datetime.fromtimestamp(at, UTC) if at else None for at in (node.start, node.end))
        about: dict[Any, Any] = {
            "prov:label": node.name, "zonemelt:uuid": node.uuid, "zonemelt:index": node.index,
            "zonemelt:state": node.state, "zonemelt:node_hours": node.node_hours, "zonemelt:host": node.host,
        }  # fmt: skip
        activity = document.activity(f"run:job-{job}", start, end, about)
        document.association(activity, agents[0], functions[node.kind])
        if node.made:
            output = document.entity(f"run:output-{job}", {"zonemelt:digest": node.made})
            document.generation(output, activity, end)
        for parent in told.lineage.links.get(job, []):
            if parent in ran and nodes[parent].made:
                document.usage(activity, f"run:output-{parent}")
    campaign = {
        "prov:label": told.name,
        "zonemelt:status": told.status,
        "zonemelt:created": iso(told.created),
    }
    document.entity("run:campaign", campaign)
    return str(document.serialize(format="json"))
