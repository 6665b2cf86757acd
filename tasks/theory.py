"""The level of theory of a label: everything that must agree before two energies are compared."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_PER_ELEMENT = {"setups", "hubbard_u"}  # compared element by element: OneTheory


class Document(BaseModel):
    """The base of what is stored: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Theory(Document):
    """The level of theory of a label; None where nothing says so."""

    code: str
    version: str | None = None
    functional: str | None = Field(default=None, description="PBE, r2SCAN, HSE06 …, without U and dispersion")
    dispersion: str | None = Field(default=None, description="D3(BJ), rVV10 …")
    hubbard_u: dict[str, float] = Field(default_factory=dict, description="element → U - J, eV; absent is 0")
    setups: dict[str, str] = Field(
        default_factory=dict, description="element → name or fingerprint of its potential or basis"
    )
    cutoff: float | None = Field(default=None, description="of plane waves or of the density grid, eV")
    kpoint_density: float | None = Field(
        default=None, description="what was asked for, points per Å⁻¹; not what a mesh comes to in one cell"
    )
    kpoint_mesh: str | None = Field(default=None, description="in words, where it is the same in all cells")
    smearing: str | None = None
    smearing_width: float | None = Field(default=None, description="eV")
    spin: bool | None = None
    protocol: str | None = Field(
        default=None, description="hash of the protocol that an oracle of ours followed; None for all others"
    )
    is_dft: bool = True

    @property
    def key(self) -> str:
        """A short hash of every field but those that differ with the elements present."""
        return self.key_without(())

    def key_without(self, ignored: Collection[str]) -> str:
        """The key, but for some fields."""
        fields = self.model_dump(mode="json", exclude=_PER_ELEMENT | set(ignored))
        if fields.get("protocol") is None:  # keys of what was labelled elsewhere stay what they were
            fields.pop("protocol", None)
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def described(self) -> str:
        """In a few words: code, version and functional."""
        return " ".join(part for part in (self.code, self.version, self.functional) if part)


class OneTheory:
    """Looks at one level of theory after the other, and says whether they may be used together.

    Args:
        ignoring: fields of :class:`Theory` that may differ, because somebody who knows said so.
    """

    def __init__(self, ignoring: Collection[str] = ()) -> None:
        self._ignoring = ignoring
        self._levels: dict[str, tuple[str, str]] = {}  # key → an identifier, and the level in words
        self._seen: dict[tuple[str, str], Any] = {}

    def add(self, theory: Theory, elements: Iterable[str], *, identifier: str) -> None:
        """Look at the level of one record.

        Raises:
            InputError: an element has two setups or two values of U.
        """
        self._levels.setdefault(theory.key_without(self._ignoring), (identifier, theory.described))
        for element in elements:
            own = {"setups": theory.setups.get(element), "hubbard_u": theory.hubbard_u.get(element, 0.0)}
            for field, value in own.items():
                if field in self._ignoring or value is None:
                    continue
                if (other := self._seen.setdefault((field, element), value)) != value:
                    raise InputError(
                        f"two {field} for {element}: {other} and {value}",
                        where=f"record {identifier}",
                        remedy="use together only what was computed with one set of potentials and of U",
                    )

    def key(self, *, where: str) -> str:
        """The key of the one level that all share.

        Args:
            where: they come from, for the message.

        Raises:
            InputError: there was none, or they differ.
        """
        if len(self._levels) != 1:
            levels = "; ".join(f"{key} ({who}: {said})" for key, (who, said) in self._levels.items())
            raise InputError(
                f"levels of theory are mixed: {levels}" if levels else "there are no records",
                where=where,
                remedy="compare and train only on labels of one level of theory",
            )
        return next(iter(self._levels))
