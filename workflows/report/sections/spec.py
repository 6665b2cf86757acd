"""The campaign's file as it was resolved, without what is nobody's business."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.store_specs import redact
from zonemelt.workflows.report.parts import Code, Section

if TYPE_CHECKING:
    from zonemelt.workflows.report.reading import Gathered

_SECRET: Final = re.compile(
    r"^(\s*[-\s]*[\w-]*(?:password|passwd|token|secret|api_?key|webhook|credential)[\w-]*\s*:\s*)(?!null\b|''|\"\"|$).+$",
    re.IGNORECASE | re.MULTILINE,
)
_LONGEST: Final = 200_000  # characters: a campaign may list thousands of structures


def section(gathered: Gathered) -> Section | None:
    """The file."""
    if not gathered.spec:
        return None
    text = without_secrets(gathered.spec)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}\n# … {len(text) - _LONGEST:,} more characters: see campaign.yaml\n"
    return Section(
        name="spec",
        title="The campaign's file",
        parts=[Code(caption="campaign.yaml, with its defaults", text=text)],
    )


def without_secrets(text: str) -> str:
    """A YAML text whose passwords, tokens and the like are hidden."""
    return _SECRET.sub(r"\1***", redact(text))
