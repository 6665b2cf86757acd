"""Every Python snippet of the README and of the pages runs as it stands; how-to pages as one session."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from zonemelt import __version__
from zonemelt.plain_yaml import read_yaml

ROOT = Path(__file__).parents[1]
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
ELSEWHERE = {"stores", "graphs", "training"}  # the tests of what they are about run their snippets
ALL = [
    *(ROOT / name for name in ROOT_PAGES),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "reference"),
]
LONG = {
    "my-campaign",
    "my-dft-code",
    "my-model",
    "my-oracle",
    "from-atomate2",
    "from-quacc",
}  # 10 to 30 s each
HOW_TO = [page for page in ALL if page.parent.name == "how-to"]
PAGES = [
    page
    for page in ALL
    if page not in HOW_TO and page.stem not in ELSEWHERE and "```python" in page.read_text(encoding="utf-8")
]


# Each as a program of its own, one after the other in one process: torch is imported once.
IN_TURN = "import runpy, sys; [runpy.run_path(script, run_name='__main__') for script in sys.argv[1:]]"


def snippets(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_snippets_run(page, tmp_path):
    scripts = []
    for number, code in enumerate(snippets(page)):
        scripts.append(f"snippet_{number}.py")
        (tmp_path / scripts[-1]).write_text(code)
    assert scripts
    # one that starts workers is started by its name: they import it
    for starts_workers, some in groupby(scripts, lambda name: "__main__" in (tmp_path / name).read_text()):
        for words in [[name] for name in some] if starts_workers else [["-c", IN_TURN, *some]]:
            done = subprocess.run(
                [sys.executable, *words],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=500,
                check=False,
            )
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in LONG), id=p.stem) for p in HOW_TO],
)
@pytest.mark.timeout(1800)
def test_a_how_to_page_works_from_outside(page, tmp_path):
    """In an empty folder, by the installed program and the public modules: files are written, lines are run.

    A block whose first line is a comment with a file's name is that file; Python is also run. Of consoles
    every line after `$` is run, and must succeed.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    ran = 0
    blocks = re.findall(r"```(python|yaml|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for number, (kind, content) in enumerate(blocks):
        first = re.match(r"# ([\w.-]+\.(?:py|yaml))\n", content)
        name = first[1] if first else f"snippet_{number}.py"
        commands = []
        if kind == "console":
            commands = [shlex.split(line[2:]) for line in content.splitlines() if line.startswith("$ ")]
        elif first or kind == "python":
            (tmp_path / name).write_text(content)
            commands = [[sys.executable, name]] if kind == "python" else []
        for command in commands:
            if command[0] == "export":
                variable, _, value = command[1].partition("=")
                environment[variable] = value
                continue
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            ran += 1
            assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    assert ran


def test_links_lead_somewhere():
    for page in ALL:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in ALL:
        if (ROOT / "docs") in page.parents and page.stem != "index":
            name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
            assert f"\n{name}\n" in index, f"{name} is in no list of docs/index.md"


@pytest.mark.parametrize("name", ["grand-tour", "cluster"])
def test_the_grand_tour_shows_its_files(name):
    text = (ROOT / "docs" / "grand-tour" / f"{name}.yaml").read_text(encoding="utf-8")
    assert f"```yaml\n{text}```" in (ROOT / "docs" / "grand-tour.md").read_text(encoding="utf-8")


def test_the_campaign_of_the_grand_tour_fits_its_site():
    from zonemelt.sites.load import load_site
    from zonemelt.workflows.campaigns.spec import build_flow, load_campaign

    site = load_site(ROOT / "docs" / "grand-tour" / "cluster.yaml")
    spec = load_campaign(ROOT / "docs" / "grand-tour" / "grand-tour.yaml", {"oracle": "emt"})
    assert {wanted["pool"] for wanted in spec.resources.values()} < set(site.pools)
    assert build_flow(spec).jobs


def test_the_citation_is_of_this_version():
    """The fields that the Citation File Format 1.2 requires, and none that it does not know."""
    said = read_yaml(ROOT / "CITATION.cff")
    assert said["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= said.keys()
    known = "abstract authors cff-version contact date-released doi identifiers keywords license message"
    known += " preferred-citation references repository-code title type url version"
    assert said.keys() <= set(known.split())
    assert said["version"] == __version__
    assert said["license"] == "MIT"
    assert all({"name"} <= one.keys() or {"family-names"} <= one.keys() for one in said["authors"])


@pytest.mark.slow
def test_the_pages_build_strictly(tmp_path):
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "docs",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reference" / "commands.html").exists()
