"""zonemelt sites, sites show, sites check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zonemelt.sites.evidence import described
from zonemelt.sites.site import Confidence

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a scheduler."""
    monkeypatch.setenv("PATH", "/nowhere")


def write_own(home: Path, name: str, text: str) -> Path:
    place = home / ".zonemelt" / "sites"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.yaml").write_text(text)
    return place / f"{name}.yaml"


def lines_of(said: str) -> dict[str, str]:
    """The lines of values by their section and key."""
    found, section = {}, ""
    for line in said.splitlines():
        words = line.split()
        if len(words) == 1 and line.startswith("   "):
            section = f"{words[0]} "
        elif len(words) > 2:
            found[f"{section}{words[1]}"] = line
    return found


def test_the_list_says_what_a_machine_is(zonemelt):
    lines = {line.split()[0]: line for line in zonemelt("sites").splitlines()}
    assert "Perlmutter, NERSC" in lines["perlmutter"]
    assert "a login node" in lines["perlmutter"]
    assert "cpu, gpu, dft" in lines["perlmutter"]
    assert "pjm" in lines["fugaku"]
    assert "inside its allocation" in lines["fugaku"]
    assert "retired: its service ended on 21 November 2026" in lines["archer2"]


def test_the_list_for_programs(zonemelt):
    listed = {site["name"]: site for site in zonemelt.json("sites")["sites"]}
    assert listed["frontier"]["pools"]["gpu"]["accelerators"]["vendor"] == "amd"


def test_one_broken_file_hides_no_other(zonemelt, home):
    write_own(home, "broken", "name: broken\nschedular: slurm\n")
    said, trouble = zonemelt.both("sites")
    assert "local" in said
    assert "schedular: there is no such key, did you mean 'scheduler'?" in trouble
    assert list(zonemelt.json("sites")["broken"]) == ["broken"]


def test_show_marks_every_value_and_names_the_sources(zonemelt):
    said = zonemelt("sites", "show", "perlmutter")
    lines = lines_of(said)
    assert lines["scheduler"].startswith("●")
    assert "documented" in lines["scheduler"]
    assert lines["network interface"].startswith("◐")
    assert lines["pools.gpu affinity"].startswith("○")
    assert "unverified default" in lines["pools.gpu affinity"]
    assert "] Globus Compute endpoint configurations, 2026-08-07" in said
    assert "✗ needs account: the project that pays" in said
    assert "--set account=VALUE" in said


def test_show_with_values_on_top(zonemelt):
    said = zonemelt(
        "sites", "show", "perlmutter", "--set", "account=m1", "--set", "pools.gpu.walltime=02:00:00"
    )
    assert "✓ given account" in said
    line = lines_of(said)["pools.gpu walltime"]
    assert line.startswith("★")
    assert "02:00:00" in line
    assert "yours" in line


def test_show_for_programs(zonemelt):
    answer = zonemelt.json("sites", "show", "gadi")
    assert list(answer["missing"]) == ["project"]
    assert answer["site"]["name"] == "gadi"
    one = next(value for value in answer["values"] if value["path"] == "pools.gpu.partition")
    assert one == {
        "path": "pools.gpu.partition",
        "value": "gpuvolta",
        "confidence": "unverified",
        "source": "general knowledge",
    }


def test_show_without_a_name_is_the_site_of_the_settings(zonemelt, monkeypatch):
    assert zonemelt("sites", "show").startswith("local  This machine")
    monkeypatch.setenv("ZONEMELT_SITE", "fugaku")
    assert zonemelt("sites", "show").startswith("fugaku  Fugaku")


def test_what_cannot_be_read_is_refused(zonemelt):
    assert "did you mean 'perlmutter'?" in zonemelt.refused("sites", "show", "perlmuter")
    assert "'account' is not KEY=VALUE" in zonemelt.refused("sites", "show", "perlmutter", "--set", "account")
    message = zonemelt.refused("sites", "check", "perlmutter", "--set", "pools.gpu.workers=3")
    assert "has 4 groups for 3 workers" in message
    assert "→" in message


def test_check_this_machine(zonemelt):
    said = zonemelt("sites", "check", "local")
    assert "✗" not in said
    assert "✓ complete" in said
    assert "✓ consistent" in said
    assert zonemelt.json("sites", "check", "local")["ok"] is True


@pytest.mark.usefixtures("elsewhere")
def test_check_a_machine_from_elsewhere(zonemelt):
    said = zonemelt("sites", "check", "perlmutter", "--set", "account=m1")
    assert "✗" not in said
    assert "· scheduler    no sbatch here: this is not perlmutter" in said
    _, values = described("perlmutter", {"account": "m1"})
    unsure = sum(value.confidence is Confidence.UNVERIFIED for value in values)
    assert f"· certain      unverified defaults, {unsure} of them: " in said
    assert unsure


@pytest.mark.usefixtures("elsewhere")
def test_check_says_what_is_missing(zonemelt):
    said = zonemelt("sites", "check", "param_siddhi_ai", code=1)
    assert "✗ complete     partition is not given" in said
    assert "→ --set partition=VALUE: the partition of your project" in said


@pytest.mark.usefixtures("elsewhere")
def test_check_a_machine_that_is_gone(zonemelt):
    answer = zonemelt.json("sites", "check", "archer2", "--set", "account=e1", code=1)
    assert [one["what"] for one in answer["checks"] if one["ok"] is False] == ["retired"]


def test_a_scheduler_that_fails_is_quoted(zonemelt, tmp_path, monkeypatch):
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("pjsub", "pjstat", "pjdel"):
        (commands / name).write_text("#!/bin/sh\necho '[ERR.] PJM 0071 not authorized' >&2\nexit 1\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    said = zonemelt("sites", "check", "fugaku", "--set", "account=hp1", code=1)
    assert "✓ scheduler    pjsub, pjstat, pjdel are in PATH" in said
    assert "✗ queue        `pjstat` ended with status 1: [ERR.] PJM 0071 not authorized" in said


@pytest.mark.parametrize("word", ["show", "check"])
def test_help_of_the_commands_below_has_examples(zonemelt, word):
    assert f"zonemelt sites {word} perlmutter" in zonemelt("sites", word, "--help")
