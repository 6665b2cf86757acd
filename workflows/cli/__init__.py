"""The command line: everything a person does with campaigns, one small file for each group of commands."""

from zonemelt.workflows.cli import potential_train, potential_work
from zonemelt.workflows.cli.app import app, main
from zonemelt.workflows.cli.candidates import candidates
from zonemelt.workflows.cli.crates import crate, open_command
from zonemelt.workflows.cli.dataset import dataset_app
from zonemelt.workflows.cli.evaluate import evaluate
from zonemelt.workflows.cli.generate import generate
from zonemelt.workflows.cli.generator import generator_app
from zonemelt.workflows.cli.ingest import ingest
from zonemelt.workflows.cli.judge import judge
from zonemelt.workflows.cli.look import jobs, logs, show, status
from zonemelt.workflows.cli.models import models_app
from zonemelt.workflows.cli.plan import plan
from zonemelt.workflows.cli.potential import potential_app
from zonemelt.workflows.cli.predict import predict
from zonemelt.workflows.cli.prepare import check, init
from zonemelt.workflows.cli.provenance import uses, why
from zonemelt.workflows.cli.reports import report
from zonemelt.workflows.cli.rerun import diff, rerun
from zonemelt.workflows.cli.screen import screen
from zonemelt.workflows.cli.serve import serve
from zonemelt.workflows.cli.sites import sites, sites_app
from zonemelt.workflows.cli.start import resume, run, submit
from zonemelt.workflows.cli.steer import cancel, pause, retry
from zonemelt.workflows.cli.steering import steer
from zonemelt.workflows.cli.train import train
from zonemelt.workflows.cli.watching import notify, watch

__all__ = [
    "app",
    "cancel",
    "candidates",
    "check",
    "crate",
    "dataset_app",
    "diff",
    "evaluate",
    "generate",
    "generator_app",
    "ingest",
    "init",
    "jobs",
    "judge",
    "logs",
    "main",
    "models_app",
    "notify",
    "open_command",
    "pause",
    "plan",
    "potential_app",
    "potential_train",
    "potential_work",
    "predict",
    "report",
    "rerun",
    "resume",
    "retry",
    "run",
    "screen",
    "serve",
    "show",
    "sites",
    "sites_app",
    "status",
    "steer",
    "submit",
    "train",
    "uses",
    "watch",
    "why",
]
