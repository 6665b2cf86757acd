"""What a person says about a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

# What may change while a training goes on: its result stays the same, but for rounding.
_FREE: Final = ("accumulate", "checkpoint_seconds", "keep")


class TrainSettings(BaseModel):
    """How a model is trained; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(description="of initial weights, of the order of samples and of dropout")
    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=64, ge=1, description="samples a step, over all ranks together")
    planned_ranks: int = Field(
        default=1, ge=1, description="for which batches are put together; any number may train them"
    )
    accumulate: int = Field(default=1, ge=1, description="parts in which a rank takes its share of a step")
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-5, ge=0)
    schedule: Literal["one-cycle", "cosine", "plateau", "linear", "constant"] = "one-cycle"
    final_rate: float = Field(default=1e-2, ge=0, le=1, description="of learning_rate, at the end")
    clip_norm: float | None = Field(default=10.0, gt=0, description="largest norm of the gradient")
    ema: float | None = Field(default=None, gt=0, lt=1, description="decay a step of the averaged weights")
    precision: Literal["fp32", "bf16", "fp64"] = "fp32"
    deterministic: bool = Field(
        default=True,
        description="the same bits from the same seed and ranks on accelerators too; slower there",
    )
    patience: int | None = Field(
        default=None, ge=1, description="epochs without a better metric, then it ends"
    )
    checkpoint_seconds: float = Field(default=600.0, gt=0, description="between checkpoints inside an epoch")
    keep: int = Field(default=2, ge=1, description="checkpoints kept, besides the best")


def that_must_stay(training: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a training, without what may be another when it goes on from a checkpoint."""
    return {key: value for key, value in training.items() if key not in _FREE}
