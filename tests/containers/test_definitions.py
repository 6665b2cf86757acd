"""The definitions of images: everything pinned, nobody root, nothing missing, the same for Apptainer."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "containers"
IMAGES = ("worker-cpu", "worker-cuda", "worker-rocm", "head")
PINS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their arguments, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", (PLACE / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]  # type: ignore[misc]


def stages() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Name of each stage → what it is built on, its instructions."""
    found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    for word, rest in dockerfile():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = (base, [])
        elif found:
            found[next(reversed(found))][1].append((word, rest))
    return found


def definition() -> dict[str, str]:
    """Sections of the Apptainer definition, those of both stages together."""
    parts = re.split(r"^%(\w+)", (PLACE / "zonemelt.def").read_text(), flags=re.MULTILINE)
    found: dict[str, str] = {"": parts[0]}
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        found[name] = found.get(name, "") + text
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_each_image_is_a_stage_that_runs_as_nobody_special(image):
    base, instructions = stages()[image]
    assert base == "runtime"
    assert ("COPY", f"--from=build-{image} /opt/zonemelt /opt/zonemelt") in instructions
    users = [rest for word, rest in [*stages()["runtime"][1], *instructions] if word == "USER"]
    assert users == ["zonemelt"]
    installed = [rest for _, rest in stages()[f"build-{image}"][1]]
    assert f'containers/install.sh {image} "${{TORCH_INDEX}}"' in installed


def test_what_they_are_built_on_is_named_to_the_day():
    (base,) = [rest.partition("=")[2] for word, rest in dockerfile() if word == "ARG" and "BASE" in rest]
    assert re.fullmatch(r"debian:bookworm-\d{8}-slim", base)
    on = {on for on, _ in stages().values()}
    assert on <= {"${BASE}", "source", "runtime"}
    text = (PLACE / "zonemelt.def").read_text()
    assert set(re.findall(r"^From: (\S+)", text, re.MULTILINE)) == {base}
    assert not [rest for word, rest in dockerfile() if word == "ADD"]


def test_only_pinned_packages_are_installed():
    """Everything that the images ask for, by itself or by an extra, has its version in constraints.txt."""
    script = (PLACE / "install.sh").read_text()
    installing = [
        line for line in script.splitlines() if "pip" in line and "install" in line and "#" not in line[:1]
    ]
    assert installing
    assert all("-c constraints.txt" in line or line.startswith("pip=") for line in installing)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {one for line in re.findall(r"extras=(\S+) ;;", script) for one in line.split(",")}
    assert extras
    assert extras <= project["optional-dependencies"].keys()
    wanted = [
        *project["dependencies"],
        *(one for extra in extras for one in project["optional-dependencies"][extra]),
    ]
    pinned = {name.lower().replace("_", "-") for name in PINS}
    for requirement in wanted:
        name = re.split(r"[<>=\[;!~ ]", requirement)[0].lower().replace("_", "-")
        assert name in pinned, f"{name} is not in constraints.txt"


def test_what_is_copied_is_there_and_the_same_for_both():
    copied = {name for word, rest in stages()["source"][1] if word == "COPY" for name in rest.split()[:-1]}
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    entries = re.findall(r"^    (\S+) /source/(\S+)$", definition()["files"], re.MULTILINE)
    assert all(one == other for one, other in entries)
    assert {one for one, _ in entries} == copied
    admitted = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert admitted == copied


def test_the_environment_is_the_same_for_both():
    (said,) = [rest for word, rest in stages()["runtime"][1] if word == "ENV"]
    assert f"export {said}" in definition()["environment"]


def test_the_scripts_parse_and_refuse_what_they_do_not_know():
    for name, shell in (("install.sh", "sh"), ("build.sh", "bash"), ("debian.sh", "bash")):
        subprocess.run([shell, "-n", str(PLACE / name)], check=True)
    for words, message in (
        (["worker-tpu", "x"], "no image 'worker-tpu'"),
        (["worker-rocm", ""], "say which torch"),
    ):
        done = subprocess.run(
            ["sh", str(PLACE / "install.sh"), *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert message in done.stderr


@pytest.fixture(scope="module")
def look():
    """What looks at an image when it is built."""
    spec = importlib.util.spec_from_file_location("smoke", PLACE / "smoke.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("image", ["worker-cpu", "head"])
def test_the_look_at_an_image_finds_a_torch(look, capsys, image):
    look.torch_fits(image)
    assert "torch" in capsys.readouterr().out


def test_the_look_at_an_image_refuses_a_torch_of_another_kind(look):
    import torch

    if torch.version.hip:
        pytest.skip("this torch is for ROCm")
    with pytest.raises(AssertionError, match="not built for hip"):
        look.torch_fits("worker-rocm")


def test_the_look_at_an_image_gives_a_crystal_its_energy(look, capsys):
    pytest.importorskip("chgnet")
    look.potential()
    assert "eV/atom" in capsys.readouterr().out


@pytest.mark.slow
def test_the_look_at_an_image_runs_the_quickstart(look, capsys, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    look.campaign()
    assert "report" in capsys.readouterr().out
