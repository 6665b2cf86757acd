"""Providers over commands of a few lines of shell: what is asked, and what follows from odd answers."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parsl.jobs.states import JobState, JobStatus
from waiting import until

from zonemelt.sites.commands import OutageError, ask
from zonemelt.sites.failures import BlockFailures, BrokenBlocksError, block_output
from zonemelt.sites.launchers import NodeLauncher, make_launcher
from zonemelt.sites.providers.jobs import SubmissionError, job_name_of
from zonemelt.sites.providers.pbspro import PBSProProvider
from zonemelt.sites.providers.slurm import SlurmProvider
from zonemelt.sites.site import Launch

PROGRAMS = str(Path(sys.executable).parent)
PENDING, RUNNING = JobState.PENDING, JobState.RUNNING


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Write a command, in shell, in front of PATH; every use of it is noted in ``calls``."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, text: str) -> None:
        (place / name).write_text(f'#!/bin/bash\necho "{name} $*" >> {tmp_path}/calls\n{text}\n')
        (place / name).chmod(0o755)

    return write


def slurm(tmp_path, *jobs, **options):
    return _made(SlurmProvider(**{"cmd_timeout": 10, **options}), tmp_path, jobs)


def pbs(tmp_path, *jobs, **options):
    return _made(PBSProProvider(**{"cmd_timeout": 10, **options}), tmp_path, jobs)


def _made(provider, tmp_path, jobs):
    provider.script_dir = str(tmp_path)
    for job in jobs:
        provider.resources[job] = {
            "status": JobStatus(RUNNING), "job_stdout_path": None, "job_stderr_path": None,
        }  # fmt: skip
    return provider


def states(provider, *jobs):
    return [one.state for one in provider.status(jobs)]


# ── SLURM ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PENDING|1|cn1|cn1|Priority", PENDING),
        (
            "PENDING|1|cn1|cn1|JobHeldAdmin",
            PENDING,
        ),  # a held job that is not counted makes Parsl ask for another
        ("SUSPENDED|1|cn1|cn1|None", RUNNING),
        ("COMPLETING|1|cn1|cn1|None", RUNNING),
        ("A_STATE_OF_TOMORROW|1|cn1|cn1|None", RUNNING),
        ("TIMEOUT|1|cn1|cn1|TimeLimit", JobState.TIMEOUT),
        ("OUT_OF_MEMORY|1|cn1|cn1|OutOfMemory", JobState.FAILED),
        ("NODE_FAIL|1|cn1|cn1|NodeDown", JobState.FAILED),
        ("PREEMPTED|1|cn1|cn1|None", JobState.TIMEOUT),
    ],
)
def test_states_of_slurm(commands, tmp_path, word, state):
    commands("squeue", f"echo '7|{word}'; echo '8|RUNNING|1|cn1|cn1|None'")
    provider = slurm(tmp_path, "7")
    assert states(provider, "7") == [state]
    assert word.split("|")[0] in provider.status(["7"])[0].message


def test_nothing_is_asked_when_a_provider_is_made(commands, tmp_path):
    for name in ("sacct", "squeue", "sinfo", "scontrol"):
        commands(name, "exit 1")
    slurm(tmp_path)
    assert not (tmp_path / "calls").exists()


def test_an_end_is_never_looked_at_again(commands, tmp_path):
    commands("squeue", "echo '7|FAILED|1|cn1|cn1|NonZeroExitCode'")
    provider = slurm(tmp_path, "7")
    assert states(provider, "7") == [JobState.FAILED]
    commands("squeue", "echo '7|COMPLETED|1|cn1|cn1|None'")
    (tmp_path / "calls").unlink()
    assert states(provider, "7") == [JobState.FAILED]
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("make", "submit", "select"),
    [(slurm, "sbatch", "squeue"), (pbs, "qsub", "qselect")],
    ids=["slurm", "pbs"],
)
def test_a_submission_that_timed_out_is_looked_for(commands, tmp_path, *, make, submit, select, taken):
    """A block that nobody knows of would wait in the queue, run, and be paid, for nobody."""
    commands(submit, "echo Socket timed out on send/recv operation >&2; exit 1")
    answer = 'case "$*" in *"-N block-0."* | *--name=block-0.*) echo 42;; esac'
    commands(select, answer if taken else "")
    if taken:
        assert make(tmp_path).submit("true", 1, "block-0") == "42"
    else:
        with pytest.raises(SubmissionError, match="Socket timed out"):
            make(tmp_path).submit("true", 1, "block-0")
    assert f"{select} " in (tmp_path / "calls").read_text()


def test_what_parsl_writes_into_a_status_does_not_reach_us(commands, tmp_path):
    commands("squeue", "echo '7|FAILED|1|cn1|cn1|None'")
    provider = slurm(tmp_path, "7")
    provider.status(["7"])[0].state = JobState.MISSING
    assert states(provider, "7") == [JobState.FAILED]


def test_a_job_that_left_the_queue_is_looked_up(commands, tmp_path):
    commands("squeue", "")
    commands("sacct", "echo '7|CANCELLED by 1000|0:15'")
    provider = slurm(tmp_path, "7")
    ended = provider.status(["7"])[0]
    assert (ended.state, ended.message) == (JobState.CANCELLED, "SLURM: CANCELLED by 1000")


def test_a_database_that_was_not_told_of_an_end_is_not_believed(commands, tmp_path):
    commands("squeue", "")
    commands("sacct", "echo '7|RUNNING|0:0'")
    commands("scontrol", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert states(slurm(tmp_path, "7"), "7") == [JobState.COMPLETED]


def test_a_job_just_submitted_may_be_unknown_for_a_while(commands, tmp_path):
    commands("sbatch", "echo Submitted batch job 7")
    commands("squeue", "")
    commands("sacct", "")
    commands("scontrol", "echo 'Invalid job id specified' >&2; exit 1")
    patient, hasty = slurm(tmp_path), slurm(tmp_path, grace_seconds=0.0)
    for provider, state in ((patient, PENDING), (hasty, JobState.COMPLETED)):
        job = provider.submit("true", 1, "block-0")
        assert states(provider, job) == [state]


@pytest.mark.parametrize("answer", ["echo down >&2; exit 1", "sleep 60"])
def test_an_outage_keeps_states_and_is_logged_once(commands, tmp_path, caplog, answer):
    caplog.set_level(logging.WARNING)
    commands("squeue", answer)
    provider = slurm(tmp_path, "7", cmd_timeout=0.5)
    assert states(provider, "7") + states(provider, "7") == [RUNNING, RUNNING]
    assert len(caplog.records) == 1
    assert provider.outage in caplog.text
    commands("squeue", "echo '7|PENDING|1|cn1|cn1|None'")
    provider.cmd_timeout = 10
    assert states(provider, "7") + states(provider, "7") == [PENDING, PENDING]
    assert provider.outage is None
    assert [record.getMessage() for record in caplog.records[1:]] == [f"{provider.label} answers again"]


def test_an_outage_in_the_second_question_keeps_states_too(commands, tmp_path):
    commands("squeue", "")
    commands("sacct", "echo no database >&2; exit 1")
    commands("scontrol", "echo Unable to contact slurm controller >&2; exit 1")
    provider = slurm(tmp_path, "7")
    assert states(provider, "7") == [RUNNING]
    assert "Unable to contact" in provider.outage


def test_a_machine_without_the_commands_is_an_outage(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    provider = slurm(tmp_path, "7")
    assert states(provider, "7") == [RUNNING]
    assert "`squeue` cannot be started" in provider.outage
    with pytest.raises(SubmissionError, match="`sbatch` cannot be started"):
        provider.submit("true", 1, "block-0")


def test_a_command_that_hangs_is_killed_with_its_children(commands, tmp_path):
    commands("squeue", f"sleep 987 & echo $! > {tmp_path}/child; wait")
    started = time.monotonic()
    with pytest.raises(OutageError, match="did not end in 1 s"):
        ask("squeue", seconds=1)
    assert time.monotonic() - started < 30
    child = int((tmp_path / "child").read_text())
    until(lambda: not os.path.exists(f"/proc/{child}"), "the child is gone")  # noqa: PTH110


def test_a_head_in_a_job_asks_for_blocks_as_if_it_were_not_in_one(commands, tmp_path, monkeypatch):
    for name in ("SLURM_MEM_PER_NODE", "SLURM_JOB_ID", "SRUN_CPUS_PER_TASK", "SLURM_CONF"):
        monkeypatch.setenv(name, "here")
    commands("sbatch", f"env | grep =here > {tmp_path}/seen; echo Submitted batch job 7")
    slurm(tmp_path).submit("true", 1, "block-0")
    assert (tmp_path / "seen").read_text() == "SLURM_CONF=here\n"


def test_the_script_of_slurm(tmp_path):
    provider = slurm(
        tmp_path, partition="gpu", account="a", mem_per_node=1.5, nodes_per_block=2,
        worker_init="module load x",
        scheduler_options="#SBATCH --gres=gpu:4\n", launcher=NodeLauncher("srun", "-c 32 --mpi=pmi2"),
    )  # fmt: skip
    text = provider.script("managers --of 'block 1'", "zonemelt.gpu")
    lines = text.splitlines()
    for line in ("--no-requeue", "--no-kill", "--exclusive", "--mem=1536M", "--nodes=2", "--gres=gpu:4"):
        assert f"#SBATCH {line}" in lines
    assert lines.index("module load x") < next(k for k, line in enumerate(lines) if line.startswith("srun"))
    assert "--no-kill --kill-on-bad-exit=0 --wait=0" in text
    assert "--mpi=none" not in text  # the site's own option wins
    assert provider.status_polling_interval == 60


# ── PBS Pro ─────────────────────────────────────────────────────────────────────────────────────────

RUNS = "echo 'Job Id: {0}.server'; echo '    job_state = R'; echo"


def test_one_unknown_id_does_not_hide_the_others(commands, tmp_path):
    commands(
        "qstat",
        f"""for id in "$@"; do case $id in
          7*) {RUNS.format(7)};;
          8*) echo 'qstat: Unknown Job Id 8' >&2; code=153;;
        esac; done; exit ${{code:-0}}""",
    )
    provider = pbs(tmp_path, "7.server.long.name", "8.server.long.name")
    assert states(provider, *provider.resources) == [RUNNING, JobState.COMPLETED]


def test_a_qstat_that_answers_for_the_first_id_only(commands, tmp_path):
    commands("qstat", 'echo "Job Id: $3"; echo "    job_state = Q"')
    provider = pbs(tmp_path, "7.server", "8.server", "9.server")
    assert states(provider, *provider.resources) == [PENDING] * 3


def test_a_server_without_history_is_asked_the_other_way(commands, tmp_path):
    commands(
        "qstat",
        f'case "$*" in -x*) ;; *7.server*) {RUNS.format(7)};; *) echo Unknown Job >&2; exit 153;; esac',
    )
    provider = pbs(tmp_path, "7.server", "8.server")
    assert states(provider, "7.server", "8.server") == [RUNNING, JobState.COMPLETED]
    (tmp_path / "calls").unlink()
    assert states(provider, "7.server") == [RUNNING]
    assert (tmp_path / "calls").read_text() == "qstat -f 7.server\n"


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"job_state": "H"}, PENDING),
        ({"job_state": "W"}, PENDING),
        ({"job_state": "S"}, RUNNING),
        ({"job_state": "E"}, RUNNING),
        ({"job_state": "F", "Exit_status": "0"}, JobState.COMPLETED),
        ({"job_state": "F", "Exit_status": "-29"}, JobState.TIMEOUT),
        ({"job_state": "F", "Exit_status": "271"}, JobState.CANCELLED),
        ({"job_state": "F"}, JobState.CANCELLED),  # deleted before it ran
        ({"job_state": "F", "Exit_status": "2", "substate": "91"}, JobState.CANCELLED),  # deleted as it ran
        ({"job_state": "F", "Exit_status": "2"}, JobState.FAILED),
        (
            {
                "job_state": "F", "Exit_status": "271", "resources_used.walltime": "00:20:03",
                "Resource_List.walltime": "00:20:00",
            },
            JobState.TIMEOUT,
        ),
    ],
)  # fmt: skip
def test_states_of_pbs(commands, tmp_path, values, state):
    lines = "\n".join(f"    {name} = {value}" for name, value in values.items())
    # a long value goes on behind a tab, and may hold anything
    tail = "    Variable_List = A=1,B=\n\t    job_state = X"
    commands("qstat", f"cat <<'END'\nJob Id: 7.server\n{lines}\n{tail}\nEND")
    assert states(pbs(tmp_path, "7.server"), "7.server") == [state]


def test_a_server_that_is_away_is_an_outage(commands, tmp_path):
    commands("qstat", "echo 'cannot connect to server pbs (errno=111)' >&2; exit 255")
    provider = pbs(tmp_path, "7.server")
    assert states(provider, "7.server") == [RUNNING]
    assert "cannot connect" in provider.outage


def test_a_refusal_of_pbs_carries_its_words(commands, tmp_path):
    commands("qsub", "echo 'qsub: Unknown queue' >&2; exit 170")
    with pytest.raises(SubmissionError, match="qsub: Unknown queue"):
        pbs(tmp_path).submit("true", 1, "block-0")


def test_scripts_of_pbs(tmp_path):
    scattered = pbs(tmp_path, queue="q", nodes_per_block=2, cpus_per_node=8, select_options=":ngpus=4")
    text = scattered.script("managers", "block-0")
    assert "#PBS -l select=2:ncpus=8:ngpus=4\n#PBS -l place=scatter\n" in text
    gadi = "#PBS -P ab12\n#PBS -l ncpus=96\n#PBS -l ngpus=8\n#PBS -l storage=scratch/ab12"
    text = pbs(tmp_path, select=False, scheduler_options=gadi).script("managers", "block-0")
    assert gadi in text
    assert "select" not in text
    assert "place" not in text
    abci = pbs(tmp_path, queue="rt_HF", cpus_per_node=None, scheduler_options="#PBS -P gaa50000")
    assert "#PBS -l select=1\n" in abci.script("managers", "block-0")


# ── launchers, names, blocks that fail ──────────────────────────────────────────────────────────────


def test_launchers_are_made_for_the_scheduler_they_belong_to():
    assert make_launcher(Launch(program="simple"), "slurm")("managers", 1, 1) == "managers"
    assert "mpirun -np 4 --map-by ppr:1:node --bind-to none" in make_launcher(
        Launch(program="mpirun"), "pbspro"
    )("managers", 1, 4)
    own = NodeLauncher("mpirun", "--map-by numa")("managers", 1, 4)
    assert own.startswith("mpirun -np 4 --bind-to none --map-by numa bash -c")  # the site's own option wins
    with pytest.raises(ValueError, match="pjm belongs to pjm"):
        make_launcher(Launch(program="pjm"), "slurm")


@pytest.mark.mpi
@pytest.mark.skipif(shutil.which("mpirun", path=PROGRAMS) is None, reason="no Open MPI here")
def test_open_mpi_starts_a_manager_and_forgives_its_end(tmp_path):
    options = "--allow-run-as-root --oversubscribe"
    text = NodeLauncher("mpirun", options)("echo one $((1 + 1)); exit 9", 1, 1, str(tmp_path))
    environment = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "one 2"), done.stderr
    assert "exit status 9" in done.stderr


@pytest.mark.parametrize("text", ["parsl.cpu.block-0.1795372103.382", "7 Zwerge", "ä" * 99, "x" * 200])
def test_names_are_accepted_everywhere(text):
    name = job_name_of(text)
    assert len(name) <= 63
    assert name[0].isalpha()
    assert name.isascii()
    assert job_name_of("a" * 100 + ".block-7").endswith(".block-7")


class Executor:
    label = "cpu"
    bad_state_is_set = False
    blocks_to_job_id = {"3": "1234"}  # noqa: RUF012

    def __init__(self, *connected):
        self.connected = connected
        self.error = None

    def connected_blocks(self):
        return list(self.connected)

    def set_bad_state_and_fail_all(self, error):
        self.error = error


def blocks(*words):
    return {str(k): JobStatus(JobState[word], f"SLURM: {word}") for k, word in enumerate(words)}


@pytest.mark.parametrize(
    ("connected", "words", "gives_up"),
    [
        ((), ["MISSING"] * 2, False),
        ((), ["MISSING"] * 3, True),
        (("0",), ["FAILED", "MISSING", "MISSING"], False),
        (("0",), ["FAILED", "MISSING", "MISSING", "MISSING"], True),
        (("3",), ["MISSING", "MISSING", "MISSING", "RUNNING"], False),  # the latest works
        ((), ["MISSING", "MISSING", "MISSING", "PENDING"], True),
        (("0", "1", "2"), ["FAILED", "FAILED", "TIMEOUT"], False),
        ((), ["MISSING", "SCALED_IN", "MISSING"], False),
    ],
)
def test_only_blocks_in_a_row_that_never_had_a_worker_count(connected, words, gives_up):
    executor = Executor(*connected)
    BlockFailures()(executor, blocks(*words))
    assert (executor.error is not None) == gives_up


def test_giving_up_says_what_scheduler_and_node_said(tmp_path):
    (tmp_path / "err").write_text("".join(f"line {k}\n" for k in range(5000)) + "no module named zonemelt\n")
    status = blocks("MISSING", "MISSING", "MISSING", "MISSING")
    status["3"].stderr_path = str(tmp_path / "err")
    executor = Executor()
    BlockFailures()(executor, status)
    assert isinstance(executor.error, BrokenBlocksError)
    assert "block 3, job 1234: SLURM: MISSING" in str(executor.error)
    assert "| no module named zonemelt" in str(executor.error)
    assert "block 0" not in str(executor.error)
    assert len(block_output(status["3"], lines=4).splitlines()) == 4
    assert not block_output(JobStatus(PENDING, stdout_path=str(tmp_path / "none")))


def test_a_node_has_one_manager(tmp_path):
    with pytest.raises(ValueError, match="one manager a node, not 2"):
        NodeLauncher("srun")("true", 2, 1, str(tmp_path))
