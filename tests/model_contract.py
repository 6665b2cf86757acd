"""What every model of a property of crystals must fulfil: physics, not accuracy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.featurize.graphs import Edges, as_batch, graphs_of
from zonemelt.tasks.featurize.line_graphs import line_graph


def structures():
    perovskite = crystal(
        ["Sr", "Ti", "O"],
        [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0)],
        spacegroup=221,
        cellpar=[3.9] * 3 + [90] * 3,
    )
    perovskite.rattle(0.05, seed=1)
    rutile = crystal(
        ["Ti", "O"], [(0, 0, 0), (0.3, 0.3, 0.0)], spacegroup=136, cellpar=[4.6, 4.6, 2.95, 90, 90, 90]
    )
    return [perovskite, bulk("Al"), rutile, bulk("GaAs", "zincblende", a=5.65)]


class ModelContract:
    """Inherit, and give ``model``: made for float64, with outputs (G, P)."""

    edges = Edges(
        cutoff=6.0, k=None
    )  # all within a cutoff: ties at the k-th neighbour are no matter of models
    nested = False

    def model(self):
        raise NotImplementedError

    @pytest.fixture
    def made(self):
        torch.manual_seed(0)
        model = self.model().double().eval()
        with torch.no_grad():  # statistics that are not those of an untrained network
            for name, buffer in model.named_buffers():
                if name.endswith("running_var"):
                    buffer.fill_(1.7)
        return model

    def batch(self, atoms):
        graphs = graphs_of(Crystals.of_atoms(atoms), self.edges)
        batch = as_batch(graphs)
        if self.nested:
            pairs = line_graph(graphs.neighbours, cutoff=3.5)
            batch.line_index, batch.line_cosine = (
                torch.from_numpy(pairs.index_2L),
                torch.from_numpy(pairs.cosines_L),
            )
        return batch

    def predict(self, model, atoms):
        with torch.no_grad():
            return model(self.batch(atoms)).numpy()

    def same(self, made, change):
        before = self.predict(made, structures())
        after = self.predict(made, [change(atoms) for atoms in structures()])
        assert np.ptp(before, axis=0).max() > 1e-6  # it tells crystals apart
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-10)

    def test_rotation(self, made):
        def rotated(atoms):
            atoms.rotate(37, (1, 2, 3), rotate_cell=True)
            return atoms

        self.same(made, rotated)

    def test_translation_and_wrapping(self, made):
        def moved(atoms):
            atoms.positions += (0.31, -7.2, 3.3)
            atoms.wrap()
            return atoms

        self.same(made, moved)

    def test_permutation(self, made):
        self.same(made, lambda atoms: atoms[np.random.default_rng(0).permutation(len(atoms))])

    def test_supercell(self, made):
        self.same(made, lambda atoms: make_supercell(atoms, [[1, 1, 0], [0, 2, 0], [0, 0, 1]]))

    def test_another_choice_of_the_cell(self, made):
        self.same(made, lambda atoms: make_supercell(atoms, [[1, 0, 0], [1, 1, 0], [0, 0, 1]]))

    def test_batches_do_not_matter(self, made):
        together = self.predict(made, structures())
        alone = np.concatenate([self.predict(made, [atoms]) for atoms in structures()])
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-10)

    def test_every_weight_is_trained(self, made):
        model = made.train()
        loss = model(self.batch(structures())).square().sum()
        model.zero_grad()
        loss.backward()
        unused = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
        assert not unused
        made.eval()

    def test_it_goes_through_a_safetensors_file(self, made, tmp_path):
        from safetensors.torch import load_file, save_file

        save_file(made.state_dict(), tmp_path / "m.safetensors")
        again = self.model().double().eval()
        again.load_state_dict(load_file(tmp_path / "m.safetensors"))
        assert np.array_equal(self.predict(again, structures()), self.predict(made, structures()))
