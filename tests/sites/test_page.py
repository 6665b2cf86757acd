"""The page about sites: its table is what the catalog says, its files are sites, its pool words are keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from zonemelt.sites import site as model
from zonemelt.sites.evidence import described
from zonemelt.sites.load import check_complete, load_site
from zonemelt.sites.site import Confidence, Pool

PAGE = (Path(__file__).parents[2] / "docs" / "sites.md").read_text()
KINDS = (Confidence.DOCUMENTED, Confidence.THIRD_PARTY, Confidence.UNVERIFIED)
HEADS = {"login": "login node", "in_job": "allocation"}
CATALOG = sorted(path.stem for path in (Path(model.__file__).parent / "catalog").glob("*.yaml"))


def row(name: str) -> str:
    site, values = described(name)
    cells = [
        f"`{name}`",
        site.title + (" (retired)" if site.retired else ""),
        site.scheduler,
        "" if site.scheduler == "local" else HEADS[site.head],
        ", ".join(site.pools),
        *(str(sum(value.confidence is kind for value in values)) for kind in KINDS),
    ]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", CATALOG)
def test_the_table_says_what_the_catalog_says(name):
    assert row(name) in PAGE.splitlines()


def test_the_number_of_machines():
    assert f"{len(CATALOG)} come with" in PAGE


@pytest.mark.parametrize("text", re.findall(r"```yaml\n# ~/\.zonemelt/sites/(.*?)```", PAGE, re.DOTALL))
def test_the_files_are_sites(text, own):
    name = text.partition(".yaml")[0]
    content = text.partition("\n")[2]
    assert yaml.safe_load(content)
    own(name, content)
    check_complete(load_site(name))


def test_the_words_of_a_pool_are_its_keys():
    table = PAGE.partition("The words of a pool:")[2].partition("## ")[0]
    named = [
        word
        for line in table.splitlines()
        if line.startswith("| `")
        for word in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert set(named) <= set(Pool.model_fields)
    assert len(named) > 20
