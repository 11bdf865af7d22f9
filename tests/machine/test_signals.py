"""A signal stops the training between two steps."""

import signal
import threading

import pytest

from rnncls.machine.signals import stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_becomes_a_request_to_stop(number: signal.Signals) -> None:
    with stop_on_signal() as stop:
        signal.raise_signal(number)
        assert stop.requested


def test_nothing_is_requested_without_a_signal() -> None:
    with stop_on_signal() as stop:
        assert not stop.requested


def test_a_request_is_told_to_the_user(capfd: pytest.CaptureFixture[str]) -> None:
    with stop_on_signal():
        signal.raise_signal(signal.SIGINT)
    assert (
        capfd.readouterr().err
        == "\nstopping after this step and saving; press Ctrl-C again to exit"
        " immediately\n"
    )


def test_a_second_interrupt_leaves_at_once() -> None:
    with stop_on_signal():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_handlers_of_before_are_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signal():
        inside = signal.getsignal(number)
    assert inside != before
    assert signal.getsignal(number) == before


def test_the_handlers_of_before_are_restored_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), stop_on_signal():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) == before


def test_outside_the_main_thread_no_handler_is_set() -> None:
    handler = signal.getsignal(signal.SIGINT)
    found = []

    def work() -> None:
        with stop_on_signal() as stop:
            found.append((stop.requested, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, handler)]
