"""A table to learn one property from: features, labels and outer folds, checked before anything is fitted."""

# N rows, F columns

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PropertyTable:
    """Features and labels of N materials.

    Attributes:
        values_NF: features; NaN where one is not known.
        labels: of the columns (F).
        target_N: the property, in ``unit``.
        folds_N: the outer test fold of each row.
        unit: of the property.
        blocks: named ranges of columns: first, and the one after the last.
        groups_N: rows of one group (a compound measured twice) are never parted; None for no groups.
        bounds: the least and the greatest value that the property can have; predictions are clipped to it.
    """

    values_NF: Floats
    labels: tuple[str, ...]
    target_N: Floats
    folds_N: NDArray[np.int64]
    unit: str
    blocks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    groups_N: NDArray[np.str_] | None = None
    bounds: tuple[float | None, float | None] = (None, None)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> PropertyTable:
        """From plain data: ``values``, ``labels``, ``target``, ``folds``, ``unit``, and what else there is.

        Raises:
            InputError: a label or feature is infinite, a label is missing, the lengths differ, there are not
                two folds, or a group is in two of them.
        """
        keys = {"values", "labels", "target", "folds", "unit", "blocks", "groups", "bounds"}
        for key in document:
            if key not in keys:
                raise UnknownKeyError.of(key, keys, where="property table")
        groups = document.get("groups")
        table = cls(
            values_NF=np.atleast_2d(np.asarray(document["values"], dtype=np.float64)),
            labels=tuple(document["labels"]),
            target_N=np.asarray(document["target"], dtype=np.float64),
            folds_N=np.asarray(document["folds"], dtype=np.int64),
            unit=document["unit"],
            blocks={name: (first, last) for name, (first, last) in document.get("blocks", {}).items()},
            groups_N=None if groups is None else np.asarray(groups, dtype=np.str_),
            bounds=tuple(document.get("bounds", (None, None))),
        )
        table._check()
        return table

    def __len__(self) -> int:
        return len(self.target_N)

    def columns(self, blocks: Sequence[str]) -> NDArray[np.int64]:
        """The columns of some blocks; all columns for none.

        Raises:
            UnknownKeyError: there is no such block.
        """
        for block in blocks:
            if block not in self.blocks:
                raise UnknownKeyError.of(block, self.blocks, where="blocks of columns")
        if not blocks:
            return np.arange(len(self.labels))
        return np.concatenate([np.arange(*self.blocks[block]) for block in blocks])

    def parts(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows to train on, and the rows of the fold.

        Raises:
            InputError: there is no such fold.
        """
        test_N = np.flatnonzero(self.folds_N == fold)
        if not len(test_N):
            known = ", ".join(map(str, np.unique(self.folds_N)))
            raise InputError(f"fold {fold} has no rows", where="folds", remedy=f"there are folds {known}")
        return np.flatnonzero(self.folds_N != fold), test_N

    def clipped(self, values_N: Floats) -> Floats:
        """Predictions within what the property can be."""
        if self.bounds == (None, None):
            return values_N
        return np.clip(values_N, *self.bounds)

    def digest(self) -> str:
        """A hash of features, labels, folds and groups."""
        found = hashlib.sha256(repr((self.labels, self.unit, self.bounds)).encode())
        for array in (self.values_NF, self.target_N, self.folds_N):
            found.update(np.ascontiguousarray(array).tobytes())
        if self.groups_N is not None:
            found.update("\n".join(self.groups_N.tolist()).encode())
        return found.hexdigest()[:16]

    def _check(self) -> None:
        sizes = {"labels": len(self.target_N), "features": len(self.values_NF), "folds": len(self.folds_N)}
        if self.groups_N is not None:
            sizes["groups"] = len(self.groups_N)
        if len(set(sizes.values())) > 1 or not len(self):
            told = ", ".join(f"{size} {name}" for name, size in sizes.items())
            raise InputError(told, where="property table", remedy="give as many of each, and at least one")
        if self.values_NF.shape[1] != len(self.labels):
            raise InputError(
                f"{self.values_NF.shape[1]} columns with {len(self.labels)} names",
                where="property table", remedy="name each column once",
            )  # fmt: skip
        if not (good_N := np.isfinite(self.target_N)).all():
            row = int(np.argmin(good_N))
            raise InputError(
                f"the label is {self.target_N[row]}",
                where=f"row {row}",
                remedy="leave rows without labels out",
            )
        if np.isinf(self.values_NF).any():
            row, column = np.argwhere(np.isinf(self.values_NF))[0].tolist()
            raise InputError(
                f"'{self.labels[column]}' is infinite",
                where=f"row {row}",
                remedy="give a number, or NaN for none",
            )
        if len(np.unique(self.folds_N)) <= 1:
            raise InputError("all rows are in one fold", where="folds", remedy="give two folds or more")
        if self.groups_N is not None:
            self._check_groups(self.groups_N)

    def _check_groups(self, groups_N: NDArray[np.str_]) -> None:
        pairs = {(group, fold) for group, fold in zip(groups_N.tolist(), self.folds_N.tolist(), strict=True)}
        names = [group for group, _ in pairs]
        if len(set(names)) < len(names):
            torn = min(name for name in names if names.count(name) > 1)
            raise InputError(
                f"rows of group '{torn}' are in several folds", where="folds",
                remedy="a group must be in one fold: a model tested on what it has seen looks too good",
            )  # fmt: skip


def grouped_folds(groups_N: Sequence[str] | NDArray[np.str_], *, folds: int, seed: int) -> NDArray[np.int64]:
    """Outer folds (N,) for data that have no official ones: whole groups, drawn by the seed.

    Raises:
        InputError: there are fewer groups than folds.
    """
    from sklearn.model_selection import GroupKFold

    names_N = np.asarray(groups_N, dtype=np.str_)
    if len(np.unique(names_N)) < folds:
        raise InputError(
            f"{len(np.unique(names_N))} groups for {folds} folds", where="folds", remedy="ask for fewer folds"
        )
    found_N = np.empty(len(names_N), dtype=np.int64)
    splits = GroupKFold(folds, shuffle=True, random_state=seed).split(names_N, groups=names_N)
    for fold, (_, test) in enumerate(splits):
        found_N[test] = fold
    return found_N


@job
def property_table_job(*, table: dict[str, Any]) -> dict[str, Any]:
    """A table that has been checked, kept once for all jobs that read it."""
    PropertyTable.of(table)
    return table


@job
def composition_table_job(
    *,
    formulas: list[str],
    target: list[float],
    folds: list[int],
    unit: str,
    blocks: list[str],
    bounds: list[float | None],
) -> dict[str, Any]:
    """A table whose features come from formulas alone; see :func:`.composition_blocks`."""
    from zonemelt.tasks.featurize.fractions import composition_blocks

    document = {
        **composition_blocks(formulas, blocks=blocks),
        "target": target,
        "folds": folds,
        "unit": unit,
        "bounds": bounds,
    }
    PropertyTable.of(document)
    return document
