"""Campaign files: what is wrong is named with file, field, value and remedy."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jobflow import Flow
from relabelling_for_tests import pool_of_alloys

from zonemelt.tasks.errors import InputError, OracleError, UnknownKeyError
from zonemelt.workflows.campaigns.spec import build_flow, catalog, load_campaign
from zonemelt.workflows.cli.plans import write_document


@pytest.mark.parametrize("name", catalog())
def test_catalog_builds(name: str, tmp_path: Path) -> None:
    if name == "screening":
        pytest.importorskip("chgnet")
    pool = {"pool": str(pool_of_alloys(tmp_path / "pool")), "target": "heat", "initial": 6}
    table = tmp_path / "table.csv"
    table.write_text("Hardness,name\n1.0,C\n")
    tables = {"arguments.table": str(table)}
    overrides = {"al_screening": pool, "hardness": tables, "vacancies": tables}.get(name, {})
    flow = build_flow(load_campaign(name, overrides))
    assert isinstance(flow, Flow)
    assert all({"campaign", "step"} <= set(job.metadata) for job, _ in flow.iterflow())


def test_a_resolved_campaign_is_read_back(tmp_path: Path) -> None:
    spec = load_campaign("quickstart", {"seed": 7})
    write_document(tmp_path, spec.model_dump(mode="json"))
    assert load_campaign(tmp_path / "campaign.yaml") == spec


def test_overrides_reach_into_mappings() -> None:
    spec = load_campaign("quickstart", {"oracle": "gpaw", "oracles.gpaw.timeout": 400, "retry.walltime": 3})
    assert (spec.oracle, spec.oracles.gpaw.timeout, spec.retry.walltime) == ("gpaw", 400.0, 3)


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        ({"structure": ["a.cif"]}, UnknownKeyError, "did you mean 'structures'"),
        ({"oracles.gpaw.timeouts": 1}, UnknownKeyError, "did you mean 'timeout'"),
        ({"initial": 0}, InputError, r"initial: 0 cannot be used"),
        ({"initial": "many"}, InputError, r"'many' cannot be used"),
        ({"structures": [{"bulk": "Al", "repeat": [1, 1, 0]}]}, InputError, r"structures\.0"),
        ({"oracle": "own:mine.py"}, InputError, r"oracle: 'own:mine.py' cannot be used\n.*no such oracle"),
        ({"kind": "screning"}, InputError, "no kind of campaign 'screning'"),
        ({"name": "../up"}, InputError, r"name: '\.\./up' cannot be used"),
        ({"seed.a": 1}, InputError, "not a mapping"),
    ],
)
def test_wrong_field(overrides: dict, error: type[InputError], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        load_campaign("al_potential", overrides)
    assert "al_potential.yaml" in str(caught.value)
    assert caught.value.remedy


def test_missing_field_and_kind(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: x\nkind: active_potential\n")
    with pytest.raises(InputError, match="'structures' is missing"):
        load_campaign(path)
    path.write_text("name: x\n")
    with pytest.raises(InputError, match="kind: it does not say of which kind it is"):
        load_campaign(path)


def test_yaml_error_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: x\nkind: [a\nseed: 1\n")
    with pytest.raises(InputError, match=r"c\.yaml:3"):
        load_campaign(path)


@pytest.mark.parametrize("text", ["- a\n", "", "1: 2\n"])
def test_not_a_mapping(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="not a mapping"):
        load_campaign(path)


def test_python_objects_are_not_built(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(InputError, match="not YAML"):
        load_campaign(path)


def test_absent_file_lists_the_catalog() -> None:
    with pytest.raises(InputError, match="quickstart"):
        load_campaign("no-such-campaign")


def test_absent_gpaw_is_said_before_anything_runs(tmp_path: Path) -> None:
    spec = load_campaign("quickstart", {"oracle": "gpaw", "oracles.gpaw.command": str(tmp_path / "none")})
    with pytest.raises(OracleError, match="make oracle"):
        build_flow(spec)


def test_importing_the_specs_is_light() -> None:
    code = "import sys, zonemelt.workflows.campaigns.spec; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jobflow", "pymatgen", "ase", "numpy", "torch"} & set(done.stdout.split())


def test_catalog_is_plain_yaml() -> None:
    path = Path(load_campaign.__code__.co_filename).resolve().parents[1] / "catalog/quickstart.yaml"
    assert yaml.safe_load(path.read_text())["kind"] == "discovery"
