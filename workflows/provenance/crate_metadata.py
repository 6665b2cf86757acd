"""The metadata of a crate: RO-Crate 1.1 with the Provenance Run profile 0.5 of Workflow Run RO-Crate.

https://www.researchobject.org/workflow-run-crate/profiles/provenance_run_crate
"""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zonemelt.workflows.engine.schema import SPEC_FILE
from zonemelt.workflows.provenance.told import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rocrate.rocrate import ROCrate

    from zonemelt.workflows.provenance.lineage import Node
    from zonemelt.workflows.provenance.told import Told

PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
# Embedded, so that the crate is read without a network.
_TERMS = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/properties/input",
    "output": "https://bioschemas.org/properties/output",
    "resourceUsage": "https://w3id.org/ro/terms/workflow-run#resourceUsage",
    "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
}
_STATUS = {"done": "CompletedActionStatus", "failed": "FailedActionStatus"}
_WORKFLOW = "workflow.json"
_TYPES = {".json": "application/json", ".yaml": "application/yaml", ".db": "application/vnd.sqlite3"}
_NOT_SAID = "Its owner has not said under which licence this may be used."


def crate_metadata(
    told: Told,
    hashes: Mapping[str, str],
    sizes: Mapping[str, int],
    referenced: Sequence[Mapping[str, Any]],
    *,
    licence: str = "",
) -> dict[str, Any]:
    """The content of ``ro-crate-metadata.json``.

    Args:
        told: the campaign.
        hashes: path → SHA-256 of every file in the crate.
        sizes: path → bytes.
        referenced: files that are named but not inside: ``place``, ``sha256``, ``nbytes``.
        licence: URL of the licence.
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(_TERMS)
    put = _Putter(crate)
    files = [_file(put, name, hashes[name], sizes[name]) for name in hashes if name != _WORKFLOW]
    files += [_reference(put, each) for each in referenced]
    root: Any = crate.root_dataset
    root["name"] = f"Campaign {told.name}"
    root["description"] = (
        f"A campaign of {len(told.lineage.nodes):,} jobs run by zonemelt {told.version}, with its ledger, "
        "its results and where each of them comes from."
    )
    root["datePublished"] = iso(told.end)
    root["license"] = _licence(put, licence)
    root["conformsTo"] = [put(url, "CreativeWork", name=name, version=what) for url, name, what in PROFILES]
    agents = [put(f"#user-{quote(user)}", "Person", name=user) for user in told.users]
    engine = put(
        "#zonemelt", "SoftwareApplication", name="zonemelt", version=told.version,
        softwareVersion=told.version, description="Runs jobflow graphs durably on Parsl.",
    )  # fmt: skip
    workflow = _workflow(put, told, hashes[_WORKFLOW], sizes[_WORKFLOW])
    actions = _Actions(put, told, agents).all()
    run = _run(put, told, agents, workflow, spec=f"campaign/{SPEC_FILE}" in hashes)
    _steering(put, told, agents, engine, run)
    root["mainEntity"] = workflow
    root["hasPart"] = [workflow, *files]
    root["mentions"] = [run, *actions.values()]
    root["author"] = agents
    metadata: dict[str, Any] = crate.metadata.generate()
    return metadata


class _Putter:
    """Adds entities to a crate and gives references to them."""

    def __init__(self, crate: ROCrate) -> None:
        from rocrate.model import ContextEntity

        self._crate = crate
        self._entity = ContextEntity

    def __call__(self, at: str, kind: str | list[str], /, **said: Any) -> dict[str, str]:
        properties = {key: value for key, value in said.items() if value not in (None, "", [])}
        self._crate.add(self._entity(self._crate, at, properties={"@type": kind, **properties}))
        return {"@id": at}


def _licence(put: _Putter, url: str) -> dict[str, str]:
    if url:
        return put(url, "CreativeWork", name=url)
    return put("#licence", "CreativeWork", name="No licence given", description=_NOT_SAID)


def _file(put: _Putter, name: str, digest: str, size: int) -> dict[str, str]:
    return put(
        quote(name), "File", name=name.rpartition("/")[2], sha256=digest, contentSize=str(size),
        encodingFormat=_type_of(name),
    )  # fmt: skip


def _type_of(name: str) -> str:
    suffix = f".{name.rpartition('.')[2]}"
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _reference(put: _Putter, each: Mapping[str, Any]) -> dict[str, str]:
    return put(
        f"file://{quote(each['place'])}", "File", name=each["path"].rpartition("/")[2], sha256=each["sha256"],
        contentSize=str(each["nbytes"]), description="Not in the crate: named by its place and its hash.",
    )  # fmt: skip


def _workflow(put: _Putter, told: Told, digest: str, size: int) -> dict[str, str]:
    language = put("#python", "ComputerLanguage", name="Python", url="https://www.python.org/")
    given = put(
        "#given", "FormalParameter", name="specification", additionalType="File",
        description="What the campaign was asked to do.",
    )  # fmt: skip
    made = put(
        "#made", "FormalParameter", name="ledger", additionalType="File",
        description="Every job, output and event of the campaign.",
    )  # fmt: skip
    tools, steps = [], []
    for number, step in enumerate(told.steps, 1):
        tools.append(
            put(
                _tool(step.kind), "SoftwareApplication", name=step.kind,
                softwareVersion=", ".join(step.sources),
                description="A function that jobs call; its version is the digest of its source.",
            )
        )  # fmt: skip
        steps.append(
            put(
                f"{_WORKFLOW}#step-{number}", "HowToStep", name=step.kind, position=str(number),
                workExample={"@id": _tool(step.kind)},
            )
        )  # fmt: skip
    return put(
        _WORKFLOW, ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"], name=told.name,
        programmingLanguage=language, input=[given], output=[made], hasPart=tools, step=steps,
        sha256=digest, contentSize=str(size), encodingFormat="application/json",
    )  # fmt: skip


def _tool(kind: str) -> str:
    return f"#function-{quote(kind)}"


class _Actions:
    """One action for each job that ran; their outputs are values named by the digest of their content."""

    def __init__(self, put: _Putter, told: Told, agents: list[dict[str, str]]) -> None:
        self._put = put
        self._told = told
        self._agents = agents
        self._machines: dict[str, dict[str, str]] = {}

    def all(self) -> dict[int, dict[str, str]]:
        """Job → its action."""
        ran = [job for step in self._told.steps for job in step.jobs]
        outputs = {job: self._output(self._told.lineage.nodes[job]) for job in ran}
        return {job: self._action(self._told.lineage.nodes[job], outputs) for job in sorted(ran)}

    def _output(self, node: Node) -> dict[str, str]:
        return self._put(
            f"#output-{node.id}", "PropertyValue", name=f"output of job {node.id}",
            propertyID=f"{node.uuid}_{node.index}", value=node.made or "none",
        )  # fmt: skip

    def _action(self, node: Node, outputs: dict[int, dict[str, str]]) -> dict[str, str]:
        parents = self._told.lineage.links.get(node.id, [])
        usage = [
            self._put(
                f"#node-hours-{node.id}", "PropertyValue", name="node-hours", value=f"{node.node_hours:.6g}",
                propertyID="node-hours",
            )
        ]  # fmt: skip
        return self._put(
            f"#job-{node.id}", "CreateAction", name=node.name, instrument={"@id": _tool(node.kind)},
            agent=self._agents[0], startTime=iso(node.start) if node.start else None,
            endTime=iso(node.end) if node.end else None,
            object=[outputs[job] for job in parents if job in outputs],
            result=[outputs[node.id]] if node.made else [], resourceUsage=usage,
            actionStatus=f"http://schema.org/{_STATUS.get(node.state, 'PotentialActionStatus')}",
            error=None if node.state != "failed" else f"failed after {node.retries} attempts",
            location=self._machine(node), identifier=f"{node.uuid}_{node.index}",
        )  # fmt: skip

    def _machine(self, node: Node) -> dict[str, str] | None:
        """Where a job ran: host and hardware."""
        said = self._told.said
        machine = said.get(said.get(node.under, {}).get("machine", ""), {})
        if not node.host:
            return None
        if node.host not in self._machines:
            hardware = f"{machine.get('processor', '')}, {machine.get('cores', '?')} cores"
            self._machines[node.host] = self._put(
                f"#host-{quote(node.host)}", "Place", name=node.host, description=hardware
            )
        return self._machines[node.host]


def _run(
    put: _Putter,
    told: Told,
    agents: list[dict[str, str]],
    workflow: dict[str, str],
    *,
    spec: bool,
) -> dict[str, str]:
    """The action of the whole campaign; ``spec``: its specification is in the crate."""
    given = [{"@id": f"campaign/{SPEC_FILE}"}] if spec else []
    totals = told.lineage.totals()
    usage = put(
        "#node-hours",
        "PropertyValue",
        name="node-hours",
        propertyID="node-hours",
        value=f"{totals['node_hours']:.6g}",
    )
    return put(
        "#run", "CreateAction", name=f"Run of {told.name}", instrument=workflow, agent=agents[0],
        startTime=iso(told.start), endTime=iso(told.end), object=given,
        result=[{"@id": "campaign/ledger.db"}],
        resourceUsage=[usage], description=f"{totals['jobs']:,} jobs; the campaign is {told.status}.",
    )  # fmt: skip


def _steering(
    put: _Putter, told: Told, agents: list[dict[str, str]], engine: dict[str, str], run: dict[str, str]
) -> None:
    """How the engine had the steps run."""
    controls = [
        put(
            f"#control-{number}", "ControlAction", name=f"runs {step.kind}",
            instrument={"@id": f"{_WORKFLOW}#step-{number}"},
            object=[{"@id": f"#job-{job}"} for job in step.jobs],
        )
        for number, step in enumerate(told.steps, 1)
    ]  # fmt: skip
    put(
        "#engine", "OrganizeAction", name="zonemelt drives the campaign", instrument=engine, agent=agents[0],
        object=controls, result=[run], startTime=iso(told.start), endTime=iso(told.end),
    )  # fmt: skip
