"""Settings: from the file, from the environment, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.workflows.settings import load_settings


def test_defaults():
    settings = load_settings()
    assert settings.site == "local"
    assert settings.store is None
    assert settings.runs_directory == Path("zonemelt_runs")


def test_the_environment_wins_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / ".zonemelt.yaml").write_text("site: inline\nruns_directory: /scratch/runs\n")
    assert load_settings().site == "inline"
    monkeypatch.setenv("ZONEMELT_SITE", "elsewhere")
    assert load_settings().site == "elsewhere"
    assert load_settings().runs_directory == Path("/scratch/runs")


def test_commands_use_them(zonemelt, home: Path):
    (home / ".zonemelt.yaml").write_text("site: inline\nruns_directory: mine\n")
    zonemelt("run", "campaigns_for_tests:good")
    assert len(list((home / "mine").iterdir())) == 1
    assert zonemelt.json("status")["counts"]["done"] == 4


def test_an_empty_file(home: Path):
    (home / ".zonemelt.yaml").write_text("# nothing yet\n")
    assert load_settings().site == "local"


def test_an_unknown_key_names_the_file_and_the_nearest(zonemelt, home: Path):
    (home / ".zonemelt.yaml").write_text("runs_dir: x\n")
    with pytest.raises(UnknownKeyError, match="did you mean 'runs_directory'") as raised:
        load_settings()
    assert raised.value.where == str(home / ".zonemelt.yaml")
    assert "unknown key 'runs_dir'" in zonemelt.refused("run", "campaigns_for_tests:good")


def test_a_misspelt_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZONEMELT_STIE", "local")
    with pytest.raises(UnknownKeyError, match="did you mean 'ZONEMELT_SITE'"):
        load_settings()


def test_variables_of_other_parts_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    for name in (
        "ZONEMELT_DEBUG",
        "ZONEMELT_DATA",
        "ZONEMELT_CAMPAIGN",
        "ZONEMELT_WORKER",
        "ZONEMELT_GPAW_PYTHON",
    ):
        monkeypatch.setenv(name, "1")
    assert load_settings().site == "local"


@pytest.mark.parametrize("text", ["site: [", "- site", "site: {a: 1}"])
def test_files_that_cannot_be_used(home: Path, text: str):
    (home / ".zonemelt.yaml").write_text(text)
    with pytest.raises(InputError) as raised:
        load_settings()
    assert raised.value.where.startswith(str(home / ".zonemelt.yaml"))
    assert raised.value.remedy


def test_a_variable_that_is_no_mapping(zonemelt, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZONEMELT_NOTIFY", "{webhook: s3cret")
    with pytest.raises(InputError, match="notify") as raised:
        load_settings()
    assert raised.value.where == "environment"
    assert "s3cret" not in zonemelt.refused("run", "campaigns_for_tests:good")
