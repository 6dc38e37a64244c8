"""Threads run calls side by side, pass errors on, and are made anew in a forked child."""

import os
import threading

import pytest
from pixcodecs import threads


def occupied() -> tuple[threading.Thread, threading.Event]:
    """A thread that keeps the threads busy, and the event that ends it."""
    inside, leave = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        leave.wait(60)

    other = threading.Thread(target=lambda: threads.parallel([wait, wait]))
    other.start()
    assert inside.wait(60)
    return other, leave


def test_calls_run_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=60)
    assert threads.parallel([barrier.wait] * 3)


def test_one_call_runs_in_this_thread() -> None:
    found: list[threading.Thread] = []
    assert threads.parallel([lambda: found.append(threading.current_thread())])
    assert found == [threading.current_thread()]


def test_the_first_error_is_raised_after_all_calls_have_ended() -> None:
    done = []

    def fail() -> None:
        raise KeyError("this")

    with pytest.raises(KeyError, match="this"):
        threads.parallel([fail, lambda: done.append(1), lambda: done.append(2)])
    assert sorted(done) == [1, 2]
    assert threads.parallel([lambda: done.append(3)] * 2)


def test_a_second_caller_is_told_that_the_threads_are_busy() -> None:
    answers: list[object] = []
    other, leave = occupied()
    answers.append(threads.parallel([lambda: answers.append("ran")] * 2))
    leave.set()
    other.join()
    assert answers == [False]


def test_the_number_of_threads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threads.get_threads()
    try:
        for given in (1, 2, 7):
            threads.set_threads(given)
            assert threads.get_threads() == given
        threads.set_threads(None)
        for text, expected in (("1", 1), ("0", 1), ("nonsense", threads.cores()), ("100000", threads.cores())):
            monkeypatch.setenv("OMP_NUM_THREADS", text)
            assert threads.get_threads() == expected
    finally:
        threads.set_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_child_that_is_forked_while_threads_run_has_its_own() -> None:
    other, leave = occupied()
    child = os.fork()
    if not child:
        ran: list[int] = []
        good = threads.parallel([lambda: ran.append(1)] * 2)
        os._exit(0 if good and ran == [1, 1] else 1)
    leave.set()
    other.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
