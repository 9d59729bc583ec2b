"""Asked to stop, a batch ends where it can be gone on with."""

import os
import signal
import threading

import pytest

from lazyrich_helpers.run import main
from lazyrich_helpers.runner import execution
from lazyrich_helpers.runner.stopping import SIGNALS, Stop, graceful_stop

RUN = ("figure-2", "--budget", "smoke", "--seeds", "0", "--num-epochs", "3")


def test_time_makes_it_due():
    assert not Stop().due and not Stop(60).due
    assert Stop(0).due and Stop(-1).due and not Stop(0).asked
    assert 0 < Stop(60).seconds_left <= 60


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_ends(number, capsys):
    before = [signal.getsignal(each) for each in SIGNALS]
    stop = Stop()
    with graceful_stop(stop):
        os.kill(os.getpid(), number)
        assert stop.asked and stop.due
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert "stopping after this epoch" in capsys.readouterr().err
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_outside_the_main_thread_nothing_is_caught():
    def work():
        with graceful_stop(Stop()):
            found.append(signal.getsignal(signal.SIGINT))

    found, before = [], signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_a_batch_asked_to_stop_goes_on_later(store, monkeypatch, capsys):
    plain, epochs = execution.train, []

    def train(network, data, config, **options):
        for epoch in plain(network, data, config, **options):
            epochs.append((config.columns()["width"], epoch.number))
            if len(epochs) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield epoch

    monkeypatch.setattr(execution, "train", train)
    words = [*RUN, "--widths", "4", "5"]
    assert main(words) == 130
    out = capsys.readouterr().out
    assert "0 done now, 0 done before, 2 left for later, 1 of them begun." in out
    assert "the same command goes on" in out and store.ids() == []
    assert main(words) == 0
    assert epochs == [(4, 1), (4, 2), (4, 3), (5, 1), (5, 2), (5, 3)]
    assert "2 done now" in capsys.readouterr().out
