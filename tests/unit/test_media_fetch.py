"""Files that requests name by URL: fetched from a server of this machine, or refused."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from harness.file_server import CERTIFICATE, NAME, SILENCE, FileServer, answer, moved
from harness.media_files import png
from kronk.gateway.dialects.media import LinkedMedia, linked
from kronk.gateway.job import Job, embed, generate
from kronk.gateway.media import fetch as links
from kronk.gateway.media.fetch import Bounds, fetched
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Media, Prompt, Sampling

PNG = png(255, 0, 0, size=4)
TYPED = "Content-Type: image/png"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer({"/a.png": answer(PNG, TYPED)}) as server:
        yield server


def job(*urls: str) -> Job:
    media = tuple(LinkedMedia("image", b"", f"field[{at}]", url) for at, url in enumerate(urls))
    return generate("m", Prompt(text="x", media=media), Sampling(), Answer(), None, ())


def fetch(allowed: tuple[str, ...], *urls: str, **bounds: Any) -> tuple[Media, ...]:
    (done,) = asyncio.run(fetched([job(*urls)], allowed, Bounds(**bounds)))
    assert not linked([done])
    assert isinstance(done.ask, Submit)
    return done.ask.prompt.media


def refusal(allowed: tuple[str, ...], *urls: str, **bounds: Any) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        fetch(allowed, *urls, **bounds)
    return caught.value


def test_a_file_takes_the_place_of_its_link(server: FileServer) -> None:
    assert fetch((server.host,), f"{server.url}/a.png#top") == (Media("image", PNG, "field[0]"),)
    (head,) = server.asked
    lines = head.splitlines()
    assert lines[0] == "GET /a.png HTTP/1.1"
    assert f"Host: {server.host}" in lines
    assert "Accept-Encoding: identity" in lines
    assert not any(line.lower().startswith(("cookie", "authorization")) for line in lines)


def test_other_media_and_other_jobs_stay_as_they_are(server: FileServer) -> None:
    sent = Media("image", PNG, "sent")
    link = LinkedMedia("image", b"", "linked", f"{server.url}/a.png")
    prompt = Prompt(text="x", media=(sent, link, sent))
    jobs = [
        generate("m", prompt, Sampling(), Answer(), None, ()),
        embed("m", ("x",), None, False),
        generate("m", Prompt(text="y"), Sampling(), Answer(), None, ()),
    ]
    assert linked(jobs) and not linked(jobs[1:])
    first, *others = asyncio.run(fetched(jobs, (server.host,)))
    assert isinstance(first.ask, Submit)
    assert first.ask.prompt.media == (sent, Media("image", PNG, "linked"), sent)
    assert others == jobs[1:]


def test_many_files_keep_their_order(server: FileServer) -> None:
    colours = [png(at, 0, 0, size=1) for at in range(12)]
    server.answers = {f"/{at}": answer(data, TYPED) for at, data in enumerate(colours)}
    got = fetch((server.host,), *(f"{server.url}/{at}" for at in range(12)))
    assert [media.data for media in got] == colours


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Content-Type: application/octet-stream"],
        ["Content-Type: image/jpeg; charset=binary"],
        ["Content-Type: IMAGE/PNG", "Content-Encoding: identity"],
    ],
)
def test_a_type_that_says_nothing_or_an_image_is_taken(
    server: FileServer, headers: list[str]
) -> None:
    server.answers["/a.png"] = answer(PNG, *headers)
    assert fetch((server.host,), f"{server.url}/a.png")[0].data == PNG


def test_redirects_are_followed_three_times(server: FileServer) -> None:
    server.answers |= {
        "/1": moved("/2", "301 Moved Permanently"),
        "/2": moved(f"{server.url}/3", "307 Temporary Redirect"),
        "/3": moved("a.png", "308 Permanent Redirect"),
        "/0": moved("/1"),
        "/loop": moved("/loop"),
    }
    assert fetch((server.host,), f"{server.url}/1")[0].data == PNG
    for path in ("/0", "/loop"):
        error = refusal((server.host,), f"{server.url}{path}")
        assert "more than 3 redirects" in error.message


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://localhost/secret", "localhost is in a private or reserved network"),
        ("http://127.0.0.1/secret", "127.0.0.1 is in a private or reserved network"),
        ("http://169.254.169.254/latest/meta-data", "private or reserved network"),
        ("http://[::ffff:127.0.0.1]/", "private or reserved network"),
        ("http://2130706433/", "private or reserved network"),
        ("http://127.0.0.1:1/", "does not fetch from 127.0.0.1:1"),
        ("file:///etc/passwd", "expected an http or https URL"),
        ("http://user@localhost/", "must not have a user name"),
        ("http://[::1/", "redirects to what is no URL"),
    ],
)
def test_a_redirect_is_checked_like_the_url_itself(
    server: FileServer, location: str, words: str
) -> None:
    server.answers["/out"] = moved(location)
    error = refusal((server.host, "*"), f"{server.url}/out")
    assert error.param == "field[0]"
    assert words in error.message


WRONG: list[tuple[bytes, str]] = [
    (answer(b"<html>", "Content-Type: text/html"), "its type is 'text/html', not image/..."),
    (answer(PNG, "Content-Type: audio/wav"), "its type is 'audio/wav'"),
    (answer(b"<html>"), "but the file is none of them"),
    (answer(b""), "the file is empty"),
    (answer(b"no", status="404 Not Found"), "answered with status 404"),
    (answer(b"", status="302 Found"), "answered with status 302"),
    (answer(PNG, status="206 Partial Content"), "answered with status 206"),
    (answer(gzip.compress(PNG), "Content-Encoding: gzip"), "compresses it"),
    (answer(PNG, length=21 * 1024 * 1024), "larger than 20971520 bytes"),
    (answer(PNG, length=len(PNG) + 1), "the connection failed"),
    (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the connection failed"),
]


@pytest.mark.parametrize(("reply", "words"), WRONG)
def test_what_is_not_an_image_is_refused_by_the_name_of_its_field(
    server: FileServer, reply: bytes, words: str
) -> None:
    server.answers["/x"] = reply
    error = refusal((server.host,), f"{server.url}/x")
    assert error.param == "field[0]"
    assert words in error.message


def test_a_file_without_an_announced_length_is_cut_off_at_the_limit(server: FileServer) -> None:
    server.answers["/x"] = b"HTTP/1.1 200 OK\r\n\r\n" + PNG + bytes(2000)
    assert (
        "larger than 1000 bytes"
        in refusal((server.host,), f"{server.url}/x", file_bytes=1000).message
    )
    assert len(fetch((server.host,), f"{server.url}/x")[0].data) == len(PNG) + 2000


def test_the_files_of_a_request_have_a_limit_together(server: FileServer) -> None:
    urls = [f"{server.url}/a.png"] * 3
    assert len(fetch((server.host,), *urls, request_bytes=3 * len(PNG))) == 3
    error = refusal((server.host,), *urls, request_bytes=3 * len(PNG) - 1)
    assert "together are larger" in error.message


@pytest.mark.parametrize("bound", ["seconds", "request_seconds"])
def test_a_server_that_says_nothing_is_given_up(server: FileServer, bound: str) -> None:
    server.answers["/slow"] = SILENCE
    error = refusal((server.host,), f"{server.url}/a.png", f"{server.url}/slow", **{bound: 0.25})
    assert error.param == "field[1]"
    assert "took too long" in error.message
    assert "0.25 s" in error.message


def test_files_that_wait_for_their_turn_are_given_up_with_the_request(server: FileServer) -> None:
    server.answers["/slow"] = SILENCE
    urls = [f"{server.url}/slow", f"{server.url}/a.png"]
    error = refusal((server.host,), *urls, parallel=1, request_seconds=0.25)
    assert "took too long" in error.message


def test_nothing_is_fetched_when_one_of_the_urls_is_forbidden(server: FileServer) -> None:
    error = refusal((server.host,), f"{server.url}/a.png", "http://example.com/")
    assert error.param == "field[1]"
    assert not server.asked


HERE = [
    "localhost",
    "LOCALHOST",
    "127.0.0.1",
    "127.1",
    "127.0.1.3",
    # Decimal, hexadecimal and octal, as the C library reads them.
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    # Digits and dots that become plain ones.
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "127\u3002\u0030\u30020\u30021",
    # Where clouds tell credentials.
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    # Networks of others.
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "[fe80::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[2002:a00:1::]",
    "[64:ff9b:1::a00:1]",
]


@pytest.mark.parametrize("host", HERE)
def test_any_public_host_is_no_host_of_this_machine(host: str) -> None:
    error = refusal(("*",), f"http://{host}/a.png")
    # Some forms are no URL, or no address to the C library, and then there is no such host.
    reasons = ("private or reserved network", "is not known", "not a valid URL")
    assert any(reason in error.message for reason in reasons)


def test_a_port_where_nobody_listens_is_a_fault_of_the_request() -> None:
    with FileServer() as server:
        host, url = server.host, server.url
    assert "the connection failed" in refusal((host,), f"{url}/a.png").message


class Names:
    """A name service whose answers are a list, one for each time it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.left = list(answers)
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._find)

    def _find(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != NAME:
            return self._real(host, port, *rest, **more)
        found = self.left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


def test_a_name_is_asked_for_once_and_its_address_is_connected_to(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, ["127.0.0.1"])
    allowed = f"{NAME}:{server.port}"
    assert fetch((allowed,), f"http://{allowed}/a.png")[0].data == PNG
    assert not names.left
    assert f"Host: {allowed}" in server.asked[0]


def test_the_next_address_is_tried_where_one_does_not_answer(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A packet to the broadcast address cannot open a connection.
    Names(monkeypatch, ["255.255.255.255", "127.0.0.1"])
    allowed = f"{NAME}:{server.port}"
    assert fetch((allowed,), f"http://{allowed}/a.png")[0].data == PNG


def test_a_name_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Names(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    assert "private or reserved" in refusal(("*",), f"http://{NAME}/a.png").message


def test_a_name_that_is_led_elsewhere_between_a_redirect_and_the_next_is_refused(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each look-up is checked: what was good a moment ago says nothing.
    Names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    allowed = f"{NAME}:{server.port}"
    server.answers["/again.png"] = moved(f"http://{allowed}/a.png")
    assert "link-local" in refusal((allowed,), f"http://{allowed}/again.png").message
    assert len(server.asked) == 1


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "fd00:ec2::254"])
def test_even_a_listed_name_does_not_lead_to_credentials(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    Names(monkeypatch, [address])
    assert "link-local or reserved" in refusal((NAME,), f"http://{NAME}/a.png").message


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 300, "%31.com"])
def test_a_name_that_nobody_knows_is_a_fault_of_the_request(host: str) -> None:
    assert "is not known" in refusal(("*",), f"http://{host}/").message


def test_the_certificate_must_be_that_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_trust", lambda: ssl.create_default_context(cafile=CERTIFICATE))
    Names(monkeypatch, ["127.0.0.1"])
    with FileServer({"/a.png": answer(PNG, TYPED)}, tls=True) as server:
        allowed = f"{NAME}:{server.port}"
        assert fetch((allowed,), f"https://{allowed}/a.png")[0].data == PNG
        error = refusal((server.host,), f"https://{server.host}/a.png")
        assert "the connection failed" in error.message


def test_an_unknown_authority_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, ["127.0.0.1"])
    with FileServer({"/a.png": answer(PNG, TYPED)}, tls=True) as server:
        allowed = f"{NAME}:{server.port}"
        assert "connection failed" in refusal((allowed,), f"https://{allowed}/a.png").message
    assert not server.asked


def test_proxies_of_the_environment_are_not_used(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch((server.host,), f"{server.url}/a.png")[0].data == PNG


def test_a_cancelled_fetch_leaves_no_task_behind(server: FileServer) -> None:
    server.answers["/slow"] = SILENCE

    async def leave() -> int:
        fetching = asyncio.create_task(fetched([job(f"{server.url}/slow")], (server.host,)))
        await asyncio.to_thread(server.silent.wait, 20)
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        assert fetching.cancelled()
        return len(asyncio.all_tasks())

    assert asyncio.run(leave()) == 1
