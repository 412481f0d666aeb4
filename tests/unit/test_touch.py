"""What a worker host does while it does not hear its server."""

from __future__ import annotations

import zmq

from kronk.shared.wire import curve
from kronk.supervisor.touch import PATIENCE, Step, Touch

LOST_AFTER = 30.0


def steps(touch: Touch, *times: float) -> list[list[Step]]:
    return [touch.steps(now) for now in times]


def test_a_server_that_never_answered_is_complained_of_once() -> None:
    touch = Touch(0.0)
    assert steps(touch, PATIENCE, PATIENCE + 1, 1000.0) == [[], [Step.COMPLAIN], []]


def test_a_server_that_answers_in_time_calls_for_nothing() -> None:
    touch = Touch(0.0)
    touch.heard(1.0)
    touch.welcome(LOST_AFTER)
    assert steps(touch, 2.0, 1.0 + LOST_AFTER) == [[], []]
    touch.heard(31.0)
    assert steps(touch, 60.0) == [[]]


def test_a_connection_that_stands_and_is_silent_is_made_anew_until_it_answers() -> None:
    touch = Touch(0.0)
    touch.welcome(LOST_AFTER)
    assert steps(touch, 31.0, 32.0, 62.0) == [
        [Step.END_WORKERS, Step.DIAL, Step.COMPLAIN],
        [Step.END_WORKERS],
        [Step.END_WORKERS, Step.DIAL],
    ]
    touch.heard(63.0)
    touch.welcome(LOST_AFTER)
    assert steps(touch, 64.0) == [[]]


def test_a_connection_that_broke_is_complained_of_while_its_workers_may_go_on() -> None:
    touch = Touch(0.0)
    touch.welcome(LOST_AFTER)
    touch.heard(5.0)
    touch.lost()
    assert steps(touch, 6.0, 16.0, 17.0) == [[], [Step.COMPLAIN], []]


def test_only_clients_send_heartbeats_on_the_wire() -> None:
    # One of the server's would abort it, when the connection was handed over and broke.
    secret = curve.new_secret()
    with (
        zmq.Context() as context,
        context.socket(zmq.ROUTER) as server,
        context.socket(zmq.DEALER) as client,
    ):
        curve.as_server(server, secret)
        curve.as_client(client, curve.new_token("gpu1", secret))
        assert server.getsockopt(zmq.HEARTBEAT_IVL) == 0
        assert client.getsockopt(zmq.HEARTBEAT_TTL) == curve.DEAD_AFTER_MS
