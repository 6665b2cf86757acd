"""The fields every kind of campaign has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from zonemelt.workflows.notify import Notify  # noqa: TC001 (pydantic reads it)

if TYPE_CHECKING:
    from pathlib import Path


class RetrySpec(BaseModel):
    """How often a job that failed is tried again, by the cause of the failure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    infrastructure: int = Field(default=5, ge=0, description="a node, a network or a worker was lost")
    walltime: int = Field(default=2, ge=0, description="the batch allocation ended")
    memory: int = Field(default=1, ge=0, description="killed for memory")
    application: int = Field(default=0, ge=0, description="the job itself raised an error")
    backoff_s: float = Field(default=1.0, ge=0, description="rest before the first retry, s")


class CampaignSpec(BaseModel):
    """What a person submits. Every kind of campaign adds its own fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steerable: ClassVar[tuple[str, ...]] = ("budget_node_hours", "max_jobs_in_flight")
    """Keys whose values, or values below them, may be changed while the campaign runs."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="of the campaign")
    kind: str = Field(description="which graph is built")
    site: str = Field(default="local", description="the machine: a name of the site catalog or a file")
    site_options: dict[str, Any] = Field(
        default_factory=dict, description="values of the site for this campaign, e.g. account: m1234"
    )
    store: str | dict[str, Any] | None = Field(
        default=None, description="where outputs go; None: SQLite in the campaign directory"
    )
    seed: int = Field(default=0, ge=0, description="of everything random")
    reuse: list[str] = Field(default_factory=list, description="directories of earlier campaigns")
    retry: RetrySpec = Field(default_factory=RetrySpec)
    budget_node_hours: float | None = Field(default=None, gt=0)
    max_jobs_in_flight: int | None = Field(default=None, gt=0)
    import_from: str = Field(
        default="", description="directory that holds modules of your own; default: that of the file"
    )
    notify: Notify | None = Field(default=None, description="whom to tell of milestones; see docs/reports.md")

    @field_validator("notify")
    @classmethod
    def _no_secrets(cls, notify: Notify | None) -> Notify | None:
        if notify is not None and notify.webhook and not notify.webhook.startswith("env:"):
            raise ValueError(
                "a campaign's file is kept and passed on: name a variable that holds the address, env:NAME, "
                "or put it into ~/.zonemelt.yaml"
            )
        return notify

    def with_paths_from(self, base: Path) -> Self:
        """The campaign with paths that hold everywhere; relative ones are from ``base``."""
        return self.model_copy(
            update={
                "import_from": str((base / self.import_from).resolve()),
                "reuse": [str((base / entry).resolve()) for entry in self.reuse],
            }
        )
