"""The network of the generator: what changes no crystal changes nothing, and all that it is told counts."""

from __future__ import annotations

import pytest
import torch

from zonemelt.tasks.models.denoiser import DenoiserArchitecture

torch.set_num_threads(1)
SIZES = (2, 5, 3)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return DenoiserArchitecture(width=16, layers=2, frequencies=3).make(species=4).double().eval()


def batch(sizes=SIZES, *, seed=0):
    draw = torch.Generator().manual_seed(seed)
    most = max(sizes)
    there = torch.arange(most) < torch.tensor(sizes)[:, None]
    return {
        "tokens": torch.where(there, torch.randint(0, 5, there.shape, generator=draw), 4),
        "places": torch.rand(len(sizes), most, 3, generator=draw, dtype=torch.float64),
        "cells": torch.randn(len(sizes), 6, generator=draw, dtype=torch.float64),
        "there": there,
        "time": torch.rand(len(sizes), generator=draw, dtype=torch.float64),
        "wish": torch.tensor([0.3, torch.nan, -1.0], dtype=torch.float64)[: len(sizes)],
    }


def same(found, expected, tolerance=1e-10):
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], atol=tolerance, rtol=0)


def test_translations_and_whole_turns_do_not_matter(network):
    given = batch()
    moved = given["places"] + torch.tensor([0.3, -0.2, 0.7]) + torch.randint(-2, 3, given["places"].shape)
    same(network(given | {"places": moved}), network(given))


def test_it_follows_a_permutation_of_atoms(network):
    given, order = batch((4, 4, 4)), [2, 0, 3, 1]
    changed = network(given | {name: given[name][:, order] for name in ("tokens", "places")})
    expected = network(given)
    same(changed, {"cells": expected["cells"]} | {n: expected[n][:, order] for n in ("places", "species")})


def test_a_crystal_does_not_see_its_neighbours_in_the_batch_nor_the_padding(network):
    given = batch()
    whole = network(given)
    for row, size in enumerate(SIZES):
        alone = network({
            name: value[row : row + 1, :size] if value.dim() > 1 and name != "cells" else value[row : row + 1]
            for name, value in given.items()
        })  # fmt: skip
        torch.testing.assert_close(alone["cells"][0], whole["cells"][row])
        torch.testing.assert_close(alone["places"][0], whole["places"][row, :size])
        torch.testing.assert_close(alone["species"][0], whole["species"][row, :size])


def test_atoms_have_no_common_motion(network):
    ways = network(batch())["places"]
    torch.testing.assert_close(ways.sum(dim=1), torch.zeros(3, 3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_it_reads_time_cell_species_and_wish(network):
    given = batch()
    before = network(given)["cells"]
    for name, other in (
        ("time", given["time"] + 0.1),
        ("cells", given["cells"] + 0.1),
        ("tokens", (given["tokens"] + 1) % 4),
        ("wish", torch.tensor([1.0, 0.0, torch.nan], dtype=torch.float64)),
    ):
        after = network(given | {name: other})["cells"]
        assert ((after - before).abs().amax(dim=1) > 1e-6).all(), name
