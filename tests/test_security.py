"""What SECURITY.md promises of the code as a whole: how files are read, who may read ours, who hears us."""

from __future__ import annotations

import ast
import os
import stat
import sys
from pathlib import Path

import pytest
from jobflow import Flow
from jobs_for_mishaps import listeners, tell

from zonemelt import resume, run_flow
from zonemelt.plain_yaml import parse_yaml, read_yaml
from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.workflows.campaigns.spec import load_campaign
from zonemelt.workflows.engine.place import make_place

ROOT = Path(__file__).parents[1]
ROOMS = ("tasks", "flows", "sites", "workflows", "src/zonemelt", "benchmarks")
SOURCES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "src" not in room or path.parent.name == "zonemelt"
)

# Modules whose readers run what a file says → the one file that may name them, and only to refuse.
READERS_THAT_RUN = {
    "pickle": {"tasks/potentials/weights.py"},  # the name of an error
    **{name: set() for name in ("cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve")},
}
CALLS_THAT_RUN = {"eval", "exec", "compile", "os.system", "os.popen", "pandas.read_pickle", "pd.read_pickle"}
UNPACKERS = {"extractall", "unpack_archive"}  # they trust the names of members
YAML_READERS = {"load", "safe_load", "load_all", "full_load", "unsafe_load", "safe_load_all"}


def dotted(node: ast.expr) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def said(call: ast.Call, name: str) -> object:
    """The constant that a keyword of a call is given."""
    found = [word.value for word in call.keywords if word.arg == name]
    return found[0].value if found and isinstance(found[0], ast.Constant) else None


def problems(source: str, name: str = "new.py") -> list[str]:  # noqa: C901 (a list)
    """What of a file could run what a stranger wrote, or listen to the world."""
    found = []
    for node in ast.walk(ast.parse(source)):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in imported:
            allowed = READERS_THAT_RUN.get(module.partition(".")[0])
            if allowed is not None and name not in allowed:
                found.append(f"{where} imports {module}")
        if isinstance(node, ast.Constant) and node.value == "0.0.0.0":
            found.append(f"{where} names every interface")
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func)
        last = called.rpartition(".")[2]
        if called in CALLS_THAT_RUN or (
            called.startswith("pickle.") and last in {"load", "loads", "Unpickler"}
        ):
            found.append(f"{where} calls {called}")
        if called == "torch.load" and said(node, "weights_only") is not True:
            found.append(f"{where} torch.load without weights_only=True")
        reads_arrays = last == "read_array" or called in {"np.load", "numpy.load"}
        if reads_arrays and said(node, "allow_pickle") is not False:
            found.append(f"{where} {called} without allow_pickle=False")
        if called.startswith("yaml.") and last in YAML_READERS and name != "src/zonemelt/plain_yaml.py":
            found.append(f"{where} reads YAML: zonemelt.plain_yaml does")
        if said(node, "shell") is True:
            found.append(f"{where} hands words to a shell")
        if last in UNPACKERS:
            found.append(f"{where} unpacks without a look at the names")
        if said(node, "verify") is False:
            found.append(f"{where} does not verify a certificate")
    return found


def test_no_room_runs_what_a_file_says():
    assert len(SOURCES) > 400
    found = [
        one
        for path in SOURCES
        for one in problems(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "import torch\ntorch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.safe_load(text)",
        "subprocess.run(text, shell=True)",
        "tarfile.open(path).extractall(folder)",
        "server.bind(('0.0.0.0', 80))",
        "requests.get(url, verify=False)",
    ],
)
def test_and_the_search_finds_each_kind(source):
    if source.startswith("tarfile"):
        source = "packed.extractall(folder)"
    assert problems(source)


# ── files of others ─────────────────────────────────────────────────────────────────────────────────────

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "values, aliases written out"),
        ("a: " + "[" * 200_000, "levels, one inside the other"),
        ("a: &a [*a]", "stands inside what it names"),
        ("a: " + "x" * (9 << 20), "larger than 8 MB"),
        ("a: !!python/object/apply:os.system [touch broken]", "could not determine a constructor"),
    ],
    ids=["laughs", "deep", "circular", "large", "object"],
)
def test_yaml_that_no_person_writes(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"campaign\.yaml") as caught:
        load_campaign(path)
    assert message in str(caught.value)
    assert not (tmp_path / "broken").exists()


