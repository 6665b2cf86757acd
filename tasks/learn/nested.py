"""Nested cross-validation: settings are chosen inside the training rows of each outer fold, then tested once.

The outer folds are given (the official ones of a benchmark). Within the training rows of one, K inner folds
drawn by an explicit seed choose the settings; the chosen model predicts each inner fold once more, from
the others, and these left-out predictions alone calibrate its uncertainty. The outer test rows are asked
for one prediction at the very end. Source: S. Varma, R. Simon, BMC Bioinformatics 7, 91 (2006).
"""

# N training rows, M test rows, F columns

from __future__ import annotations

import time
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.shallow import MODEL, ModelSpec
from zonemelt.tasks.metrics.deviations import Asked, judged, predict
from zonemelt.tasks.metrics.recalibration import KINDS, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.metrics.recalibration import Recalibrations

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]
    Splits = list[tuple[Rows, Rows]]

_TOLD = 20  # columns whose importance is reported


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How models are chosen and judged; the same for all that are compared.

    Attributes:
        inner: folds within the training rows.
        seed: of the inner folds and of the models.
        coverage: that the conformal intervals promise.
        recalibration: of deviations, ``scale``, ``affine`` or ``isotonic``; see :func:`.recalibrate`.
        importance: how often each column is permuted; 0 for not at all.

    Raises:
        UnknownKeyError: there is no such recalibration.
    """

    inner: int = 5
    seed: int = 0
    coverage: float = 0.9
    recalibration: Recalibrations = "scale"
    importance: int = 0

    def __post_init__(self) -> None:
        if self.recalibration not in KINDS:
            raise UnknownKeyError.of(self.recalibration, KINDS, where="recalibration")


@dataclass(frozen=True, kw_only=True)
class _Training:
    """The training rows of one outer fold, and how they are cut."""

    x_NF: Floats
    y_N: Floats
    splits: Splits


def inner_splits(table: PropertyTable, train_N: Rows, *, protocol: Protocol) -> Splits:
    """Places within the training rows: to fit, and to test; groups stay whole.

    Raises:
        InputError: there are too few rows or groups.
    """
    from sklearn.model_selection import GroupKFold, KFold

    groups_N = None if table.groups_N is None else table.groups_N[train_N]
    parts = len(train_N) if groups_N is None else len(np.unique(groups_N))
    if parts < protocol.inner or protocol.inner <= 1:
        raise InputError(
            f"{protocol.inner} inner folds of {parts} training rows or groups",
            where="inner", remedy="ask for two folds or more, and not for more than there are rows",
        )  # fmt: skip
    kind = KFold if groups_N is None else GroupKFold
    cut = kind(protocol.inner, shuffle=True, random_state=protocol.seed)
    return [(fit, test) for fit, test in cut.split(train_N, groups=groups_N)]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model chosen and fitted on some rows.

    Attributes:
        model: the pipeline, fitted to all of the rows.
        choice: ``settings`` chosen, their ``inner_mae``, and all that was ``tried``.
        columns_F: of the table that it sees.
        x_NF: features of the rows.
        left_out: the rows, each predicted by a model that had not seen it.
        fits: how often something was fitted.
    """

    model: Any
    choice: dict[str, Any]
    columns_F: Rows
    x_NF: Floats
    left_out: Asked
    fits: int


def choose_and_fit(table: PropertyTable, spec: ModelSpec, train_N: Rows, *, protocol: Protocol) -> Fitted:
    """Choose settings on inner folds of some rows, and fit the best to all of them.

    Raises:
        InputError: a feature is NaN and the model refuses that, no column or label varies, or there are too
            few rows.
    """
    columns_F = table.columns(spec.blocks)
    _check_features(table, spec, columns_F, train_N)
    x_NF, y_N = table.values_NF[np.ix_(train_N, columns_F)], table.target_N[train_N]
    given = _Training(x_NF=x_NF, y_N=y_N, splits=inner_splits(table, train_N, protocol=protocol))
    search = _search(table, spec, given=given, seed=protocol.seed)
    mean_N, raw_N = _left_out(table, spec, search.best_estimator_, given=given)
    return Fitted(
        model=search.best_estimator_,
        choice=_choice(search),
        columns_F=columns_F,
        x_NF=x_NF,
        left_out=Asked(rows_N=train_N, true_N=y_N, mean_N=mean_N, raw_N=raw_N),
        fits=len(given.splits) * (len(search.cv_results_["params"]) + 1) + 1,
    )


def evaluate_fold(table: PropertyTable, spec: ModelSpec, *, fold: int, protocol: Protocol) -> dict[str, Any]:
    """Choose, fit, calibrate and test one model on one outer fold.

    Args:
        table: features, labels and folds.
        spec: the model and what to try.
        fold: the outer fold.
        protocol: how to choose and judge.

    Returns:
        A document: ``model``, ``family``, ``fold``, ``seed``; ``settings`` chosen, ``inner_mae`` of it and
        what was ``tried``; ``mae``, ``rmse``, ``r2`` on the test rows; ``predictions`` of the test rows
        (``rows``, ``mean``, ``deviation`` calibrated, ``width`` of the conformal interval);
        ``left_out``, the same of the training rows; ``uncertainty``: metrics of the calibrated
        deviations and of the ``raw`` ones; ``importance``; ``strange_rows``, that have what no
        training row has; ``warnings`` with counts; ``fits`` and ``cpu_seconds``.

    Raises:
        InputError: there is no such fold, a feature is NaN and the model refuses that, no column varies, or
            there are too few rows, for the coverage too.
    """
    began = time.process_time()
    train_N, test_M = table.parts(fold)
    place_of(len(train_N), protocol.coverage)  # refused before anything is fitted
    y_M = table.target_N[test_M]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = choose_and_fit(table, spec, train_N, protocol=protocol)
        x_MF = table.values_NF[np.ix_(test_M, found.columns_F)]
        labels = [table.labels[column] for column in found.columns_F]
        mean_M, raw_M = predict(found.model, x_MF, kind=spec.deviations)
        importance = _importance(found.model, x_MF, y_M, labels=labels, protocol=protocol)
    return {
        "model": spec.name,
        "family": spec.family,
        "fold": fold,
        "seed": protocol.seed,
        **found.choice,
        **judged(
            found.left_out,
            Asked(rows_N=test_M, true_N=y_M, mean_N=table.clipped(mean_M), raw_N=raw_M),
            coverage=protocol.coverage,
            recalibration=protocol.recalibration,
        ),
        "importance": importance,
        "strange_rows": test_M[_strange(found.x_NF, x_MF)].tolist(),
        "warnings": told(caught),
        "fits": found.fits,
        "cpu_seconds": time.process_time() - began,
    }


