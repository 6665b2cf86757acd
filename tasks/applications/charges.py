"""Charges of the sites of a perovskite, as a person writes them into a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SITES: Final = ("A", "B", "O apical", "O basal")


class Charges(Document):
    """Charges of the sites of a perovskite ABO3, e, along the axis of the distortion.

    The apical oxygen moves along its bond with B, the basal ones across theirs.
    """

    a: float
    b: float
    o_apical: float
    o_basal: float
    source: str = Field(description="where they come from")

    @property
    def of_sites(self) -> NDArray[np.float64]:
        """In the order of :data:`SITES` with the basal site twice (5,), e; their sum taken off evenly."""
        import numpy as np

        charges = np.array([self.a, self.b, self.o_apical, self.o_basal, self.o_basal])
        neutral: NDArray[np.float64] = charges - charges.mean()
        return neutral
