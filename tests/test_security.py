"""What SECURITY.md promises of the code as a whole: how files are read, who may read ours, who hears us."""

from __future__ import annotations

import ast
import os
import stat
from pathlib import Path

import pytest
from jobflow import Flow
from jobs_for_mishaps import listeners, tell
from outputs_for_tests import frames, vasprun
from processes_for_tests import run_ranks

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
CALLS_THAT_RUN = {
    *("eval", "exec", "compile", "os.system", "os.popen", "pandas.read_pickle", "pd.read_pickle"),
    *("subprocess.getoutput", "subprocess.getstatusoutput"),  # by a shell
}
UNPACKERS = {"extractall", "unpack_archive"}  # they trust the names of members
YAML_READERS = {"load", "safe_load", "load_all", "full_load", "unsafe_load", "safe_load_all"}
# What is looked for by its whole name must not be imported without its module.
WITH_THEIR_MODULE = CALLS_THAT_RUN | {"torch.load", "numpy.load"} | {f"yaml.{name}" for name in YAML_READERS}


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


def problems(source: str, name: str = "new.py") -> list[str]:  # noqa: C901, PLR0912 (a list)
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
        if isinstance(node, ast.ImportFrom):
            bare = {f"{node.module}.{alias.name}" for alias in node.names} & WITH_THEIR_MODULE
            found += [f"{where} imports {one} without its module" for one in bare]
        if isinstance(node, ast.Constant) and node.value == "0.0.0.0":
            found.append(f"{where} names every interface")
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func)
        last = node.func.attr if isinstance(node.func, ast.Attribute) else called
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
        "packed.extractall(folder)",
        "subprocess.getoutput(text)",
        "from os import system",
        "from torch import load",
        "from yaml import safe_load",
        "server.bind(('0.0.0.0', 80))",
        "requests.get(url, verify=False)",
    ],
)
def test_and_the_search_finds_each_kind(source):
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


def test_an_entity_bomb_in_a_calculation_does_not_go_off(tmp_path):
    from zonemelt.tasks.ingest.ingest_file import ingest_path

    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    harmless, path = vasprun(frames(1)), tmp_path / "vasprun.xml"
    path.write_text(harmless)
    assert len(ingest_path(path)[0]) == 1
    declared = f"<!DOCTYPE modeling [{entities}]><modeling>"
    path.write_text(harmless.replace("<modeling>", declared).replace(">vasp<", ">&j;<"))
    records, (report,) = ingest_path(path)
    assert not records
    assert report.reason


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


def test_ranks_of_one_node_meet_where_nobody_else_hears():
    """What torch makes by itself listens on every interface."""
    script = (
        "import psutil\nfrom zonemelt.tasks.train.ranks import joined\n"
        "with joined(device='cpu') as ranks:\n    ranks.barrier()\n"
        "    print([c.laddr.ip for c in psutil.Process().net_connections() if c.status == 'LISTEN'])\n"
        "    ranks.barrier()\n"
    )
    ranks = run_ranks(2, "-c", script)
    assert not any(one.returncode for one in ranks), [one.stderr for one in ranks]
    heard = {address for one in ranks for address in ast.literal_eval(one.stdout)}
    assert heard == {"127.0.0.1"}