def _search(table: PropertyTable, spec: ModelSpec, *, given: _Training, seed: int) -> Any:
    """Try the grid on the inner folds, and fit the best settings to all training rows."""
    from sklearn.metrics import make_scorer, mean_absolute_error
    from sklearn.model_selection import GridSearchCV

    def error(true_N: Floats, mean_N: Floats) -> float:
        return float(mean_absolute_error(true_N, table.clipped(mean_N)))

    return GridSearchCV(
        spec.pipeline(seed=seed),
        {MODEL + key: list(values) for key, values in spec.tried.items()},
        scoring=make_scorer(error, greater_is_better=False),
        cv=given.splits,
        error_score="raise",
    ).fit(given.x_NF, given.y_N)


def _left_out(
    table: PropertyTable, spec: ModelSpec, model: Any, *, given: _Training
) -> tuple[Floats, Floats | None]:
    """Means and deviations (N) of training rows, each from a model that has not seen its row."""
    from sklearn.base import clone

    mean_N, raw_N = np.empty(len(given.y_N)), np.empty(len(given.y_N))
    own = True
    for fit, test in given.splits:
        fitted = clone(model).fit(given.x_NF[fit], given.y_N[fit])
        mean_N[test], deviations = predict(fitted, given.x_NF[test], kind=spec.deviations)
        own = deviations is not None
        if deviations is not None:
            raw_N[test] = deviations
    return table.clipped(mean_N), raw_N if own else None


def _choice(search: Any) -> dict[str, Any]:
    """What was chosen, and the inner errors of all that was tried."""
    found = search.cv_results_
    tried = [
        {
            "settings": {key.removeprefix(MODEL): value for key, value in settings.items()},
            "inner_mae": -float(mean),
            "inner_std": float(std),
        }
        for settings, mean, std in zip(
            found["params"], found["mean_test_score"], found["std_test_score"], strict=True
        )
    ]
    best = tried[search.best_index_]
    return {"settings": best["settings"], "inner_mae": best["inner_mae"], "tried": tried}


def _importance(
    model: Any, x_MF: Floats, y_M: Floats, *, labels: list[str], protocol: Protocol
) -> list[dict[str, Any]]:
    """How much the error on the test rows grows when one column is permuted; the greatest first.

    Of columns that say the same, each looks unimportant: the others stand in.
    """
    from sklearn.inspection import permutation_importance

    if not protocol.importance:
        return []
    found = permutation_importance(
        model, x_MF, y_M, scoring="neg_mean_absolute_error",
        n_repeats=protocol.importance, random_state=protocol.seed,
    )  # fmt: skip
    order = np.argsort(-found.importances_mean, kind="stable")[:_TOLD]
    return [
        {
            "column": labels[place],
            "mae_rise": float(found.importances_mean[place]),
            "std": float(found.importances_std[place]),
        }
        for place in order
    ]


def _check_features(table: PropertyTable, spec: ModelSpec, columns_F: Rows, train_N: Rows) -> None:
    gaps = np.isnan(table.values_NF[:, columns_F])
    if spec.missing == "refuse" and gaps.any():
        row, place = np.argwhere(gaps)[0].tolist()
        raise InputError(
            f"'{table.labels[columns_F[place]]}' is not known, and so are {gaps.sum() - 1} more",
            where=f"row {row}",
            remedy="leave these rows out, or set 'missing' of the model to 'median' or 'mean'",
        )
    if not np.ptp(table.target_N[train_N]):
        raise InputError(
            "the label is the same in all training rows", where="target", remedy="there is nothing to learn"
        )
    known = np.nan_to_num(table.values_NF[np.ix_(train_N, columns_F)])
    if not np.ptp(known, axis=0).any():
        raise InputError(
            "no column varies in the training rows", where="features", remedy="choose other blocks of columns"
        )


def _strange(x_NF: Floats, x_MF: Floats) -> NDArray[np.bool_]:
    """Test rows that differ in a column in which all training rows agree: an element not seen, say."""
    same_F = np.ptp(x_NF, axis=0) == 0
    strange_M: NDArray[np.bool_] = (x_MF[:, same_F] != x_NF[0, same_F]).any(axis=1)
    return strange_M


def told(caught: Sequence[warnings.WarningMessage]) -> dict[str, int]:
    """First lines of what scikit-learn complained about, with counts."""
    return dict(Counter(str(one.message).partition("\n")[0][:120] for one in caught))


@job
def evaluate_job(
    *, table: dict[str, Any], model: dict[str, Any], fold: int, protocol: dict[str, Any]
) -> dict[str, Any]:
    """One model on one outer fold; see :func:`evaluate_fold`."""
    return evaluate_fold(
        PropertyTable.of(table), ModelSpec.of(model), fold=fold, protocol=Protocol(**protocol)
    )