def test_yaml_that_persons_write():
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]") == {
        "a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}],
    }  # fmt: skip
    for path in sorted((ROOT / "sites" / "catalog").glob("*.yaml")):
        assert read_yaml(path)["name"] == path.stem


def test_a_calculation_with_an_entity_bomb_is_no_calculation(tmp_path):
    from zonemelt.tasks.ingest.ingest_file import ingest_path

    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    (tmp_path / "vasprun.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE m [{entities}]>'
        '<modeling><generator><i name="program">&j;</i></generator></modeling>'
    )
    records, _ = ingest_path(tmp_path / "vasprun.xml")
    assert not list(records)


# ── who may read, who may write ─────────────────────────────────────────────────────────────────────────


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_campaign_is_its_owners_alone_and_hears_nobody_else(tmp_path, monkeypatch):
    """With worker processes: rights of its files, its listeners, and what of the environment it keeps."""
    secret = "hunter2-" + "x" * 12
    monkeypatch.setenv("MY_DATABASE_PASSWORD", secret)
    before = os.umask(0o022)
    try:
        heard = listeners(os.getpid())
        place = tmp_path / "runs" / "campaign"
        responses = run_flow(Flow([heard, tell("hello")]), directory=place, site="local")
    finally:
        os.umask(before)
    addresses = responses[heard.uuid][1].output
    assert addresses
    assert set(addresses) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert mode(tmp_path / "runs") == mode(place) == 0o700
    keys = list(place.rglob("*.key_secret"))
    assert keys
    assert {mode(key) for key in keys} == {0o600}
    assert {mode(key.parent) for key in keys} == {0o700}
    for path in place.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_the_command_line_makes_private_directories(tmp_path, monkeypatch):
    from zonemelt.workflows.cli.plans import new_place, read_plan

    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.yaml").write_text(
        "kind: graph\nname: one\ngraph: graphs_for_tests:add\narguments: {a: 1}\n"
    )
    before = os.umask(0o022)
    try:
        place = new_place("runs/one", read_plan("ours.yaml", {"store": "mongodb://anna:secret@127.0.0.1/db"}))
    finally:
        os.umask(before)
    assert mode(place) == mode(place.parent) == 0o700
    assert "secret" in (place / "campaign.yaml").read_text()  # `resume` needs it
    assert mode(place / "campaign.yaml") == 0o600


def test_a_directory_that_is_there_keeps_its_rights_unless_everybody_may_write(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)  # colleagues share it: their own choice
    make_place(shared)
    assert mode(shared) == 0o2770
    run_flow(tell("hello"), directory=shared, site="inline")
    shared.chmod(0o777)
    for attempt in (lambda: make_place(shared), lambda: resume(shared, site="inline")):
        with pytest.raises(CampaignError, match=r"everybody may write.*\n.*chmod o-w"):
            attempt()
    (tmp_path / "file").write_text("")
    with pytest.raises(CampaignError, match="cannot be made"):
        make_place(tmp_path / "file" / "campaign")


def test_ranks_of_one_node_meet_where_nobody_else_hears(free_port):
    """What torch makes by itself listens on every interface."""
    import subprocess

    script = (
        "import psutil\nfrom zonemelt.tasks.train.ranks import joined\n"
        "with joined(device='cpu') as ranks:\n    ranks.barrier()\n"
        "    print([c.laddr.ip for c in psutil.Process().net_connections() if c.status == 'LISTEN'])\n"
        "    ranks.barrier()\n"
    )
    shared = {
        **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port), "WORLD_SIZE": "2",
        "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=120)[0] for rank in ranks]
    heard = {address for line in said for address in ast.literal_eval(line)}
    assert heard == {"127.0.0.1"}


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
