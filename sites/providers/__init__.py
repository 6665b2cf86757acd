"""Parsl providers that tell the truth about batch jobs: SLURM, PBS Pro, Fujitsu's PJM."""
