"""A benchmark from its plan to its report, on servers that compute nothing."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.openai_server import Fake, running_fake
from harness import certificates
from kronk.shared import tls
from kronk.shared.benchmark.plan import Cell, Plan
from kronk.shared.benchmark.report import Report
from kronk.shared.benchmark.run import Order, Step, measured
from kronk.shared.benchmark.server import Server, Target
from kronk.shared.benchmark.wires import Endpoint, endpoint, exchange
from kronk.shared.errors import NotFound, ServerError

SMALL = Plan((64, 300), (1, 3), max_tokens=6, repetitions=2, warm_up=1)
ENDLESS = Plan((64,), (2,), max_tokens=1000, repetitions=1, warm_up=0)


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with running_fake() as found:
        yield found


def run(fake: Fake, *models: str, plan: Plan = SMALL, seed: str | None = "s") -> Report:
    fake.bodies.clear()
    fake.prompts.clear()
    places = [Target(model, model, endpoint(fake.url, "key"), fake.url) for model in models]
    return measured(Order(plan, tuple(places), seed=seed))


def test_every_cell_of_every_target_has_its_rounds(fake: Fake) -> None:
    report = run(fake, "counted", "plain")
    assert report.state == "complete" and report.failures == 0
    assert [(each.target, each.cell) for each in report.results] == [
        (name, cell) for cell in SMALL.cells() for name in ("counted", "plain")
    ]
    for each in report.results:
        assert each.requests == 2 * each.cell.concurrency
        assert each.tokens == 6 * each.requests
        assert all(value and value > 0 for value in each.rounds["tokens_per_second"])
        assert (each.ratios is None) == (each.target == "counted")
    assert {body["max_tokens"] for body in fake.bodies} == {4, 6}
    assert fake.keys == {"Bearer key"}


def test_prompts_are_of_about_their_size_where_only_an_answer_counts_tokens(fake: Fake) -> None:
    report = run(fake, "counted")
    assert report.targets[0].sizing == "approximate"
    assert report.targets[0].server == "fake-1"
    for each in report.results:
        assert each.prompt_tokens is not None
        assert abs(each.prompt_tokens - each.cell.prompt_tokens) <= 32
    assert any("does not count tokens beforehand" in note for note in report.notes)


def test_no_prompt_comes_twice_also_to_two_targets_that_are_one_server(fake: Fake) -> None:
    run(fake, "counted", "plain")
    prompts = [p for p in fake.prompts if "Write" in p]
    assert len(prompts) == len({prompt.split()[0] for prompt in prompts}) == 2 * 2 * 4 * 3
    again = [*fake.prompts]
    run(fake, "counted", "plain")
    assert sorted(fake.prompts) == sorted(again)
    run(fake, "counted", "plain", seed=None)
    assert not {*prompts} & {*fake.prompts}


def test_a_shared_prefix_is_in_all_prompts_and_all_of_them_differ(fake: Fake) -> None:
    run(fake, "counted", plan=Plan((128,), (2,), max_tokens=4, shared_prefix=64, repetitions=2))
    prompts = [p.split() for p in fake.prompts if "Write" in p]
    beginnings = {" ".join(words[:20]) for words in prompts}
    assert len(beginnings) == 1 and len({*map(" ".join, prompts)}) == 6


def test_a_server_is_asked_for_no_more_than_it_knows(fake: Fake) -> None:
    report = run(fake, "strict")
    assert report.failures == 0
    assert not {"ignore_eos", "stream_options"} & fake.bodies[-1].keys()
    assert not any(each.is_exact for each in report.results)
    assert any("pieces of text were counted" in note for note in report.notes)


def test_answers_that_end_early_are_said(fake: Fake) -> None:
    report = run(fake, "short")
    assert any("some answers of short ended before 6 tokens" in note for note in report.notes)


def test_a_cell_that_is_refused_is_asked_for_once(fake: Fake) -> None:
    report = run(fake, "late")
    assert report.state == "complete"
    of_long = [each for each in report.results if each.cell.prompt_tokens == 300]
    # The first round is enough, although it was to warm up.
    assert [(each.requests, each.failed) for each in of_long] == [
        (1, {"too_long": 1}), (3, {"too_long": 3}),
    ]  # fmt: skip
    assert of_long[0].messages == {"too_long": "too long"}
    assert report.failures == 4
    of_short = [each for each in report.results if each.cell.prompt_tokens == 64]
    assert all(each.failed == {} for each in of_short)


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("planet", NotFound, "no model planet; did you mean plain?"),
        ("full", ServerError, "busy"),
        ("broken", ServerError, "broke off"),
    ],
)
def test_a_model_that_does_not_answer_ends_it_in_the_servers_words(
    fake: Fake, model: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words.replace("?", "[?]")):
        run(fake, model)


def test_a_target_that_is_not_there_is_said_with_what_to_do() -> None:
    nowhere = Target("kronk", "m", Endpoint("127.0.0.1", 9))
    with pytest.raises(ServerError, match=r"no server answers at 127.0.0.1:9.*kronk server start"):
        measured(Order(SMALL, (nowhere,)))
    elsewhere = replace(nowhere, url="http://127.0.0.1:9")
    with pytest.raises(ServerError, match="is the server running, and the URL right"):
        measured(Order(SMALL, (elsewhere,)))


def test_a_target_that_goes_away_leaves_the_others_and_what_it_did() -> None:
    with running_fake() as stays, running_fake() as goes:
        places = [
            Target(each.url, "counted", endpoint(each.url), each.url) for each in (stays, goes)
        ]

        def close(step: Step) -> None:
            if step.cell == Cell(300, 1) and step.phase == "warming up":
                goes.socket.close()

        report = measured(Order(SMALL, tuple(places)), close)
        assert report.state == "incomplete"
        assert any(f"{goes.url} went away" in note for note in report.notes)
        assert len([each for each in report.results if each.target == stays.url]) == 4
        assert [each.cell for each in report.results if each.target == goes.url and not each.failed]


def test_what_was_measured_is_kept_when_it_is_stopped(fake: Fake) -> None:
    steps: list[Step] = []
    place = Target("one", "counted", endpoint(fake.url), fake.url)
    report = measured(
        Order(SMALL, (place,)), steps.append, lambda: bool(steps) and steps[-1].done >= 4
    )
    assert report.state == "incomplete"
    assert [each.cell for each in report.results] == [Cell(64, 1)]


def test_a_stop_in_the_middle_of_answers_hangs_up_on_them() -> None:
    with running_fake() as fake:
        place = Target("one", "endless", endpoint(fake.url), fake.url)
        report = measured(Order(ENDLESS, (place,)), stop=fake.streaming.is_set)
        assert (report.state, report.results) == ("incomplete", ())
        assert fake.hung_up.wait(20)


def test_servers_that_speak_tls_are_measured_too(tmp_path: Path) -> None:
    files = certificates.make(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(files.cert, files.key)
    with running_fake(own) as fake:
        url = fake.url.replace("http:", "https:")
        where = endpoint(url, tls=tls.trusting_authorities(files.ca))
        report = measured(Order(SMALL, (Target("one", "counted", where, url),)))
        assert report.failures == 0 and len(report.results) == 4
        request = where.request("/v1/models")
        untrusted = endpoint(url)
        ((answer,), _) = exchange(
            untrusted, [request], lambda: False, is_stream=False, patience=20.0
        )
        assert answer.failure is not None and answer.failure.code == "connection"
        assert "CERTIFICATE_VERIFY_FAILED" in answer.failure.message


def test_a_server_that_says_nothing_is_given_up_on() -> None:
    with running_fake() as fake:
        # Accepted by the kernel, and by nobody else.
        fake.shutdown()
        where = endpoint(fake.url)
        request = where.request("/v1/models")
        ((answer,), _) = exchange(where, [request], lambda: False, is_stream=False, patience=0.05)
        assert answer.failure is not None and answer.failure.code == "timeout"


def test_a_request_that_no_buffer_takes_at_once_arrives_whole(fake: Fake) -> None:
    fake.prompts.clear()
    place = Target("one", "counted", endpoint(fake.url), fake.url)
    prompts = [str(number) * 3_000_000 for number in range(2)]
    replies, cost = Server(place, lambda: False).chats(prompts, 4)
    assert sorted(fake.prompts) == prompts
    assert [(each.failure, each.tokens) for each in replies] == [(None, 4), (None, 4)]
    assert cost.cpu > 0
