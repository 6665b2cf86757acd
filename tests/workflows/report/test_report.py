"""The report is one self-contained file that says what was found, and what was not."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.report import rounds_table, write_report
from zonemelt.workflows.report.html import FOLDER, as_json, render
from zonemelt.workflows.report.parts import Plot, Section, number
from zonemelt.workflows.report.reading import gather
from zonemelt.workflows.report.sections import sections_of

if TYPE_CHECKING:
    from pathlib import Path


def text_of(path: Path) -> str:
    """A page without its library."""
    return re.sub(
        r'<script type="text/plain".*?</script>', "", path.read_text(encoding="utf-8"), flags=re.DOTALL
    )


@pytest.fixture(params=["aluminium", "discovery", "hostile"])
def page(request: pytest.FixtureRequest, pages: dict[str, Path]) -> str:
    return text_of(pages[request.param])


def test_needs_nothing_else(page: str) -> None:
    assert not re.search(r"""<(?:script|link|img|iframe|object|embed)\b[^>]*\b(?:src|href|data)=""", page)
    assert not re.search(r"""\b(?:src|href)=["'](?!#)""", page)
    assert "default-src 'none'" in html.unescape(page)


def test_tags_are_balanced(page: str) -> None:
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "br", "rect", "path"}:
                open_tags.append(tag)

        def handle_endtag(self, tag):
            if tag not in {"rect", "path"}:
                assert open_tags.pop() == tag

    Checker().feed(page)
    assert open_tags == []


def test_every_figure_is_titled_and_told_in_words(page: str) -> None:
    figures = re.findall(r'<div class="plot" data-figure="([^"]+)".*?aria-describedby="([^"]+)"', page)
    assert figures
    for name, described in figures:
        assert re.search(rf'<h3 id="{re.escape(name)}-title">[^<]+</h3>', page)
        assert re.search(rf'id="{re.escape(described)}">[^<]+<', page)
    drawn = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))["figures"]
    assert {name for name, _ in figures} == set(drawn)


def test_figures_are_ones_that_plotly_knows(page: str) -> None:
    go = pytest.importorskip("plotly.graph_objects")
    drawn = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))["figures"]
    plain = json.loads(re.sub(r'"@\w+"', '"#123456"', json.dumps(drawn)))
    for figure in plain.values():
        go.Figure(data=figure["data"], layout=figure["layout"])  # an unknown key is an error


def test_axes_carry_units(found) -> None:
    for section in sections_of(found):
        for part in section.parts:
            if isinstance(part, Plot):
                for side in ("xaxis", "yaxis"):
                    if "title" in part.layout.get(side, {}):
                        assert part.layout[side]["title"]["text"]
                text = json.dumps(part.layout, ensure_ascii=False)
                if "energy" in text:
                    assert "eV" in text


def test_says_the_numbers_of_the_rounds(pages: dict[str, Path], aluminium: Path) -> None:
    page, outputs = text_of(pages["aluminium"]), gather(aluminium).outputs
    assert len(outputs.history) > 1
    for one in outputs.history:
        assert f'<td class="n">{number(1000 * one["heldout"]["forces mae (eV/Å)"])}</td>' in page
        assert f'<td class="n">{one["spent"]["labels"]}</td>' in page
    assert outputs.stopped in page
    assert "This is not DFT" in page
    assert "kind: active_potential" in page
    assert "10.21105/joss.05995" in page


def test_a_section_without_data_is_absent(aluminium: Path, found) -> None:
    names = [section.name for section in sections_of(gather(aluminium))]
    assert {"summary", "learning", "parity", "structures", "machine", "spec"} <= set(names)
    assert not {"stability", "candidates", "discoveries", "quarantine"} & set(names)
    assert {"funnel", "discoveries", "candidates", "quarantine"} <= {one.name for one in sections_of(found)}


def test_a_running_campaign_says_so(discovery: Path, tmp_path: Path) -> None:
    import sqlite3

    place = shutil.copytree(discovery, tmp_path / "c")
    with sqlite3.connect(place / "ledger.db") as connection:
        connection.execute("UPDATE jobs SET state = 0 WHERE id > 250")
        connection.execute("UPDATE campaign SET value = '\"running\"' WHERE key = 'status'")
    connection.close()
    page = text_of(write_report(place))
    assert "is not finished, and nothing drives it now: 50 of 300 jobs have not ended" in page


def test_an_empty_campaign_says_so(tmp_path: Path) -> None:
    from zonemelt.workflows.engine.ledger import Ledger

    (tmp_path / "empty").mkdir()
    Ledger(tmp_path / "empty").close()
    path = write_report(tmp_path / "empty")
    assert "Nothing has run yet" in path.read_text(encoding="utf-8")
    assert path.stat().st_size < 100_000  # without figures there is no library


def test_what_is_no_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="not a campaign directory"):
        write_report(tmp_path)


