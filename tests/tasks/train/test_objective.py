"""Losses against closed forms, gradients against differences, and labels that are not there."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import expon, t

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.train import losses
from zonemelt.tasks.train.heads import EvidentialHead, GaussianHead, PointHead, QuantileHead, head_of
from zonemelt.tasks.train.objective import MaskedProperties

HEADS = [
    PointHead(), PointHead(error="mse"), PointHead(error="huber"), GaussianHead(beta=0.0), GaussianHead(),
    QuantileHead(), EvidentialHead(weight=0.1),
]  # fmt: skip


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def minimised(head, labels_N, steps=60):
    """The numbers of a head that are best for all samples alike."""
    raw_K = torch.zeros(head.outputs, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([raw_K], max_iter=steps, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = head.loss(raw_K.expand(len(labels_N), 1, -1), labels_N[:, None]).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return raw_K.detach()[None, None]


@pytest.mark.parametrize("head", [head for head in HEADS if head != GaussianHead()], ids=str)
def test_gradients_are_those_of_differences(head):
    raw, labels = drawn(4, 3, head.outputs).requires_grad_(), drawn(4, 3, seed=1)
    assert torch.autograd.gradcheck(lambda raw: head.loss(raw, labels), raw)


def test_beta_weighs_the_gradient_of_the_likelihood():
    raw, labels = drawn(5, 2, 2).requires_grad_(), drawn(5, 2, seed=1)
    plain, weighted = GaussianHead(beta=0.0), GaussianHead(beta=0.5)
    (expected,) = torch.autograd.grad(plain.loss(raw, labels).sum(), raw)
    (found,) = torch.autograd.grad(weighted.loss(raw, labels).sum(), raw)
    deviation = torch.from_numpy(plain.said(raw.detach()).deviation_NP)
    torch.testing.assert_close(found, expected * deviation[..., None])


class Given(torch.nn.Module):
    """A network that answers with its weights."""

    def __init__(self, raw_GO):
        super().__init__()
        self.raw = torch.nn.Parameter(raw_GO)

    def forward(self, batch):
        return self.raw


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_missing_label_adds_nothing(head):
    names = ("a", "b")
    objective = MaskedProperties(names=names, weights=dict.fromkeys(names, 1.0), head=head)
    labels = drawn(5, 2, seed=2)
    labels[[0, 3], 1] = math.nan
    labels[1, 0] = math.nan
    network = Given(drawn(5, 2 * head.outputs))
    totals = objective.totals(network, {"labels_GP": labels})
    assert objective.counts({"labels_GP": labels}) == {"a": 4, "b": 3}
    raw_GPK = network.raw.detach().reshape(5, 2, -1)  # the numbers of the first property first
    for column, name in enumerate(names):
        there = labels[:, column].isfinite()
        alone = head.loss(raw_GPK[there][:, [column]], labels[there][:, [column]]).sum()
        torch.testing.assert_close(totals[name].detach(), alone)
    shares = [
        objective.totals(Given(network.raw.detach()[rows]), {"labels_GP": labels[rows]})
        for rows in (slice(0, 2), slice(2, 5))  # as ranks have them: the sums add up
    ]
    for name in names:
        torch.testing.assert_close(sum(share[name] for share in shares).detach(), totals[name].detach())
    sum(totals.values()).backward()
    gradient = network.raw.grad.reshape(5, 2, -1)
    assert (gradient[labels.isnan()] == 0).all()
    assert (gradient[labels.isfinite()].abs().sum(-1) > 0).all()


def test_numbers_of_low_precision_are_raised_before_the_loss():
    objective = MaskedProperties(names=("a",), weights={"a": 1.0}, head=EvidentialHead())
    network = Given(drawn(3, 4).bfloat16())
    (total,) = objective.totals(network, {"labels_GP": drawn(3, 1)}).values()
    assert total.dtype == torch.float32


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_gaussian_is_best_with_the_true_mean_and_variance(beta):
    labels = 0.3 + 0.7 * drawn(500)
    head = GaussianHead(beta=beta)
    if (
        beta
    ):  # its loss is no function to be minimised, but its gradient must be zero where the other is least
        raw = minimised(GaussianHead(beta=0.0), labels).requires_grad_()
        (found,) = torch.autograd.grad(head.loss(raw.expand(500, 1, 2), labels[:, None]).mean(), raw)
        assert found.abs().max() < 1e-5
    said = head.said(minimised(GaussianHead(beta=0.0), labels))
    assert said.mean_NP.item() == pytest.approx(labels.mean().item(), abs=1e-4)
    assert said.deviation_NP.item() == pytest.approx(labels.std(correction=0).item(), abs=1e-4)


def test_pinball_gives_the_quantiles_of_the_labels():
    levels = (0.1, 0.5, 0.8, 0.9)
    head = QuantileHead(levels=levels)
    labels_N = torch.from_numpy(expon.ppf((np.arange(2000) + 0.5) / 2000))
    raw = torch.zeros(1, 1, 4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.02)
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 600)
        optimizer.zero_grad()
        head.loss(raw.expand(2000, 1, 4), labels_N[:, None]).mean().backward()
        optimizer.step()
    found = head.quantiles(raw.detach())[0, 0].numpy()
    assert found == pytest.approx(np.quantile(labels_N.numpy(), levels), abs=0.02)
    said = head.said(raw.detach())
    assert said.mean_NP.item() == pytest.approx(math.log(2), abs=0.02)
    assert said.lean_NP.item() > 0.3  # the tail is above


def test_pinball_of_the_median_is_the_absolute_error():
    label, quantile = drawn(9), drawn(9, seed=1)
    found = losses.pinball(quantile, torch.tensor(0.5), label)
    torch.testing.assert_close(found, (label - quantile).abs())


@settings(max_examples=40)
@given(st.lists(st.floats(-200, 200), min_size=5, max_size=5))
def test_quantiles_never_cross(numbers):
    head = QuantileHead()
    raw = torch.tensor(numbers, dtype=torch.float64).reshape(1, 1, 5)
    assert (head.quantiles(raw).diff(dim=-1) >= 0).all()
    said = head.said(raw)
    assert (said.deviation_NP > 0).all()
    assert (np.abs(said.lean_NP) < 1).all()


def test_evidence_has_the_likelihood_and_the_variance_of_student():
    raw, labels = drawn(6, 1, 4), drawn(6, 1, seed=1)
    head = EvidentialHead(weight=0.0)
    gamma, nu, alpha, beta = (number.numpy() for number in head._parameters(raw))
    student = t(df=2 * alpha, loc=gamma, scale=np.sqrt(beta * (1 + nu) / (nu * alpha)))
    np.testing.assert_allclose(head.loss(raw, labels).numpy(), -student.logpdf(labels.numpy()), rtol=1e-9)
    np.testing.assert_allclose(head.said(raw).deviation_NP, student.std(), rtol=1e-9)
    penalty = EvidentialHead(weight=0.5).loss(raw, labels) - head.loss(raw, labels)
    np.testing.assert_allclose(penalty.numpy(), 0.5 * np.abs(labels.numpy() - gamma) * (2 * nu + alpha))


def test_a_person_names_a_head_by_its_loss():
    assert head_of("huber") == PointHead(error="huber")
    assert head_of("gaussian") == GaussianHead()
    assert head_of({"head": "quantile", "levels": [0.2, 0.5, 0.8]}).outputs == 3
    assert head_of(EvidentialHead(weight=1)) == EvidentialHead(weight=1)
    with pytest.raises(UnknownKeyError, match="did you mean 'quantile'"):
        head_of("quantiles")
    for levels in ([0.1, 0.9], [0.5, 0.4, 0.9], [0.0, 0.5, 0.9], [0.5, 0.9]):
        with pytest.raises(InputError, match=r"loss: levels: .*\n.*must ascend"):
            head_of({"head": "quantile", "levels": levels})
    with pytest.raises(UnknownKeyError, match=r"loss: betta: [\s\S]*did you mean 'beta'"):
        head_of({"head": "gaussian", "betta": 1})
    with pytest.raises(UnknownKeyError, match=r"loss: head: [\s\S]*did you mean 'gaussian'"):
        head_of({"head": "gaussians"})
