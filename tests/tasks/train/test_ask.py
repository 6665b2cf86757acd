"""Every structure that can be predicted is, wherever those are that cannot."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.ask import ask_each, intervals
from zonemelt.tasks.train.predictor import Predicted
from zonemelt.tasks.train.said import Said


class Numbers:
    """Says the atomic number of the first atom of a structure; some it does not know, some it cannot say."""

    properties = (("number", ""), ("half", "1/2"))

    def __init__(self, unknown=(), nan=()):
        self.unknown, self.nan = unknown, nan
        self.asked = 0

    def predict(self, crystals):
        self.asked += 1
        numbers = crystals.numbers_A[crystals.first_G[:-1]].astype(float)
        if bad := sorted(set(numbers) & set(self.unknown)):
            raise InputError(f"the model has not seen {bad[0]:g}")
        numbers[np.isin(numbers, self.nan)] = np.nan
        mean_NP = np.stack([numbers, numbers / 2], axis=1)
        said = Said(mean_NP=mean_NP, deviation_NP=mean_NP / 10)
        return Predicted(
            properties=self.properties,
            mean_NP=mean_NP,
            deviation_NP=said.deviation_NP,
            said=said,
            uncertainty={},
        )


def crystals(numbers):
    return Crystals.of_atoms([Atoms(numbers=[number], cell=[3, 3, 3], pbc=True) for number in numbers])


@settings(max_examples=25)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.sets(st.integers(1, 9), max_size=4))
def test_all_that_can_be_are_predicted(numbers, unknown):
    answers = ask_each(Numbers(unknown), crystals(numbers))
    good = [row for row, number in enumerate(numbers) if number not in unknown]
    assert answers.rows_M.tolist() == good
    assert answers.refused == {
        row: f"the model has not seen {number}" for row, number in enumerate(numbers) if number in unknown
    }
    if good:
        assert answers.predicted.mean_NP[:, 0].tolist() == [numbers[row] for row in good]
        assert np.allclose(answers.predicted.said.deviation_NP, answers.predicted.mean_NP / 10)
    else:
        assert answers.predicted is None


def test_one_bad_structure_costs_few_questions():
    model = Numbers({5})
    ask_each(model, crystals([1] * 300 + [5] + [1] * 299))
    assert model.asked <= 3 + 2 * 9


def test_a_number_that_is_none_is_told():
    answers = ask_each(Numbers(nan=(3,)), crystals([1, 3, 2]))
    assert answers.rows_M.tolist() == [0, 2]
    assert answers.predicted.mean_NP[:, 0].tolist() == [1, 2]
    assert answers.predicted.said.mean_NP[:, 0].tolist() == [1, 2]
    assert "no finite number" in answers.refused[1]


def test_without_calibration_there_are_no_intervals():
    assert intervals(ask_each(Numbers(), crystals([1, 2])).predicted, 0.9) == {}
