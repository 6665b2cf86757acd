"""Whether an oracle labels anything: how many labels came of what was asked, and why the others did not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import OracleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.tasks.records import Record


@dataclass(frozen=True, kw_only=True)
class Health:
    """How an oracle does.

    Attributes:
        asked: structures it was given.
        labelled: of them that have an energy.
        reasons: why the others have none → how many.
    """

    asked: int
    labelled: int
    reasons: Counter[str]

    @property
    def failed(self) -> int:
        """Structures without a label."""
        return self.asked - self.labelled

    @property
    def described(self) -> str:
        """In one line, the commonest reasons first."""
        why = "; ".join(f"{count} times {reason}" for reason, count in self.reasons.most_common(3))
        return f"{self.labelled} of {self.asked} structures labelled" + (f": {why}" if why else "")


def oracle_health(records: Iterable[Record]) -> Health:
    """Count labels and failures.

    Args:
        records: what :func:`~zonemelt.tasks.label.jobs.label_job` gave; a label that quality control refuses
            afterwards is a label still.
    """
    asked = labelled = 0
    reasons: Counter[str] = Counter()
    for record in records:
        asked += 1
        if record.energy_free is not None or record.energy_sigma0 is not None:
            labelled += 1
        elif record.quality is not None:
            reasons.update(reason.removeprefix("as given: ") for reason in record.quality.reasons[:1])
    return Health(asked=asked, labelled=labelled, reasons=reasons)


def check_oracle(
    records: Iterable[Record], *, where: str, least: int = 3, most_failures: float = 0.9
) -> Health:
    """Refuse to go on with an oracle that fails for (nearly) every structure.

    Args:
        records: of the labels asked for so far, or of the last round.
        where: they were asked for, for the message.
        least: fewer structures say nothing.
        most_failures: share of them that may fail.

    Raises:
        OracleError: more failed; the commonest reasons are named.
    """
    health = oracle_health(records)
    if health.asked >= least and health.failed > most_failures * health.asked:
        raise OracleError(
            f"the oracle fails for nearly everything: {health.described}",
            where=where,
            remedy="read the log of one: it is the protocol or a path that is wrong, not the structures",
        )
    return health
