"""How a campaign about one alloy on the fcc lattice was done: level of theory, references, checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.report.parts import Facts, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zonemelt.workflows.report.reading import Gathered

_EV_PER_A3: Final = 160.21766  # GPa


def section(gathered: Gathered) -> Section | None:
    """Facts."""
    from zonemelt.workflows.report.sections.software import theory_facts

    if not (found := gathered.outputs.lattice):
        return None
    rows = [*theory_facts(found["theory"]), *_rows(found)]
    return Section(name="method", title="How it was done", parts=[Facts(rows=rows)])


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for element, fit in found["references"].items():
        length = (4 * fit["volume"]) ** (1 / 3)
        yield (
            f"fcc {element}",
            (
                f"{fit['volume']:.2f} Å³/atom, a = {length:.3f} Å, bulk modulus "
                f"{_EV_PER_A3 * fit['bulk_modulus']:.0f} GPa"
            ),
        )
    counts, seconds = found["counts"], found["seconds"]
    held = f"{counts['heldout']} crystals of {len(found['heldout_orderings'])} orderings"
    yield "held out", f"{held}, which no model was trained on"
    if counts["rejected"]:
        yield "rejected labels", str(counts["rejected"])
    spent = f"{seconds['labels']:.1f} s in all, {seconds['cpu']:.1f} s of the processor"
    yield "labelling", f"{spent}, {seconds['mean']:.3g} s each"
    yield (
        "leak check",
        f"{found['pairs_compared']} pairs of held-out and pool orderings compared, none equivalent",
    )
    last = next(iter(found["learning"].values()))[-1]
    share = 100 * last["coverage"]
    yield "held-out labels within two deviations", f"{share:.0f} % after the last round (95 % is right)"
    yield "seed", str(found["seed"])
