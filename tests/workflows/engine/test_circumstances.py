"""What the engine notes of every job without the job's help."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from graphs_for_tests import add, fail, map_reduce, same, speak
from jobflow import Flow

from zonemelt import RetryPolicy, resume, run_flow
from zonemelt.tasks.sqlite import connect
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.circumstances import Circumstances, describe, digest_of, software
from zonemelt.workflows.engine.energy import EnergyMeter
from zonemelt.workflows.engine.reuse import source_digest
from zonemelt.workflows.engine.starting import _without_secrets, repositories, user


def events(place, *kinds):
    connection = connect(place / "ledger.db", read_only=True)
    rows = connection.execute("SELECT kind, job, data FROM events ORDER BY id").fetchall()
    connection.close()
    return [(job, json.loads(data or "{}")) for kind, job, data in rows if kind in kinds]


def descriptions(place):
    connection = connect(place / "ledger.db", read_only=True)
    rows = connection.execute("SELECT digest, kind, description FROM circumstances").fetchall()
    connection.close()
    for digest, kind, text in rows:
        assert digest == digest_of(f"{kind}\0{text}".encode())[:16]
    return {digest: (kind, json.loads(text)) for digest, kind, text in rows}


def test_every_attempt_is_noted(site, tmp_path):
    first = add(1, 2)
    jobs = [first, add(first.output, 1), fail(message="no"), speak("hello")]
    run_flow(Flow(jobs), site=site, directory=tmp_path / "c", retry=RetryPolicy(application=1, backoff_s=0))
    said = descriptions(tmp_path / "c")
    noted = events(tmp_path / "c", "done", "failed", "retry")
    assert len(noted) == 5
    assert sum("made" in data for _, data in noted) == 3
    connection = connect(tmp_path / "c" / "ledger.db", read_only=True)
    for job, data in noted:
        kind, under = said[data["under"]]
        assert kind == "job"
        assert {said[under[part]][0] for part in ("software", "machine", "allocation")} == {
            "software",
            "machine",
            "allocation",
        }
        body, function, uuid = connection.execute(
            "SELECT body, kind, uuid FROM bodies JOIN jobs ON id = job WHERE id = ?", (job,)
        ).fetchone()
        assert data["given"] == digest_of(body.encode())
        if "made" in data:
            (doc,) = connection.execute("SELECT doc FROM outputs WHERE uuid = ?", (uuid,)).fetchone()
            assert data["made"] == digest_of(doc.encode())
            assert under["source"] == source_digest(function)
    connection.close()


def test_the_head_says_who_starts_it_and_from_what_code(tmp_path):
    run_flow(Flow([add(1, 2)]), site="inline", directory=tmp_path / "c")
    resume(tmp_path / "c", site="inline")
    started = events(tmp_path / "c", "started")
    said = descriptions(tmp_path / "c")
    assert len(started) == 2
    for _, data in started:
        assert data["user"] == user()
        assert data["site"] == "inline"
        assert said[data["software"]][1]["packages"]["jobflow"]
        assert {"root", "commit", "dirty"} <= set(said[data["repositories"]][1]["found"][0])


def test_what_is_the_same_is_kept_once(tmp_path):
    run_flow(Flow([same(n) for n in range(50)]), site="inline", directory=tmp_path / "c")
    kinds = sorted(kind for kind, _ in descriptions(tmp_path / "c").values())
    assert kinds == ["allocation", "job", "machine", "repositories", "software"]


def test_a_campaign_in_a_directory_that_held_another_is_told_anew(site, tmp_path):
    for _ in range(2):
        run_flow(Flow([same(1)]), site=site, directory=tmp_path / "c")
        ((_, data),) = events(tmp_path / "c", "done")
        assert data["under"] in descriptions(tmp_path / "c")
        shutil.rmtree(tmp_path / "c")


def test_a_job_that_brings_others_and_one_that_is_reused(tmp_path):
    run_flow(Flow([map_reduce(3)]), site="inline", directory=tmp_path / "first")
    run_flow(Flow([map_reduce(3)]), site="inline", directory=tmp_path / "again", reuse=[tmp_path / "first"])
    reused = events(tmp_path / "again", "done")
    assert len(reused) == len(events(tmp_path / "first", "done")) > 3
    assert all("reused" in data and data["given"] and data["made"] for _, data in reused)


def test_no_secret_of_the_environment_gets_into_the_ledger(tmp_path, monkeypatch):
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "MP_API_KEY": "pLmQ8a",
        "MONGO_PASSWORD": "hunter2x",
        "SLURM_JWT": "eyJhbGci",
        "OMP_SECRET": "omp-secret-7",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    run_flow(Flow([add(1, 2), fail()]), site="inline", directory=tmp_path / "c")
    content = b"".join(path.read_bytes() for path in (tmp_path / "c").glob("ledger.db*"))
    fresh = json.dumps([software(), Circumstances().name("x")])
    for name, value in secrets.items():
        assert value.encode() not in content
        assert name not in fresh
        assert value not in fresh
    assert _without_secrets("https://anna:token@git.example.org/x.git") == "https://git.example.org/x.git"
    assert _without_secrets("git@git.example.org:x.git") == "git@git.example.org:x.git"


def test_what_a_person_asks_is_noted_with_their_name(tmp_path):
    run_flow(Flow([fail()]), site="inline", directory=tmp_path / "c")
    control.ask(tmp_path / "c", "retry")
    resume(tmp_path / "c", site="inline")
    ((_, data),) = events(tmp_path / "c", "asked")
    assert data == {"verb": "retry", "user": user()}


def test_a_ledger_from_before_the_circumstances_goes_on(tmp_path):
    run_flow(Flow([fail()]), site="inline", directory=tmp_path / "c")
    connection = connect(tmp_path / "c" / "ledger.db")
    connection.execute("DROP TABLE circumstances")
    connection.close()
    control.ask(tmp_path / "c", "retry")
    resume(tmp_path / "c", site="inline")
    assert {kind for kind, _ in descriptions(tmp_path / "c").values()} >= {"software", "repositories"}


def test_energy_where_the_machine_says_it(tmp_path):
    assert EnergyMeter(str(tmp_path)).read() == ()
    package = tmp_path / "class" / "powercap" / "intel-rapl:0"
    package.mkdir(parents=True)
    (package / "max_energy_range_uj").write_text("1000000\n")
    (package / "energy_uj").write_text("900000\n")
    meter = EnergyMeter(str(tmp_path))
    before = meter.read()
    (package / "energy_uj").write_text("100000\n")  # it started again
    assert meter.since(before) == pytest.approx(0.2)
    cray = tmp_path / "cray" / "pm_counters"
    cray.mkdir(parents=True)
    (cray / "energy").write_text("1200 J\n")
    meter = EnergyMeter(str(tmp_path))
    before = meter.read()
    (cray / "energy").write_text("1500 J\n")
    assert meter.since(before) == 300
    (cray / "energy").write_text("10 J\n")  # it began anew, and says of no limit
    assert meter.since(before) is None
    (cray / "energy").unlink()  # no job fails for it
    assert meter.read() == ()
    assert meter.since(before) is None


def test_descriptions_do_not_depend_on_the_order_of_what_is_said():
    assert describe("x", a=1, b=2) == describe("x", b=2, a=1)
    assert describe("x", a=1)[0] != describe("y", a=1)[0]


def test_repositories_say_whether_files_differ(tmp_path):
    script = (
        "import json; from zonemelt.workflows.engine.starting import repositories\n"
        "print(json.dumps(repositories()))"
    )
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "jobs.py").write_text("x = 1\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    dirty = []
    for text in ("x = 1\n", "x = 2\n"):
        (tmp_path / "jobs.py").write_text(text)
        said = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        dirty += [found["dirty"] for found in json.loads(said.stdout) if found["root"] == str(tmp_path)]
    assert dirty == [False, True]
    assert not any("site-packages" in found["root"] for found in repositories())
