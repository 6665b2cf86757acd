"""Judge a potential: errors against labels, and properties of crystals against references."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job, Maker

from zonemelt.flows.atomistic import AtomisticMaker, ElasticMaker, EosMaker, PhononMaker
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.validation.jobs import validate_errors_job, validation_job
from zonemelt.tasks.potentials.validation.references import geometry_of, reference_of

if TYPE_CHECKING:
    from jobflow import OutputReference

MAKERS: dict[str, type[AtomisticMaker]] = {"eos": EosMaker, "elastic": ElasticMaker, "phonons": PhononMaker}


@dataclass
class ValidateMaker(Maker):
    """Wire a validation.

    Args:
        name: of the flow.
        potential: see :func:`.load_potential`.
        labels: arguments of :func:`.read_labelled`: ``source``, ``version``, ``split``, ``part``, ``by``;
            empty for no errors.
        references: name of a crystal → :class:`.Reference`; empty for no properties.
        settings: kind of calculation (``eos``, ``elastic``, ``phonons``) → its settings.
        directory: of ``validation.json``, of the figure and of checkpoints; absolute.
        device: "cpu" or "cuda".
        dtype: "float64", or "float32" where a library has no other.
        trust: see :func:`.load_potential`.
    """

    name: str = "validate"
    potential: str = "sevennet-0"
    labels: dict[str, Any] = field(default_factory=dict)
    references: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    directory: str = ""
    device: str = "cpu"
    dtype: str = "float64"
    trust: bool = False

    def make(self, trained: OutputReference | None = None) -> Flow:
        """Build the graph.

        Args:
            trained: what the training of the potential returns, where it must be waited for.

        Returns:
            A flow whose output is the document of :func:`.validation_job`.

        Raises:
            UnknownKeyError: there is no such kind of calculation.
            InputError: there is nothing to judge on, a reference cannot be used, or the directory is not
                absolute.
        """
        check_directory(self.directory)
        if not self.labels and not self.references:
            raise InputError(
                "there is nothing to judge on", where=self.name, remedy="give labels, references or both"
            )
        for kind in self.settings:
            if kind not in MAKERS:
                raise UnknownKeyError.of(kind, MAKERS, where="settings")
        known = {name: reference_of(one, where=f"reference {name}") for name, one in self.references.items()}
        before: list[Flow | Job] = []
        errors = None
        if self.labels:
            one = validate_errors_job(
                potential=self.potential, labels=self.labels, directory=self.directory, device=self.device,
                dtype=self.dtype, trust=self.trust, trained=trained,
            )  # fmt: skip
            one.name = "errors"
            before.append(one)
            errors = one.output
        found = {}
        for kind, maker in MAKERS.items():
            crystals = [geometry_of(name, one) for name, one in known.items() if kind in one.needs]
            if crystals:
                flow = maker(
                    potential=self.potential, settings=self.settings.get(kind, {}), directory=self.directory,
                    device=self.device, dtype=self.dtype, trust=self.trust,
                ).make([one.model_dump(mode="json") for one in crystals])  # fmt: skip
                before.append(flow)
                found[kind] = flow.output
        last = validation_job(
            directory=self.directory,
            errors=errors,
            references={name: one.model_dump(mode="json") for name, one in known.items()},
            found=found,
        )
        last.name = self.name
        for step in (*before, last):
            if isinstance(step, Job):
                step.update_config({"manager_config": {"cache": False}})  # its files would be missing
        return Flow([*before, last], output=last.output, name=self.name)
