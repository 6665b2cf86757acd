"""Energies, forces and stresses of a potential against the labels, as one figure."""

# G structures, A atoms

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.units import GPA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.validation.errors import Parity

INK, FAINT, COLOUR = "#1f2937", "#9ca3af", "#0f766e"
MOST: Final = 20_000  # points of a panel: more are not told apart


def parity_figure(parity: Parity, judged: Mapping[str, Any], *, title: str) -> bytes:
    """An SVG with a panel for each quantity that has labels.

    Args:
        parity: what the potential says beside the labels.
        judged: of :func:`.judge`.
        title: of the figure.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    shifts_G = parity.counts_GZ @ np.array(list(judged["shifts"].values())) / parity.sizes_G
    energy_2G = parity.energy_2G - np.array([[0.0], [1.0]]) * shifts_G
    panels = [
        ("energy, aligned", "eV/atom", energy_2G, judged["errors"].get("energy_aligned"), 1000, "meV/atom"),
        ("forces", "eV/Å", parity.forces_2A3, judged["errors"].get("forces"), 1000, "meV/Å"),
        ("stress", "GPa", GPA * parity.stress_2G33, judged["errors"].get("stress"), GPA, "GPa"),
    ]
    shown = [panel for panel in panels if panel[3] is not None]
    file = io.BytesIO()
    style: dict[Any, Any] = {"font.size": 9.0, "svg.hashsalt": title, "svg.fonttype": "path"}
    with mpl.rc_context(style):
        figure = Figure(figsize=(3.4 * len(shown), 3.5), layout="constrained")
        figure.suptitle(title, color=INK)
        for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
            _panel(axes, *panel)
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return file.getvalue()


def _panel(  # noqa: PLR0917  what a panel shows
    axes: Any,
    name: str,
    unit: str,
    values: NDArray[np.float64],
    errors: Mapping[str, float],
    scale: float,
    scaled: str,
) -> None:
    label, said = values.reshape(2, -1)
    known = np.flatnonzero(np.isfinite(label) & np.isfinite(said))
    some = known if len(known) <= MOST else np.random.default_rng(0).choice(known, MOST, replace=False)
    axes.plot(label[some], said[some], ".", color=COLOUR, ms=2, alpha=0.4, rasterized=len(some) > 2000)  # noqa: PLR2004
    ends = [min(label[known].min(), said[known].min()), max(label[known].max(), said[known].max())]
    axes.plot(ends, ends, color=FAINT, lw=0.8, zorder=0)
    axes.set_title(
        f"{name}: MAE {scale * errors['mae']:.3g}, RMSE {scale * errors['rmse']:.3g} {scaled}", fontsize=8
    )
    axes.set_xlabel(f"label ({unit})")
    axes.set_ylabel(f"potential ({unit})")
    axes.set_aspect("equal", adjustable="datalim")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
