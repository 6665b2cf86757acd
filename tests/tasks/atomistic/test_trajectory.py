"""Files of trajectories: named by their frames, read by ASE, and refused where they are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from potentials_for_tests import Morse

from zonemelt.tasks.atomistic.dynamics import simulate
from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
from zonemelt.tasks.atomistic.trajectory import encoded, trajectory_atoms, written
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.whole_files import sha256_of


@pytest.fixture(scope="module")
def run():
    settings = DynamicsSettings(
        steps=25, temperature=300, timestep=2.0, rescaling=50.0, breathing=200.0, every=5
    )
    return simulate(Morse(), Crystals.of_atoms([bulk("Cu", cubic=True, a=3.7)]), settings)[0]


def test_a_file_is_its_frames_and_named_by_them(run, tmp_path):
    file = written(run.frames, run.atoms, timestep=2.0, directory=tmp_path)
    assert file.sha256 == sha256_of(Path(file.path)) == Path(file.path).stem
    assert file.nbytes == Path(file.path).stat().st_size
    assert written(run.frames, run.atoms, timestep=2.0, directory=tmp_path) == file
    frames = trajectory_atoms(file.path)
    assert len(frames) == file.frames == 6
    for row, atoms in enumerate(frames):
        np.testing.assert_allclose(atoms.positions, run.frames.positions_TN3[row])
        np.testing.assert_allclose(atoms.cell.array, run.frames.cells_T33[row])
        assert atoms.get_potential_energy() == run.frames.energies_T[row]
        assert atoms.info["time"] == 10.0 * row
        assert atoms.info["pressure"] == run.frames.pressures_T[row]
        assert "spread" not in atoms.info


def test_other_programs_get_it_through_ase(run, tmp_path):
    file = written(run.frames, run.atoms, timestep=2.0, directory=tmp_path)
    write(tmp_path / "run.extxyz", trajectory_atoms(file.path))
    back = read(tmp_path / "run.extxyz", ":")
    assert [atoms.info["step"] for atoms in back] == [0, 5, 10, 15, 20, 25]


def test_what_is_no_trajectory(run, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        trajectory_atoms(tmp_path / "nowhere.npz")
    file = Path(written(run.frames, run.atoms, timestep=2.0, directory=tmp_path).path)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="no trajectory"):
        trajectory_atoms(file)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="no trajectory"):
        trajectory_atoms(tmp_path / "other.npz")
    segment = tmp_path / "segment.npz"
    segment.write_bytes(encoded(run.frames))
    with pytest.raises(InputError, match=r"segment\.npz: it is no trajectory: it has no numbers_N"):
        trajectory_atoms(segment)


def test_whatever_byte_is_altered_it_is_one_error_or_the_same_frames(run, tmp_path):
    file = Path(written(run.frames, run.atoms, timestep=2.0, directory=tmp_path).path)
    whole, altered = file.read_bytes(), tmp_path / "altered.npz"
    refused = []
    for place in np.random.default_rng(0).integers(len(whole), size=100).tolist():
        altered.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            frames = trajectory_atoms(altered)
        except InputError as error:
            refused.append(error)
            continue
        assert [atoms.get_potential_energy() for atoms in frames] == run.frames.energies_T.tolist()
    assert len(refused) > 50
    assert all("no trajectory" in error.what and error.where == str(altered) for error in refused)
