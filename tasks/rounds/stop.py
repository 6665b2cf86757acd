"""When a campaign of active learning has come to its end, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.metrics.energies_forces import ENERGY_MAE, FORCES_MAE

if TYPE_CHECKING:
    from collections.abc import Sequence

OVERCONFIDENT = 5.0  # times its own deviation that a committee may be wrong before it is not believed


class Stop(BaseModel):
    """Criteria; the first that is met ends the campaign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounds: int | None = Field(default=10, ge=0, description="of choosing and labelling")
    labels: int | None = Field(default=None, ge=1, description="asked for, those to begin with included")
    node_hours: float | None = Field(
        default=None, gt=0, description="that labels took: wall time times the nodes of each"
    )
    force_error: float | None = Field(default=None, gt=0, description="on the held-out set, MAE, eV/Å")
    energy_error: float | None = Field(default=None, gt=0, description="on the held-out set, MAE, eV/atom")
    uncertainty: float | None = Field(
        default=None,
        gt=0,
        description="largest calibrated deviation of a force in 95 of 100 explored structures, eV/Å",
    )
    promise: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="of searches: the largest probability that a candidate left is among the best",
    )
    empty: int = Field(
        default=1,
        ge=1,
        description="rounds in a row in which nothing was chosen; 2 or more where others are drawn next time",
    )
    confirmed: int | None = Field(
        default=None, ge=1, description="of discoveries: crystals within the target by their labels"
    )


def reason_to_stop(stop: Stop, history: Sequence[dict[str, Any]]) -> str:
    """Why to stop after these rounds; empty to go on.

    Args:
        stop: the criteria.
        history: documents of the rounds, see :func:`.judge.round_document`.
    """
    now = history[-1]
    spent = now["spent"]
    for limit, value, words in (
        (stop.rounds, now["round"], "{limit} rounds"),
        (stop.labels, spent["asked"], "{limit} labels were asked for"),
        (stop.confirmed, _confirmed(now), "{value} crystals within the target are confirmed"),
        (stop.node_hours, spent["node_hours"], "labels took {value:.3g} node-hours, {limit:g} were allowed"),
    ):
        if limit is not None and value >= limit:
            return words.format(limit=limit, value=value)
    errors = {FORCES_MAE: stop.force_error, ENERGY_MAE: stop.energy_error}
    wanted = {name: limit for name, limit in errors.items() if limit is not None}
    if wanted and all(now["heldout"].get(name, float("inf")) <= limit for name, limit in wanted.items()):
        return "; ".join(
            f"{name} {now['heldout'][name]:.4g}, wanted {most:g}" for name, most in wanted.items()
        )
    if all(one["exhausted"] for one in history[-stop.empty :]):  # round 0 never is
        return f"exhausted: nothing is left to be chosen{_why_nothing(now['choice'])}"
    promise = now["choice"].get("promise")
    if stop.promise is not None and promise is not None and promise < stop.promise:
        return f"no candidate left is among the best with a probability above {promise:.3g}"
    return _certain(stop, now)


def _why_nothing(choice: dict[str, Any]) -> str:
    """What became of what was found, in brackets: refused, off target, unstable, beyond what is trusted."""
    said = {key: count for key, count in choice.get("explored", {}).items() if key != "kept"}
    verdicts = {key: count for key, count in choice.get("counts", {}).items() if key.startswith("verdict ")}
    said |= {key.removeprefix("verdict "): count for key, count in verdicts.items()}
    left_out = _listed(choice.get("refused", {}))
    parts = [_listed(said), f"left out in choosing (see acquire): {left_out}" if left_out else ""]
    why = "; ".join(filter(None, parts))
    return f" ({why})" if why else ""


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{key}: {count}" for key, count in counts.items() if count)


def _confirmed(now: dict[str, Any]) -> int:
    return sum(one["confirmed"] for one in now.get("discovery", {}).get("discoveries", ()))


def _certain(stop: Stop, now: dict[str, Any]) -> str:
    """Certainty ends a campaign only where the committee has been right about how uncertain it is."""
    found = now.get("uncertainty")
    if stop.uncertainty is None or found is None or found > stop.uncertainty:
        return ""
    surprise = now.get("surprise")
    if surprise is not None and surprise > OVERCONFIDENT:
        return ""
    return f"calibrated deviation of forces {found:.3g} eV/Å, wanted {stop.uncertainty:g}"
