"""The pool of processes: how it ends."""

import os
import time
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

import pytest

from spinlock.pool import pool


def test_who_closes_the_pipe_last_finds_it_closed(monkeypatch):
    close = Connection._close

    def slowly(self):
        time.sleep(0.3)  # so that both who may close it come in this time
        close(self)

    with pytest.raises(BrokenProcessPool), pool(2) as executor:
        jobs = [executor.submit(os._exit, 1) for _ in range(4)]
        monkeypatch.setattr(Connection, "_close", slowly)
        jobs[0].result()
