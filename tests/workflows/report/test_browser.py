"""Reports in a real browser: nothing is fetched or breaks, figures are there, hostile names do nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
READY = "document.documentElement.dataset.drawn"

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    reason="there is no Chromium (Debian: apt-get install chromium)",
)


@pytest.fixture
def browsers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.browser import Browser

    return Browser


def opened(browser: Any, page: Path) -> None:
    browser.open(page)
    browser.until(lambda: browser.run(READY), seconds=180)


def check_clean(browser: Any, page: Path) -> None:
    assert browser.noise == []
    assert browser.run("document.documentElement.dataset.problems") is None
    assert browser.requests == [page.absolute().as_uri()]


def test_hostile_names_do_nothing(browsers: Any, pages: dict[str, Path]) -> None:
    with browsers() as browser:
        opened(browser, pages["hostile"])
        check_clean(browser, pages["hostile"])
        assert browser.run("document.title").endswith(": report")  # not "owned"
        assert browser.run("document.images.length") == 0
        assert browser.run("document.querySelectorAll('main script').length") == 0
        # Plotly shows names as text: what looks like an element is none.
        assert browser.run("document.querySelectorAll('.plot img, .plot image').length") == 0


def test_a_large_report_on_a_phone_in_the_dark(browsers: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    with browsers(width=390, height=844, phone=True, dark=True) as browser:
        opened(browser, pages["discovery"])
        check_clean(browser, pages["discovery"])
        titles = browser.run("[...document.querySelectorAll('h2')].map((one) => one.textContent)")
        assert {"Summary", "Discoveries", "Stability", "Structures", "The machine"} <= set(titles)
        figures = browser.run("document.querySelectorAll('.plot').length")
        assert figures >= 10
        drawn = (
            "[...document.querySelectorAll('.plot')].filter((p) => p.querySelector('svg.main-svg')).length"
        )
        assert browser.run(drawn) == figures
        assert browser.run("document.documentElement.scrollWidth") == 390  # nothing sticks out
        assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 26)"
        check_viewer(browser)
        browser.screenshot(tmp_path / "phone.png")
        assert (tmp_path / "phone.png").stat().st_size > 5000
        browser.pdf(tmp_path / "page.pdf")
        assert (tmp_path / "page.pdf").read_bytes()[:5] == b"%PDF-"
        assert browser.noise == []


def check_viewer(browser: Any) -> None:
    """Keys turn a crystal, and buttons show another one."""
    picture = "document.querySelector('canvas').toDataURL()"
    key = "document.querySelector('canvas').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))"
    before = browser.run(picture)
    for _ in range(3):
        browser.run(key)
    assert browser.run(picture) != before
    said = browser.run("document.querySelector('.said').textContent")
    browser.run("document.querySelector('[data-do=next]').click()")
    assert browser.run("document.querySelector('.said').textContent") != said


def test_the_live_page_follows(browsers: Any, hostile: Path) -> None:
    import threading

    from zonemelt.workflows.serve.live import Live

    server = Live(hostile)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        with browsers() as browser:
            browser.open(server.address)
            browser.until(lambda: browser.run("document.documentElement.dataset.looks"), seconds=120)
            assert server.token not in browser.run("location.href + document.cookie")
            assert browser.run("document.querySelectorAll('#pools tbody tr').length") == 3
            assert browser.run("document.querySelectorAll('#rounds tbody tr').length") == 4
            assert browser.run("document.querySelectorAll('main img, main script').length") == 0
            assert "</script>" in browser.run("document.getElementById('name').textContent")
            assert browser.noise == []
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
