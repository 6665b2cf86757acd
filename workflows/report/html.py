"""Write the report of a campaign as one HTML file that needs nothing else: no network, no other file.

Every text is escaped by Jinja; figures travel as JSON in which nothing can end the script that holds it; and
the page's own policy lets no script run but those whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.whole_files import write_whole
from zonemelt.workflows.report.parts import Plot, Scenes, Section
from zonemelt.workflows.report.reading import gather
from zonemelt.workflows.report.sections import sections_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.workflows.report.reading import Gathered

FILE_NAME: Final = "report.html"
FOLDER: Final = Path(__file__).parent / "page"
_TEMPLATE: Final = "report.html.jinja"


def write_report(
    directory: str | Path, out: str | Path | None = None, *, gathered: Gathered | None = None
) -> Path:
    """Write the report of a campaign, as it stands.

    Args:
        directory: of the campaign.
        out: the file; ``report.html`` in the directory for None.
        gathered: what was read of it already.

    Returns:
        Its path.

    Raises:
        CampaignError: it is no campaign, has not begun, may not be read, or its ledger is damaged.
        StoreError: the file cannot be written.
    """
    gathered = gathered or gather(Path(directory))
    path = Path(out) if out is not None else Path(directory) / FILE_NAME
    write_whole(path, render(gathered.summary.name or "campaign", sections_of(gathered)).encode())
    return path


def render(title: str, sections: Sequence[Section]) -> str:
    """The page of some sections.

    Args:
        title: of the page.
        sections: in order.
    """
    from markupsafe import Markup

    parts = [part for section in sections for part in section.parts]
    figures = {
        part.name: {"data": part.traces, "layout": part.layout, "height": part.height}
        for part in parts
        if isinstance(part, Plot)
    }
    scenes = {part.name: part.scenes for part in parts if isinstance(part, Scenes)}
    library = _library() if figures else ""
    scripts = [(FOLDER / name).read_text(encoding="utf-8") for name in ("viewer.js", "report.js")]
    template = environment().get_template(_TEMPLATE)
    page: str = template.render(
        title=title,
        sections=sections,
        data=Markup(as_json({"figures": figures, "scenes": scenes})),  # noqa: S704 (escaped there)
        style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704 (ours)
        library=Markup(library),  # noqa: S704 (Plotly's)
        scripts=[Markup(script) for script in scripts],  # noqa: S704 (ours)
        policy=policy([*scripts, library]),
    )
    return page


@cache
def environment() -> Any:
    """The templates; everything that is not marked as ours is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from zonemelt.workflows.report.elements_map import elements_map

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["elements_map"] = elements_map
    return made


def as_json(value: Any) -> str:
    """JSON that may stand in a script of a page: no character in it can end one; NaN is null.

    Args:
        value: plain values.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def policy(scripts: Sequence[str]) -> str:
    """A content security policy: nothing is fetched, and only these scripts run."""
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _library() -> str:
    """Plotly's JavaScript, which comes with its Python package."""
    from plotly.offline import get_plotlyjs

    # Browsers hash a script as it stands in the page, where line ends are of one kind.
    library: str = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")
    return library
