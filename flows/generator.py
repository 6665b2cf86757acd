"""Train a generator of crystals as a job of one or many ranks."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from zonemelt.flows.train import RanksMaker
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.generate.jobs import denoiser_of, drawn_split, flow_terms_of, generator_job

if TYPE_CHECKING:
    from jobflow import Flow, OutputReference


@dataclass
class GeneratorMaker(RanksMaker):
    """Wire the training of a generator.

    Args:
        architecture: see :class:`.DenoiserArchitecture`, such as ``{"width": 256, "layers": 6}``.
        loss: see :class:`.FlowTerms`.
        split: ``seed``, and ``validation``, a share of the crystals.
        most_atoms: of a crystal; larger ones are left out.
        wish: the property that crystals are to be drawn for; empty for none.
        start: folder of a generator of this architecture whose weights it begins with; empty for random ones.
    """

    name: str = "generator"
    architecture: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    split: dict[str, float] = field(default_factory=lambda: {"seed": 0, "validation": 0.1})
    most_atoms: int = 20
    wish: str = ""
    start: str = ""

    def make(self, dataset: str, version: str | OutputReference) -> Flow:
        """Build the graph; all that can be checked without the data is checked here.

        Args:
            dataset: its directory.
            version: of the dataset, or the output of the job that makes it.

        Returns:
            A flow whose output is the generator, as :func:`.generator_job` returns it; ``load_generator``
            opens its ``folder``.

        Raises:
            UnknownKeyError: there is no such setting.
            InputError: a value cannot be used, or the directory is not absolute.
        """
        network, terms = denoiser_of(self.architecture), flow_terms_of(self.loss)
        settings = self.checked(None)
        drawn_split(1_000_000, self.split)
        if self.most_atoms < 1:
            raise InputError(f"most_atoms {self.most_atoms}", where=self.name, remedy="give at least 1")
        return self.flow_of(
            generator_job(
                dataset=dataset,
                version=version,
                split=self.split,
                architecture=network.model_dump(mode="json"),
                settings=settings.model_dump(mode="json"),
                directory=self.directory,
                loss=terms.model_dump(mode="json"),
                most_atoms=self.most_atoms,
                wish=self.wish,
                start=self.start,
                device=self.device,
                threads=self.threads,
            )
        )


def generator_from(dataset: str, version: str, **settings: Any) -> Flow:
    """Train a generator on a version of a dataset.

    Args:
        dataset: its directory.
        version: of the dataset.
        **settings: fields of :class:`GeneratorMaker`.

    Returns:
        The flow of :meth:`GeneratorMaker.make`.

    Raises:
        UnknownKeyError: there is no such setting.
        InputError: a value cannot be used.
    """
    known = {one.name for one in fields(GeneratorMaker)}
    if strange := sorted(set(settings) - known):
        raise UnknownKeyError.of(strange[0], known, where="training of a generator")
    return GeneratorMaker(**settings).make(dataset, version)