def test_a_damaged_ledger_is_named(discovery: Path, tmp_path: Path) -> None:
    place = shutil.copytree(discovery, tmp_path / "c")
    with (place / "ledger.db").open("r+b") as file:
        file.seek(20_000)
        file.write(b"\x55" * 200_000)
    with pytest.raises(CampaignError, match="damaged"):
        write_report(place)


def test_an_output_that_cannot_be_read_costs_no_report(discovery: Path, tmp_path: Path) -> None:
    import sqlite3

    place = shutil.copytree(discovery, tmp_path / "c")
    with sqlite3.connect(place / "ledger.db") as connection:
        connection.execute("UPDATE outputs SET doc = '{\"output\": ' WHERE rowid = 250")
    connection.close()
    assert "1 outputs could not be read" in text_of(write_report(place))


@pytest.mark.parametrize(
    "output",
    [
        {"accepted": 3, "refused": ["a", "b"], "records": 5},
        {"round": 1, "spent": {"labels": 2}},
        {"stopped": "because", "rounds": [1, 2]},
        [{"identifier": "a", "verdict": "stable", "geometry": None, "above_hull": "near"}],
        [{"identifier": "a", "geometry": {}, "theory": {}, "provenance": {}}],
    ],
)
def test_an_output_that_only_looks_like_one_of_ours_costs_no_report(tmp_path: Path, output: Any) -> None:
    from graphs_for_tests import same

    from zonemelt.workflows.engine.run import run_flow

    run_flow(same(output), site="inline", directory=tmp_path / "c")
    assert "Summary" in text_of(write_report(tmp_path / "c"))


def test_what_comes_from_outside_is_escaped(pages: dict[str, Path]) -> None:
    page = text_of(pages["hostile"])
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 3
    assert "&lt;/script&gt;" in page
    assert "\\u003c/script\\u003e" in page


def test_json_in_a_page_cannot_end_its_script() -> None:
    found = as_json({"a": "</script><!-- & \u2028", "b": float("nan"), "c": [1.5, None]})
    assert not set("<>&\u2028") & set(found)
    assert json.loads(found) == {"a": "</script><!-- & \u2028", "b": None, "c": [1.5, None]}


def test_secrets_of_the_campaign_file_are_hidden() -> None:
    from zonemelt.workflows.report.sections.spec import without_secrets

    text = (
        "store:\n  uri: mongodb://me:hunter2@db/x\n  password: hunter2\nnotify:\n  webhook: https://h/secret\n"
        "api_key: 'k'\nname: tokens-of-love\nseed: 3\n"
    )
    clean = without_secrets(text)
    assert "hunter2" not in clean
    assert "https://h/secret" not in clean
    assert "name: tokens-of-love\nseed: 3" in clean


def test_same_campaign_same_page_but_for_its_time(discovery: Path, tmp_path: Path) -> None:
    gathered = gather(discovery)
    pages = [write_report(discovery, tmp_path / f"{n}.html", gathered=gathered).read_bytes() for n in (1, 2)]
    assert pages[0] == pages[1]


def test_a_page_of_nothing() -> None:
    assert "<h1>x &amp; y</h1>" in render("x & y", [Section(name="a", title="A")])


def test_sections_as_plain_values(found) -> None:
    said = {section.name: section.as_dict() for section in sections_of(found)}
    assert json.loads(json.dumps(said, allow_nan=False, default=str))["funnel"]["tables"]
    assert said["elements"]["elements"]["O"] > 0


def test_console_table(aluminium: Path) -> None:
    buffer, outputs = io.StringIO(), gather(aluminium).outputs
    Console(width=100, file=buffer).print(rounds_table(outputs.history, outputs.stopped))
    assert "meV/atom" in buffer.getvalue()
    assert outputs.stopped in buffer.getvalue()


@pytest.mark.parametrize("scheme", ["light", "dark", "printed"])
def test_contrast_of_texts(scheme: str) -> None:
    """At least 4.5 : 1 between every text and what it stands on (WCAG 2.1, level AA)."""
    blocks = (FOLDER / "report.css").read_text(encoding="utf-8").split(":root {")
    light, dark, printed = (
        dict(re.findall(r"(--[\w-]+): (#\w+);", one.partition("}")[0])) for one in blocks[1:]
    )
    assert "@media screen and (prefers-color-scheme: dark)" in blocks[1]  # what is printed is never dark
    assert "@media print" in blocks[2]
    colours = light | {"light": {}, "dark": dark, "printed": printed}[scheme]
    pairs = [(ink, paper) for ink in ("--ink", "--soft", "--accent") for paper in ("--paper", "--card")]
    # the fields of the periodic table have any colour between the last two
    pairs += [("--warn", "--warn-paper"), ("--ink", "--code"), ("--ink", "--low"), ("--ink", "--high")]
    for ink, paper in pairs:
        assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    for line in range(8):  # lines and points: 3 : 1
        assert contrast(colours[f"--c{line}"], colours["--card"]) >= 3, line


def contrast(one: str, other: str) -> float:
    """Of two colours, from their relative luminances as WCAG has them."""

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [part / 255 for part in bytes.fromhex(digits)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)
