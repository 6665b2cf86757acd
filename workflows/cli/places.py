"""Which campaign, which job and which file a person means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.workflows.engine.schema import FILE_NAME, SPEC_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

Dir = Annotated[str, typer.Argument(metavar="[DIR]", help="Campaign directory.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]


def is_campaign(path: Path) -> bool:
    """Whether a directory holds a campaign, be it one that never came to run."""
    return (path / FILE_NAME).exists() or (path / SPEC_FILE).exists()


def find_campaign(directory: str, *, quiet: bool = False) -> Path:
    """The campaign directory a person means.

    Args:
        directory: as given; empty for the current directory if it holds a campaign, else for the newest
            campaign in the runs directory or right here.
        quiet: do not say which one was chosen.

    Raises:
        CampaignError: there is none.
    """
    if directory:
        path = Path(directory)
        if not is_campaign(path):
            what = "this is not a campaign directory" if path.is_dir() else "there is no such directory"
            raise CampaignError(what, where=directory, remedy=_known(path.parent))
        return path
    if is_campaign(Path()):
        return Path()
    from zonemelt.workflows.settings import load_settings

    runs = load_settings().runs_directory
    found = [*_campaigns_in(runs), *_campaigns_in(Path())]
    if not found:
        raise CampaignError(
            f"there is no campaign, neither here nor in {runs}",
            where=str(Path.cwd()),
            remedy="name its directory, or start one: `zonemelt run quickstart`",
        )
    newest = max(found, key=_last_change)
    if not quiet:
        typer.secho(f"campaign {newest}", dim=True, err=True)
    return newest


def _campaigns_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if is_campaign(path)] if folder.is_dir() else []


def _last_change(path: Path) -> float:
    """When the ledger was written last: its journal is newer than the file itself."""
    names = (FILE_NAME, f"{FILE_NAME}-wal", SPEC_FILE)
    return max((path / name).stat().st_mtime for name in names if (path / name).exists())


def _known(folder: Path) -> str:
    names = sorted(_campaigns_in(folder), key=_last_change, reverse=True)[:5]
    if names:
        return f"the newest ones there: {', '.join(str(name) for name in names)}"
    return "name a directory that `zonemelt run` or `zonemelt submit` made"


def job_and_directory(job: str, directory: str) -> tuple[str, str]:
    """Tell JOB and DIR apart where only one is given and it is the directory of a campaign."""
    if job and not directory and is_campaign(Path(job)) and not job.isdigit():
        return "", job
    return job, directory


def check_ending(path: str, endings: Sequence[str]) -> None:
    """Refuse a name of a file to be written that says no form.

    Raises:
        InputError: it does not end as it must.
    """
    if Path(path).suffix not in endings:
        raise InputError(
            f"it ends in '{Path(path).suffix}'", where=f"--out {path}", remedy=f"one of {', '.join(endings)}"
        )
