"""Workers in a site's container: what goes before their command, which image it is, a whole campaign."""

from __future__ import annotations

import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from graphs_for_tests import add
from jobflow import Flow
from jobs_for_mishaps import tell
from pydantic import ValidationError

from zonemelt import run_flow
from zonemelt.sites.containers import image_digest, in_container, is_contained
from zonemelt.sites.environment import worker_init
from zonemelt.sites.layers import SiteFileError
from zonemelt.sites.scripts import batch_scripts
from zonemelt.sites.site import Accelerators, Container, Launch, Pool, Site, Storage
from zonemelt.workflows.provenance.asking import why

PODMAN = "podman run --rm --env-host --network=host --userns=keep-id"
NVIDIA, AMD, INTEL = (Accelerators(count=4, vendor=vendor) for vendor in ("nvidia", "amd", "intel"))


def site(container, *, pool=None, scratch=None, scheduler="slurm"):
    return Site(
        name="here", scheduler=scheduler, pools={"cpu": pool or Pool(account="a", cores=8)},
        container=container, storage=Storage(scratch=scratch),
    )  # fmt: skip


def before(container, accelerators=None, places=(), **more):
    found = site(container, pool=Pool(account="a", accelerators=accelerators or Accelerators()), **more)
    return in_container(found, found.pools["cpu"], places)


@pytest.mark.parametrize(
    ("runtime", "accelerators", "expected"),
    [
        ("none", None, ""),
        ("apptainer", None, "apptainer exec z.sif "),
        ("apptainer", NVIDIA, "apptainer exec --nv z.sif "),
        ("apptainer", INTEL, "apptainer exec z.sif "),
        ("singularity", AMD, "singularity exec --rocm z.sif "),
        ("shifter", NVIDIA, "shifter --image=z.sif --module=gpu "),
        ("podman-hpc", NVIDIA, "podman-hpc run --rm --env-host --network=host --userns=keep-id --gpu z.sif "),
        (
            "podman",
            AMD,
            f"{PODMAN} --device=/dev/kfd --device=/dev/dri z.sif ",
        ),
    ],
)
def test_what_goes_before_a_command(runtime, accelerators, expected):
    container = Container() if runtime == "none" else Container(runtime=runtime, image="z.sif")
    assert before(container, accelerators) == expected


def test_directories_are_let_in_once_under_the_same_name(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", "/scratch/my files")
    container = Container(
        runtime="apptainer", image="$SCRATCH/z.sif", binds=("/data", "/scratch/my files/deep")
    )
    assert before(container, places=(tmp_path, tmp_path / "campaign"), scratch="$SCRATCH") == (
        "apptainer exec --bind=/data:/data '--bind=/scratch/my files:/scratch/my files'"
        f" --bind={tmp_path}:{tmp_path} '/scratch/my files/z.sif' "
    )
    assert "NOWHERE" not in before(container, scratch="$NOWHERE/x")
    assert "--volume=/data:/data " in before(container.model_copy(update={"runtime": "podman"}))


def test_options_of_ones_own_win():
    container = Container(runtime="podman-hpc", image="z:1", options="--gpu --shm-size=8g")
    assert before(container, NVIDIA).count("--gpu") == 1
    container = Container(runtime="apptainer", image="z.sif", options="--nv --cleanenv")
    assert before(container, NVIDIA) == "apptainer exec --nv --cleanenv z.sif "


def test_pools_whose_jobs_span_nodes_stay_outside():
    """srun is in no container."""
    spanning = Pool(account="a", nodes_per_block=2, whole_block=True, launch=Launch(program="srun"))
    found = site(Container(runtime="apptainer", image="z.sif"), pool=spanning)
    assert not is_contained(found, spanning)
    assert "apptainer" not in worker_init(found, spanning)
    assert "ZONEMELT_CONTAINER" not in worker_init(found, spanning)
    bare = Pool(account="a", contained=False)
    assert not is_contained(found, bare)


@pytest.mark.parametrize(
    ("container", "pool", "message"),
    [
        ({"image": "z.sif"}, {}, "no runtime: say container.runtime"),
        ({}, {"contained": True}, "there is no container.image"),
        (
            {"image": "z.sif", "runtime": "apptainer"},
            {"contained": True, "whole_block": True, "nodes_per_block": 2},
            "set contained: false",
        ),
        ({"image": "z.sif", "runtime": "docker"}, {}, "podman"),
        ({"image": "z.sif", "runtime": "podman", "digest": "sha256:12"}, {}, "digest"),
    ],
)
def test_what_contradicts_itself_is_refused(container, pool, message):
    with pytest.raises(ValidationError, match=message):
        site(Container(**container), pool=Pool(account="a", **pool))


def test_an_image_is_known_by_its_digest(tmp_path):
    image = tmp_path / "z.sif"
    image.write_bytes(b"an image")
    digest = f"sha256:{sha256(b'an image').hexdigest()}"
    container = Container(runtime="apptainer", image=str(image))
    assert image_digest(site(container)) == digest
    assert image_digest(site(container.model_copy(update={"digest": digest}))) == digest
    other = f"sha256:{'0' * 64}"
    with pytest.raises(SiteFileError, match=r"not sha256:000.*\n.*built anew"):
        image_digest(site(container.model_copy(update={"digest": other})))
    named = Container(runtime="podman", image=f"registry.example.org/zonemelt/worker-cpu@{digest}")
    assert image_digest(site(named)) == digest
    assert image_digest(site(Container(runtime="podman", image="worker-cpu:0.1.0"))) == ""
    assert image_digest(site(Container())) == ""
    image.write_bytes(b"another one")
    assert image_digest(site(container)) != digest


def test_a_batch_script_starts_both_the_look_and_the_workers_inside():
    (script,) = batch_scripts(site(Container(runtime="apptainer", image="z.sif"))).values()
    assert "apptainer exec z.sif python -m zonemelt.sites.hello" in script
    assert "apptainer exec z.sif process_worker_pool.py" in script
    assert "export PYTHONNOUSERSITE=1" in script


def test_a_campaign_runs_in_a_container(tmp_path, monkeypatch):
    """The runtime is a stand-in: it notes what it is told, and runs the command on this machine."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "apptainer").write_text(
        f'#!/bin/bash\necho "$@" > {tmp_path}/told\n'
        'while [[ $1 == exec || $1 == --* ]]; do shift; done\nshift\nexec "$@"\n'
    )
    (programs / "apptainer").chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    pool = shutil.which("process_worker_pool.py", path=Path(sys.executable).parent)
    assert pool
    (programs / "process_worker_pool.py").write_text(f'#!/bin/bash\nexec {sys.executable} {pool} "$@"\n')
    (programs / "process_worker_pool.py").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (tmp_path / "z.sif").write_bytes(b"an image")
    container = Container(runtime="apptainer", image=str(tmp_path / "z.sif"))
    first = add(1, 2)
    responses = run_flow(
        Flow([first, tell("hello")]), directory=tmp_path / "campaign",
        site=site(container, pool=Pool(workers=1), scheduler="local"),
    )  # fmt: skip
    assert responses[first.uuid][1].output == 3
    told = (tmp_path / "told").read_text()
    assert f"--bind={tmp_path / 'campaign'}:{tmp_path / 'campaign'}" in told
    (record,) = why(tmp_path / "campaign", first.uuid).records
    assert record["software"]["container"] == {
        "ZONEMELT_CONTAINER": str(tmp_path / "z.sif"),
        "ZONEMELT_CONTAINER_DIGEST": f"sha256:{sha256(b'an image').hexdigest()}",
    }
