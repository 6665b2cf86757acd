"""What became of a file that was to be ingested: each gets exactly one verdict, and none is skipped."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from zonemelt.tasks.theory import Document


class Verdict(StrEnum):
    """What became of a file."""

    INGESTED = "ingested"
    UNCONVERGED = "unconverged"  # its end did not; frames that did not are kept, in quarantine
    TRUNCATED = "truncated"  # what it holds up to its end is kept, in quarantine
    DUPLICATE = "duplicate"  # of a file that was ingested before
    UNREADABLE = "unreadable"
    NOT_A_CALCULATION = "not a calculation"


class FileReport(Document):
    """What became of one file.

    A calculation that is spread over files (a VASP directory) is reported once, for the file that was read;
    the others are reported as parts of it.
    """

    path: str = Field(description="as found; the member of an archive after '::'")
    verdict: Verdict
    reason: str = Field(default="", description="in words, wherever the verdict is not plain")
    sha256: str | None = None
    size: int | None = Field(default=None, description="bytes")
    kind: str | None = Field(default=None, description="the format that was recognised: vasp-xml, qe-out …")
    parser: str | None = Field(default=None, description="library and version that read it")
    tried: tuple[str, ...] = Field(
        default=(), description="parsers that were tried before, and why they failed"
    )
    accepted: int = Field(default=0, description="records that came of it")
    no_records: int = Field(
        default=0, description="rows or frames that are none: energy NaN, an unknown element …"
    )
    quarantined: int = Field(
        default=0, description="records that came of it and must not be used as they are"
    )
