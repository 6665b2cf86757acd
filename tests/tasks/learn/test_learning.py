"""The model equals scikit-learn's, survives a file, and selection prefers what is not known."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.derivative import orderings
from zonemelt.tasks.featurize.describe import FEATURES, describe
from zonemelt.tasks.generate.candidates import decorate, pure_fcc
from zonemelt.tasks.judge.metrics import errors
from zonemelt.tasks.learn.gaussian_process import GaussianProcess, Hyperparameters, fit, scaling
from zonemelt.tasks.learn.model_file import from_document, load, save, training_hash
from zonemelt.tasks.records import Geometry


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(25, 4))
    return features, features @ [0.1, -0.2, 0.05, 0.0] + 0.01 * np.sin(3 * features[:, 0]) - 3.0


def trained(*, radial: bool = False) -> GaussianProcess:
    features, energies = data()
    centre, weight = scaling(features)
    return fit(features, energies, centre_F=centre, weight_F=weight, seed=0, radial=radial)


@pytest.mark.parametrize("radial", [False, True])
def test_posterior_is_that_of_scikit_learn(radial: bool) -> None:
    model, (asked, _) = trained(radial=radial), data(1)
    hyper = model.hyper
    kernel = ConstantKernel(hyper.linear) * DotProduct(1.0)
    if radial:
        kernel = kernel + ConstantKernel(hyper.radial) * RBF(hyper.length)
    peer = GaussianProcessRegressor(kernel, alpha=hyper.noise, optimizer=None)
    width = model.y_N.std()
    peer.fit(model.x_NF, (model.y_N - model.y_N.mean()) / width)
    mean, deviation = peer.predict((asked - model.centre_F) * model.weight_F, return_std=True)
    ours = model.predict(asked)
    assert ours[0] == pytest.approx(mean * width + model.y_N.mean(), abs=1e-8)
    assert ours[1] == pytest.approx(deviation * width, abs=1e-7)


def test_learns_a_linear_law() -> None:
    asked, truth = data(2)
    assert np.abs(trained().predict(asked)[0] - truth).max() < 0.03


def test_same_seed_same_model() -> None:
    assert trained().hyper == trained().hyper


def test_file_round_trip_without_pickle(tmp_path: Path) -> None:
    model, (asked, _) = trained(radial=True), data(1)
    path = save(model, tmp_path, card={"seed": 0})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    assert json.loads((tmp_path / "model.json").read_text())["seed"] == 0
    assert load(path).predict(asked)[0] == pytest.approx(model.predict(asked)[0], abs=1e-12)


def test_another_architecture_is_refused() -> None:
    with pytest.raises(InputError, match="architecture 'forest'"):
        from_document({"architecture": "forest"})


def test_training_hash_ignores_order_and_sees_values() -> None:
    one = training_hash(["a", "b"], np.array([1.0, 2.0]))
    assert one == training_hash(["b", "a"], np.array([2.0, 1.0]))
    assert one != training_hash(["a", "b"], np.array([1.0, 2.1]))


@pytest.mark.parametrize("kind", FEATURES)
def test_features_do_not_depend_on_the_description_of_the_crystal(kind: str) -> None:
    geometry = decorate(orderings(3)[1], ["Al", "Au"], {"Al": 16.0, "Au": 17.0})
    atoms = geometry.atoms()
    doubled = atoms.repeat((1, 2, 1))
    atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    atoms.positions += [0.3, -1.0, 2.0]
    same = [geometry, Geometry.of(doubled), Geometry.of(atoms)]
    values = describe(same, kind=kind, elements=["Au", "Al"], cutoff=4.5)
    assert values[1] == pytest.approx(values[0], abs=1e-6)
    assert values[2] == pytest.approx(values[0], abs=1e-4)


@pytest.mark.parametrize("kind", FEATURES)
def test_features_tell_elements_apart_and_do_not_jump(kind: str) -> None:
    crystals = [*(pure_fcc("Al", a) for a in (4.05, 4.0500001)), pure_fcc("Au", 4.05)]
    values = describe(crystals, kind=kind, elements=["Al", "Au"], cutoff=4.5)
    assert np.abs(values[0] - values[2]).max() > 0.1
    assert np.abs(values[0] - values[1]).max() < 1e-3


def test_unknown_features_are_named() -> None:
    with pytest.raises(InputError, match=r"'magpy'.*\n.*'magpie'"):
        describe([pure_fcc("Al", 4.05)], kind="magpy", elements=["Al"], cutoff=4.5)


def test_a_constant_feature_has_no_weight() -> None:
    features, _ = data()
    features[:, 2] = 7.0
    assert scaling(features)[1][2] == 0.0


def test_error_metrics() -> None:
    found = errors(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.array([0.1, 1.5]))
    assert found["mae"] == pytest.approx(1.0)
    assert found["rmse"] == pytest.approx(2**0.5)
    assert found["coverage"] == 1.0


def test_noise_has_the_unit_of_the_target() -> None:
    model = GaussianProcess(
        x_NF=np.eye(2),
        y_N=np.array([0.0, 2.0]),
        centre_F=np.zeros(2),
        weight_F=np.ones(2),
        hyper=Hyperparameters(linear=1.0, radial=0.0, length=1.0, noise=0.25),
    )
    assert model.noise == pytest.approx(0.5)
