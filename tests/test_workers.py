"""Calls side by side in processes: their order, what travels, what goes wrong."""

import math
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch

from spinlock import workers
from spinlock.refusals import Refusal

LARGE = """
import os, signal, sys, time
from functools import partial
from spinlock import workers

def work(number, content):
    if number:
        time.sleep(60)
    return number

def die(number, content):
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    job = die if sys.argv[1] == "die" else work
    with workers.side_by_side(2) as run:
        found = run([partial(job, n, bytes(10**6)) for n in range(12)])
        print(next(found), flush=True)
        list(found)
"""


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


def start(folder, how):
    """Jobs that are larger than a pipe, more than there are workers for."""
    script = folder / "large.py"
    script.write_text(LARGE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, script, how],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(running):
    """Exit status and last words of a process that must end soon."""
    try:
        _, said = running.communicate(timeout=30)
    finally:
        running.kill()
    return running.returncode, said


def test_an_interruption_ends_it_though_large_jobs_wait(tmp_path):
    running = start(tmp_path, "work")
    assert running.stdout.readline() == "0\n"
    running.send_signal(signal.SIGTERM)
    assert ended(running) == (128 + signal.SIGTERM, "")


def test_a_worker_that_dies_is_a_refusal_though_large_jobs_wait(tmp_path):
    status, said = ended(start(tmp_path, "die"))
    assert status == 1
    assert said.splitlines()[-1].endswith("Refusal: a worker died (killed, or out of memory?)")
