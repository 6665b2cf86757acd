"""Ready campaigns with a potential: cathodes, ferroelectric perovskites, polymorphs of one composition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ase.data import atomic_numbers
from jobflow import Flow, Job, Maker, Response, job

from zonemelt.flows.atomistic import NebMaker, RelaxMaker
from zonemelt.tasks.applications.cathodes import metal, without
from zonemelt.tasks.applications.charges import Charges
from zonemelt.tasks.applications.ferroelectrics import cubic, displaced
from zonemelt.tasks.applications.jobs import cathodes_job, ferroelectrics_job, hops_job, polymorphs_job
from zonemelt.tasks.atomistic.jobs import settings_of
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.written_structures import written

if TYPE_CHECKING:
    from zonemelt.tasks.records import Geometry

_COMPOUND = ("a", "b", "x", "length", "valences")


@dataclass
class ApplicationMaker(Maker):
    """What all of them have in common; use the makers below.

    Args:
        name: of the flow.
        potential: see :func:`.load_potential`; it must know all elements.
        relax: settings of :class:`.RelaxSettings`.
        directory: of checkpoints, absolute, on a file system that all workers see.
        structures: in a job.
        device: "cpu" or "cuda".
        dtype: of relaxations: "float64", or "float32" where a library has no other.
        trust: see :func:`.load_potential`.
    """

    name: str = "application"
    potential: str = "sevennet-0"
    relax: dict[str, Any] = field(default_factory=lambda: {"force": 0.03, "method": "lbfgs"})
    directory: str = ""
    structures: int = 4
    device: str = "cpu"
    dtype: str = "float64"
    trust: bool = False

    def relaxed(self, geometries: list[Geometry]) -> Flow:
        """The relaxations of some structures.

        Raises:
            InputError: there are none, the directory is not absolute, or a setting makes no sense.
        """
        return RelaxMaker(
            potential=self.potential,
            settings=self.relax,
            directory=self.directory,
            structures=self.structures,
            device=self.device,
            dtype=self.dtype,
            trust=self.trust,
        ).make([geometry.model_dump(mode="json") for geometry in geometries])

    def judged(self, before: list[Flow | Job], last: Job) -> Flow:
        """The flow whose output is that of the last job; every job says which step of what it is."""
        last.name = self.name
        flow = Flow([*before, last], output=last.output, name=self.name)
        flow.update_metadata({"campaign": self.name}, dynamic=True)
        for one, _ in flow.iterflow():  # type: ignore[no-untyped-call]
            one.metadata["step"] = one.name
        return flow

    def some(self, what: str, given: Any) -> None:
        """Refuse a campaign of nothing.

        Raises:
            InputError: there is nothing.
        """
        if not given:
            raise InputError(f"there are no {what}", where=self.name, remedy="name at least one")


@dataclass
class CathodesMaker(ApplicationMaker):
    """Wire a screening of cathodes: voltage against the metal, capacity, change of volume, barrier.

    Args:
        cathodes: name → the discharged structure, see :class:`.Written`.
        ion: that leaves.
        barriers: whether the shortest hop into a vacancy is sought by nudged elastic bands.
        length: least distance between opposite faces of the supercell of a hop, Å.
        neb: settings of :class:`.NebSettings`.
    """

    name: str = "cathodes"
    cathodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    ion: str = "Li"
    barriers: bool = True
    length: float = 8.0
    neb: dict[str, Any] = field(default_factory=lambda: {"images": 5, "force": 0.05})

    def make(self) -> Flow:
        """Build the graph.

        Returns:
            A flow whose output is what :func:`.cathodes_job` returns.

        Raises:
            InputError: a structure cannot be made, has no such ion, or a setting makes no sense.
        """
        self.some("cathodes", self.cathodes)
        geometries = [metal(self.ion)]
        settings_of("neb", self.neb)
        for name, one in self.cathodes.items():
            host = written(one, where=f"cathode {name}")
            geometries += [host, without(host, self.ion, where=f"cathode {name}")]
        relaxed = self.relaxed(geometries)
        names = list(self.cathodes)
        before: list[Flow | Job] = [relaxed]
        paths = None
        if self.barriers:
            hops = hops_job(names=names, ion=self.ion, relaxed=relaxed.output, length=self.length)
            hops.name = "hops"
            planned = plan_paths_job(
                hops=hops.output, potential=self.potential, settings=self.neb, directory=self.directory,
                device=self.device, trust=self.trust,
            )  # fmt: skip
            planned.name = "plan paths"
            before += [hops, planned]
            paths = planned.output
        return self.judged(
            before, cathodes_job(names=names, ion=self.ion, relaxed=relaxed.output, paths=paths)
        )


@dataclass
class FerroelectricsMaker(ApplicationMaker):
    """Wire a look at perovskites: whether they distort along c, by how much, and what that polarizes.

    Args:
        compounds: name → ``a``, ``b``, ``x``, ``length`` (of the cubic cell, Å), ``valences`` of the three,
            and ``born``, see :class:`.Charges`, where they are known.
        shift: of the first distortion, in units of the cell.
        stretch: of the first cell along c; strain ``fixed`` of the plane is that of the cubic parent.
    """

    name: str = "ferroelectrics"
    compounds: dict[str, dict[str, Any]] = field(default_factory=dict)
    shift: float = 0.03
    stretch: float = 1.02

    def make(self) -> Flow:
        """Build the graph.

        Returns:
            A flow whose output is what :func:`.ferroelectrics_job` returns.

        Raises:
            InputError: a compound is not said in full, or a setting makes no sense.
        """
        self.some("compounds", self.compounds)
        geometries: list[Geometry] = []
        said = []
        for name, one in self.compounds.items():
            parent = _parent(name, one)
            geometries += [parent, displaced(parent, shift=self.shift, stretch=self.stretch)]
            born = one.get("born")
            if born is not None:
                read_settings(Charges, born, where=f"compound {name}: born")
            said.append({"name": name, "valences": list(one["valences"]), "born": born})
        relaxed = self.relaxed(geometries)
        return self.judged([relaxed], ferroelectrics_job(compounds=said, relaxed=relaxed.output))


@dataclass
class PolymorphsMaker(ApplicationMaker):
    """Wire a comparison of polymorphs of one composition, such as zeolites of silica.

    Args:
        polymorphs: name → structure, see :class:`.Written`.
        reference: the name of the one whose energy is zero.
    """

    name: str = "polymorphs"
    polymorphs: dict[str, dict[str, Any]] = field(default_factory=dict)
    reference: str = ""

    def make(self) -> Flow:
        """Build the graph.

        Returns:
            A flow whose output is what :func:`.polymorphs_job` returns.

        Raises:
            InputError: a structure cannot be made, the reference is absent, or a setting makes no sense.
        """
        self.some("polymorphs", self.polymorphs)
        if self.reference not in self.polymorphs:
            raise InputError(
                f"there is no '{self.reference}'",
                where=f"{self.name}: reference",
                remedy=f"one of {', '.join(self.polymorphs)}",
            )
        geometries = [written(one, where=f"polymorph {name}") for name, one in self.polymorphs.items()]
        relaxed = self.relaxed(geometries)
        names = list(self.polymorphs)
        return self.judged(
            [relaxed], polymorphs_job(names=names, reference=self.reference, relaxed=relaxed.output)
        )


def _parent(name: str, one: dict[str, Any]) -> Geometry:
    """The cubic phase.

    Raises:
        UnknownKeyError: something is said that no compound has.
        InputError: something is not said, or cannot be.
    """
    where = f"compound {name}"
    for key in one:
        if key not in {*_COMPOUND, "born"}:
            raise UnknownKeyError.of(key, (*_COMPOUND, "born"), where=where)
    if absent := [key for key in _COMPOUND if key not in one]:
        raise InputError(f"'{absent[0]}' is missing", where=where, remedy=f"give {', '.join(_COMPOUND)}")
    valences = list(one["valences"])
    if len(valences) != len("abx") or round(valences[0] + valences[1] + 3 * valences[2], 9):
        raise InputError(
            f"valences {valences} are not three that are neutral in ABX3",
            where=where,
            remedy="such as [2, 4, -2]",
        )
    for site in "abx":
        if not atomic_numbers.get(one[site]):  # 0 is that of X
            raise InputError(
                f"'{one[site]}' is no element",
                where=f"{where}: {site}",
                remedy="write its symbol, such as Ba",
            )
    return cubic(one["a"], one["b"], one["x"], length=float(one["length"]))


@job
def plan_paths_job(
    *,
    hops: list[dict[str, Any]],
    potential: str,
    settings: dict[str, Any],
    directory: str,
    device: str,
    trust: bool,
) -> Response[Any]:
    """Replace this job by those that seek the paths, and add how far each ion moves."""
    made = NebMaker(
        potential=potential, settings=settings, directory=directory, device=device, structures=1, trust=trust
    )
    found = made.make([{"initial": one["initial"], "final": one["final"]} for one in hops])
    named = with_hops_job(paths=found.output, hops=[one["hop"] for one in hops])
    named.name = "paths of hops"
    return Response(replace=Flow([found, named], output=named.output))


@job
def with_hops_job(*, paths: list[dict[str, Any]], hops: list[float]) -> list[dict[str, Any]]:
    """Paths with the length of their hop, Å."""
    return [{**path, "hop": hop} for path, hop in zip(paths, hops, strict=True)]
