"""Calls side by side in processes: their order, what travels, what goes wrong."""

import math
import os
from functools import partial

import pytest
import torch

from spinlock.evaluation import workers
from spinlock.refusals import Refusal


def refuse():
    raise Refusal("no such thing")


@pytest.mark.parametrize("count", [1, 2])
def test_results_come_in_the_order_of_the_jobs_and_when_they_are_asked_for(count):
    with workers.side_by_side(count) as run:
        first, second = (run([partial(math.pow, 2, n) for n in own]) for own in ((1, 2, 3), (4, 5)))
        assert list(second) == [16, 32]
        assert list(first) == [2, 4, 8]


@pytest.mark.parametrize("count", [1, 2])
def test_what_a_job_refuses_is_refused_where_its_result_is_asked_for(count):
    with workers.side_by_side(count) as run:
        found = run([partial(math.sqrt, 4), refuse])
        assert next(found) == 2
        with pytest.raises(Refusal, match="no such thing"):
            next(found)


def test_a_model_travels_by_value_and_gives_the_same_bits():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7)).eval()
    model[0].bias.requires_grad_(False)
    given = torch.randn(3, 5)
    with workers.side_by_side(2) as run:
        (found,) = run([partial(_apply, model, given)])
        (flags,) = run([partial(_gradients, model)])
    assert (found == model(given).detach().numpy()).all()
    assert flags == [p.requires_grad for p in model.parameters()]
    assert not any(tensor.is_shared() for tensor in model.state_dict().values())


def _apply(model, given):
    return model(given).detach().numpy()


def _gradients(model):
    return [p.requires_grad for p in model.parameters()]


def test_a_worker_that_dies_is_one_line():
    with workers.side_by_side(2) as run, pytest.raises(Refusal, match="a worker died"):
        list(run([partial(os._exit, 1)] * 2))
