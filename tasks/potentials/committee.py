"""Several potentials as one, that says by how much they disagree."""

# A atoms of all structures, G structures, M members

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError, JobError
from zonemelt.tasks.potentials.potential import Evaluated, Potential
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

COMMITTEE: Final = "committee.json"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Standard deviations over the members of a committee, with one degree of freedom less.

    Attributes:
        energies_G: of energies per atom (G,), eV.
        forces_A: of the force on each atom (A,), eV/Å: the root of the summed variances of its components.
    """

    energies_G: NDArray[np.float64]
    forces_A: NDArray[np.float64]


class Committee(Potential):
    """The mean of its members, which must have one level of theory.

    Args:
        name: for messages.
        members: two or more.

    Raises:
        InputError: there are too few, or they were trained on labels of several levels of theory.
    """

    def __init__(self, name: str, members: Sequence[Potential]) -> None:
        if len(members) < 2:  # noqa: PLR2004  one has no spread
            raise InputError(f"{len(members)} members", where=name, remedy="a committee has two or more")
        if len(theories := {member.theory.key: member.theory.described for member in members}) > 1:
            raise InputError(
                f"levels of theory are mixed: {'; '.join(theories.values())}",
                where=name,
                remedy="a committee is of potentials trained on one level of theory",
            )
        self.name, self.members = name, tuple(members)
        self.elements = frozenset.intersection(*(member.elements for member in members))
        cutoffs = [member.cutoff for member in members if member.cutoff is not None]
        self.cutoff = max(cutoffs) if len(cutoffs) == len(members) else None
        self.theory = members[0].theory
        self.licence = ", ".join(sorted({member.licence for member in members if member.licence}))

    def evaluate_some(self, crystals: Crystals, *, forces: bool, stress: bool) -> Evaluated:
        """The means over the members."""
        return _mean([
            member.evaluate_some(crystals, forces=forces, stress=stress) for member in self.members
        ])  # fmt: skip

    def energies_of_members(self, crystals: Crystals) -> NDArray[np.float64]:
        """What each member says (M, G), eV.

        Raises:
            InputError: see :meth:`evaluate`.
        """
        self.check(crystals)
        return np.array([member.evaluate(crystals, forces=False).energies_G for member in self.members])

    def spread(self, crystals: Crystals) -> Spread:
        """By how much the members disagree: large where none of them has learnt from anything alike.

        Raises:
            InputError: see :meth:`evaluate`.
        """
        return self.evaluate_with_spread(crystals)[1]

    def evaluate_with_spread(self, crystals: Crystals, *, stress: bool = False) -> tuple[Evaluated, Spread]:
        """The means over the members, and by how much these disagree; each is asked once.

        Raises:
            InputError: see :meth:`evaluate`.
        """
        self.check(crystals, stress=stress)
        found = [member.evaluate(crystals, stress=stress) for member in self.members]
        forces_MA3 = np.array([one.forces_A3 for one in found])
        return _mean(found), Spread(
            energies_G=np.std([one.energies_G for one in found], axis=0, ddof=1) / crystals.sizes_G,
            forces_A=np.sqrt(forces_MA3.var(axis=0, ddof=1).sum(axis=1)),
        )


def _mean(found: Sequence[Evaluated]) -> Evaluated:
    """Of what several potentials say of the same structures."""
    forces_MA3 = [one.forces_A3 for one in found if one.forces_A3 is not None]
    stresses_MG33 = [one.stresses_G33 for one in found if one.stresses_G33 is not None]
    return Evaluated(
        energies_G=np.mean([one.energies_G for one in found], axis=0),
        forces_A3=np.mean(forces_MA3, axis=0) if forces_MA3 else None,
        stresses_G33=np.mean(stresses_MG33, axis=0) if stresses_MG33 else None,
    )


def assemble(
    directory: Path, members: Mapping[str, Mapping[str, Any] | None], *, least: int
) -> dict[str, Any]:
    """Make trained potentials, each in its folder there, a committee.

    Args:
        directory: of the committee.
        members: name of the folder → what its training returned; None where it failed for good.
        least: how many must be there.

    Returns:
        ``folder``; ``members``, their names; ``failed``, those of the others; and ``metrics``, the means over
        the members and, as ``… spread``, their standard deviations.

    Raises:
        JobError: too few are there.
    """
    there = {name: found for name, found in members.items() if found is not None}
    failed = sorted(set(members) - set(there))
    if len(there) < least:
        raise JobError(
            f"{len(there)} of {len(members)} members are there, {least} are needed",
            where=f"{directory}: {', '.join(failed)}",
            remedy="look at why these failed; a member that is trained again goes on from its checkpoint",
        )
    write_whole(directory / COMMITTEE, json.dumps({"members": sorted(there), "failed": failed}).encode())
    values = {
        name: [float(found["metrics"][name]) for found in there.values()]
        for name in next(iter(there.values()))["metrics"]
    }
    metrics = {name: float(np.mean(each)) for name, each in values.items()}
    metrics |= {f"{name} spread": float(np.std(each, ddof=1)) for name, each in values.items()}
    return {"folder": str(directory), "members": sorted(there), "failed": failed, "metrics": metrics}


@job
def committee_job(
    *, members: list[dict[str, Any] | None], names: list[str], directory: str, least: int
) -> dict[str, Any]:
    """Make trained potentials a committee; see :func:`assemble`."""
    return assemble(Path(directory), dict(zip(names, members, strict=True)), least=least)
