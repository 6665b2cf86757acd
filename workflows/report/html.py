"""Write the report of a campaign as one HTML file that needs nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import CampaignError

if TYPE_CHECKING:
    from jobflow import JobStore

    from zonemelt.workflows.campaigns.base import CampaignSpec

TEMPLATE = "report.html.jinja"


def write_report(store: JobStore, spec: CampaignSpec, directory: str | Path) -> Path:
    """Write ``report.html`` into ``directory`` from what the store holds of a campaign.

    Args:
        store: a connected store with the outputs.
        spec: the campaign.
        directory: an existing directory.

    Returns:
        The path of the file.

    Raises:
        CampaignError: the campaign has no summary yet.
    """
    from zonemelt.workflows.campaigns.spec import dump_campaign

    summary = read_summary(store, spec)
    page = render(summary, timings=read_timings(store, spec), campaign_file=dump_campaign(spec))
    path = Path(directory) / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def read_summary(store: JobStore, spec: CampaignSpec) -> dict[str, Any]:
    """The output of the campaign's summary job.

    Raises:
        CampaignError: there is none: the campaign has not finished.
    """
    asked = {"metadata.step": "summary", "metadata.campaign": spec.name}
    document = store.query_one(asked, properties=["output"], sort={"completed_at": -1}, load=True)
    if document is None:
        raise CampaignError(
            "there is no summary to report",
            where=f"campaign {spec.name}",
            remedy="let the campaign finish first",
        )
    output: dict[str, Any] = document["output"]
    return output


def read_timings(store: JobStore, spec: CampaignSpec) -> dict[str, Any]:
    """How many jobs of each step finished, and the wall time from the first end to the last, s."""
    rows = store.query({"metadata.campaign": spec.name}, properties=["metadata.step", "completed_at", "uuid"])
    found = {row["uuid"]: row for row in rows}
    steps = Counter(row["metadata"]["step"] for row in found.values())
    ends = sorted(_moment(row["completed_at"]) for row in found.values() if row.get("completed_at"))
    wall = (ends[-1] - ends[0]).total_seconds() if ends else None
    return {"steps": dict(steps), "wall": wall, "finished": str(ends[-1])[:19] if ends else None}


def _moment(value: Any) -> Any:
    from datetime import datetime

    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def render(summary: dict[str, Any], *, timings: dict[str, Any], campaign_file: str) -> str:
    """The page of a summary."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from zonemelt.workflows.report import figures

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["mev"] = lambda value, digits=1: f"{1000 * value:.{digits}f}"
    drawn = {
        "learning": figures.learning_curve(summary["learning"]),
        "parity": figures.parity(summary["parity"]),
        "hull": figures.hull_diagram(summary["hull"], summary["elements"]),
    }
    return environment.get_template(TEMPLATE).render(
        summary=summary,
        timings=timings,
        campaign_file=campaign_file,
        figures={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704 (drawn by us)
    )
