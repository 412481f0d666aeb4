"""Which URLs are fetched, and which addresses are public."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.media.rules import target
from kronk.shared.errors import InvalidArgument
from kronk.shared.reach import is_public

LISTED = ("files.example", "nas.local:9000", "*.cdn.example", "[::1]:8080", "10.0.0.5")
ANY = ("*",)


@pytest.mark.parametrize(
    ("url", "allowed", "host", "port", "within"),
    [
        ("http://files.example/a.png", LISTED, "files.example", 80, "anywhere"),
        ("https://files.example/a.png", LISTED, "files.example", 443, "anywhere"),
        ("https://FILES.example.:443/a.png", LISTED, "files.example", 443, "anywhere"),
        ("http://nas.local:9000/", LISTED, "nas.local", 9000, "anywhere"),
        ("http://10.0.0.5/x", LISTED, "10.0.0.5", 80, "anywhere"),
        ("http://[::1]:8080/", LISTED, "::1", 8080, "anywhere"),
        ("https://a.cdn.example/", LISTED, "a.cdn.example", 443, "public"),
        ("https://a.b.cdn.example/", LISTED, "a.b.cdn.example", 443, "public"),
        ("https://example.com/", ANY, "example.com", 443, "public"),
        ("http://127.0.0.1/", ANY, "127.0.0.1", 80, "public"),
        ("https://b\u00fccher.example/", ANY, "xn--bcher-kva.example", 443, "public"),
        # Listed by name as well: the name counts.
        ("http://files.example/", ("*", "files.example"), "files.example", 80, "anywhere"),
    ],
)
def test_a_url_the_setting_allows_has_a_target(
    url: str, allowed: tuple[str, ...], host: str, port: int, within: str
) -> None:
    found = target(url, allowed, "x")
    assert (found.host, found.port, found.within) == (host, port, within)


@pytest.mark.parametrize(
    ("url", "allowed", "words"),
    [
        ("https://example.com/", (), "fetches no URLs"),
        ("https://example.com/", LISTED, "does not fetch from example.com:443"),
        ("https://files.example:8443/", LISTED, "does not fetch from files.example:8443"),
        ("http://files.example:443/", LISTED, "does not fetch from files.example:443"),
        ("http://nas.local/", LISTED, "does not fetch from nas.local:80"),
        ("http://evil-files.example/", LISTED, "does not fetch"),
        ("http://files.example.evil.com/", LISTED, "does not fetch"),
        ("https://cdn.example/", LISTED, "does not fetch"),
        ("https://evilcdn.example/", LISTED, "does not fetch"),
        ("https://a.cdn.example:22/", LISTED, "does not fetch"),
        ("http://example.com:22/", ANY, "does not fetch from example.com:22"),
        ("https://user:pw@files.example/", LISTED, "user name"),
        ("https://files.example@evil.com/", LISTED, "user name"),
        ("http://files.example\\@evil.com/", LISTED, "user name"),
        ("http://files.example:80@evil.com/", LISTED, "user name"),
        ("http://files.example%2f@evil.com/", LISTED, "user name"),
        ("http://evil.com#@files.example/", LISTED, "does not fetch from evil.com"),
        ("http://evil.com?@files.example/", LISTED, "does not fetch from evil.com"),
        ("http://evil.com/files.example", LISTED, "does not fetch from evil.com"),
        ("gopher://files.example/", ANY, "http or https"),
        ("//files.example/", ANY, "http or https"),
        ("http://example.com:0/", ANY, "does not fetch from example.com:0"),
        ("ftp://files.example/", ANY, "http or https"),
        ("http:///x", ANY, "with a host"),
        ("file:///etc/passwd", ANY, "http or https"),
        ("http://\x00/", ANY, "not a valid URL"),
        ("http://[::1/", ANY, "not a valid URL"),
        ("http://example.com:x/", ANY, "not a valid URL"),
    ],
)
def test_any_other_url_is_refused_with_the_reason(
    url: str, allowed: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InvalidArgument, match="'x': ") as caught:
        target(url, allowed, "x")
    assert caught.value.param == "x"
    assert words in caught.value.message


@given(
    st.sampled_from(["", "http://", "https://", "HTTP://[", "http://u@"]),
    st.text(max_size=30),
    st.sampled_from(["", "/x?y#z", ":80/", ":99999/", "]:1/"]),
)
def test_any_text_at_all_is_a_target_or_refused(start: str, middle: str, end: str) -> None:
    try:
        found = target(start + middle + end, ANY, "x")
    except InvalidArgument as error:
        assert error.param == "x"
    else:
        assert found.within == "public"
        assert found.port in (80, 443)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "2001::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_every_other_address_is_not(address: str) -> None:
    assert not is_public(address)
