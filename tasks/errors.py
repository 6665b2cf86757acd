"""Every error zonemelt raises on purpose: what was wrong, where, and what to do about it.

    ZonemeltError
    ├── InputError            a file, a field or an argument that a person gave
    │   ├── UnknownKeyError   a key that no schema knows, with the nearest one that exists
    │   └── GraphError        jobs that wait for one another, or for one that is not there
    ├── CampaignError         the campaign directory cannot be used as asked
    │   ├── LedgerVersionError   written by another version of zonemelt
    │   └── HeadRunningError     another head holds the ledger
    ├── StoreError            a store cannot be reached or refuses a document
    ├── SiteError             the machine lacks something the campaign needs
    ├── OracleError           a label could not be computed
    │   ├── OracleAbsentError    its program, its files or its licence are not there: no label ever will be
    │   ├── UnfitStructureError  refused before anything was spent
    │   └── UnconvergedError     the electronic cycle did not come to an end
    └── JobError              a job did not succeed

The words of an error are for a person: the file, the field, the value, the remedy.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ZonemeltError(Exception):
    """The root of the tree.

    Args:
        what: what was wrong, with the offending value.
        where: the file, field, job or directory it concerns.
        remedy: what the reader can do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  → {self.remedy}" if self.remedy else head

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes: keyword-only arguments survive as a plain call."""
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(cls: type[ZonemeltError], what: str, where: str, remedy: str) -> ZonemeltError:
    return cls(what, where=where, remedy=remedy)


class InputError(ZonemeltError):
    """A file, a field or an argument that a person gave cannot be used."""


class UnknownKeyError(InputError):
    """A key that no schema knows."""

    @classmethod
    def of(cls, key: str, known: Iterable[str], *, where: str) -> UnknownKeyError:
        """Build the error for ``key``, naming the nearest of the ``known`` keys."""
        known = sorted(known)
        near = difflib.get_close_matches(key, known, n=1)
        remedy = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
        return cls(f"unknown key '{key}'", where=where, remedy=remedy)


class GraphError(InputError, ValueError):
    """A graph whose jobs could never run; in jobflow's words, and of the kind that its managers raise."""


class CampaignError(ZonemeltError):
    """The campaign directory cannot be used as asked."""


class LedgerVersionError(CampaignError):
    """The ledger was written by another version of zonemelt."""


class HeadRunningError(CampaignError):
    """Another head process holds the ledger."""


class StoreError(ZonemeltError):
    """A store cannot be reached or refuses a document."""


class SiteError(ZonemeltError):
    """The machine lacks something the campaign needs."""


class OracleError(ZonemeltError):
    """A label could not be computed."""


class OracleAbsentError(OracleError):
    """What an oracle needs is not there: no structure could be labelled, the next one neither."""


class UnfitStructureError(OracleError):
    """A structure that the oracle must not be asked about: atoms too close, no pseudopotential, no spin."""


class UnconvergedError(OracleError):
    """The electronic cycle did not converge."""


class JobError(ZonemeltError):
    """A job did not succeed."""
