"""What a person sets once for all campaigns: by ``ZONEMELT_*`` variables or in ``~/.zonemelt.yaml``.

A variable wins over the file, and what a command or a campaign says wins over both::

    # ~/.zonemelt.yaml
    site: my-cluster
    runs_directory: /scratch/me/runs
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.settings import read_mapping
from zonemelt.workflows.notify import Notify  # noqa: TC001 (pydantic reads it)

PREFIX = "ZONEMELT_"
FILE_NAME = ".zonemelt.yaml"


class Settings(BaseSettings):
    """The settings, checked."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    site: str = Field("local", description="where campaigns run that name no site")
    store: str | dict[str, Any] | None = Field(
        None, description="where outputs go besides the campaign's own"
    )
    notify: Notify | None = Field(None, description="whom to tell of milestones; see docs/reports.md")
    runs_directory: Path = Field(Path("zonemelt_runs"), description="where campaign directories are made")


def settings_file() -> Path:
    """Where the file is looked for."""
    return Path.home() / FILE_NAME


def load_settings() -> Settings:
    """The settings of this person on this machine.

    Raises:
        UnknownKeyError: a key that does not exist, in the file or, nearly spelt like one, in the environment.
        InputError: the file is not YAML, or a value cannot be used.
    """
    _check_variables()
    content = _read(settings_file())
    given = {key: value for key, value in content.items() if f"{PREFIX}{key.upper()}" not in os.environ}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        where = str(settings_file()) if str(first["loc"][0]) in given else "environment"
        raise InputError(f"{field}: {first['msg']}", where=where, remedy="see docs/cli.md") from None


def _read(path: Path) -> dict[str, Any]:
    if not path.exists() or (path.is_file() and _says_nothing(path)):
        return {}
    content = read_mapping(path, of="settings", remedy="e.g. site: local; see docs/cli.md")
    for key in content:
        if key not in Settings.model_fields:
            raise UnknownKeyError.of(key, Settings.model_fields, where=str(path))
    return content


def _says_nothing(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return all(line.strip()[:1] in {"", "#"} for line in lines)


def _check_variables() -> None:
    """Refuse a variable that looks like a misspelt setting; others of that prefix have other uses."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            rest = name.removeprefix(PREFIX)
            if difflib.get_close_matches(rest, [k.removeprefix(PREFIX) for k in known], n=1, cutoff=0.75):
                raise UnknownKeyError.of(name, known, where="environment")
