"""What the edge decides of names, origins and forwarded headers; all of it pure."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.dialects.depth import MAX_DEPTH, is_too_deep, may_be_too_deep
from kronk.gateway.edge.addresses import address, group
from kronk.gateway.edge.forwarded import Claims, Proxies, Seen
from kronk.gateway.edge.headers import dressed, policy_of
from kronk.gateway.edge.hosts import Hosts, name_of
from kronk.gateway.edge.origins import is_foreign

# Depth.


def nesting(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), nesting, max_leaves=9))
def test_a_value_is_too_deep_by_its_longest_way_down(value: Any) -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value
        is_container = isinstance(value, dict | list)
        return 1 + max(map(depth, inner), default=0) if is_container else 0

    for _ in range(MAX_DEPTH - depth(value)):
        value = {"a": [1, 2], "b": [value]}["b"]
    assert not is_too_deep(value)
    assert is_too_deep([value])
    assert is_too_deep({"a": 1, "b": value})


def test_what_has_few_brackets_is_not_looked_at() -> None:
    half = MAX_DEPTH // 2
    assert not may_be_too_deep(b"[" * half + b"{" * half)
    assert may_be_too_deep("[" * half + "{" * (half + 1))


# Names.

NAMES = {
    "localhost": "localhost",
    "LOCALHOST:8080": "localhost",
    "localhost.:80": "localhost",
    " kronk.example ": "kronk.example",
    "127.0.0.1:8080": "127.0.0.1",
    "[::1]:8080": "::1",
    "[::FFFF:127.0.0.1]": "::ffff:127.0.0.1",
    "a_b-c.d": "a_b-c.d",
    # No names.
    "": None,
    ".": None,
    "::1": None,
    "[::1": None,
    "localhost:": None,
    "localhost:80:80": None,
    "localhost:port": None,
    "localhost@evil.example": None,
    "localhost/evil": None,
    "localhost evil.example": None,
    "localhost,evil.example": None,
    "localhost\0": None,
    "b\u00fccher.example": None,
    "a" * 254: None,
}


@pytest.mark.parametrize(("header", "name"), NAMES.items())
def test_a_host_header_has_a_name_or_is_malformed(header: str, name: str | None) -> None:
    assert name_of(header) == name


LISTED = ("kronk.example", "*.lan", "[2001:db8::7]")
OWN = "studio"
HOSTS = [
    # On this machine, by its own names.
    ("localhost:8080", "127.0.0.1", (), "allowed"),
    ("app.localhost", "127.0.0.1", (), "allowed"),
    ("127.0.0.1", "127.0.0.1", (), "allowed"),
    ("127.9.9.9:1", "127.0.0.1", (), "allowed"),
    ("[::1]:8080", "::1", (), "allowed"),
    ("[::ffff:127.0.0.1]", "127.0.0.1", (), "allowed"),
    ("localhost", "::ffff:127.0.0.1", (), "allowed"),
    ("studio:8080", "127.0.0.1", (), "allowed"),
    ("localhost", None, (), "allowed"),
    ("kronk.example", "127.0.0.1", LISTED, "allowed"),
    ("KRONK.example.:443", "127.0.0.1", LISTED, "allowed"),
    ("nas.lan", None, LISTED, "allowed"),
    ("anything", "127.0.0.1", ("*",), "allowed"),
    # By names that somebody had resolve to it.
    ("evil.example", "127.0.0.1", (), "foreign"),
    ("evil.example:8080", "::1", (), "foreign"),
    ("evil.example", None, (), "foreign"),
    ("evil.example", "127.0.0.1", LISTED, "foreign"),
    ("kronk.example.evil.example", "127.0.0.1", LISTED, "foreign"),
    ("lan", "127.0.0.1", LISTED, "foreign"),
    ("evillan", "127.0.0.1", LISTED, "foreign"),
    ("localhost.evil.example", "127.0.0.1", (), "foreign"),
    ("localhostevil", "127.0.0.1", (), "foreign"),
    ("127.0.0.1.evil.example", "127.0.0.1", (), "foreign"),
    ("127.0.0.1.nip.io", "127.0.0.1", (), "foreign"),
    ("2130706433", "127.0.0.1", (), "foreign"),
    ("0x7f.1", "127.0.0.1", (), "foreign"),
    ("0.0.0.0", "127.0.0.1", (), "foreign"),
    ("10.0.0.5", "127.0.0.1", (), "foreign"),
    # Over the network: any, unless there is a list.
    ("evil.example", "10.0.0.5", (), "allowed"),
    ("kronk.example", "10.0.0.5", LISTED, "allowed"),
    ("evil.example", "10.0.0.5", LISTED, "foreign"),
    ("localhost", "10.0.0.5", LISTED, "foreign"),
    ("[2001:db8::7]:1", "10.0.0.5", LISTED, "allowed"),
    # The address that was connected to is no name.
    ("10.0.0.5:8080", "10.0.0.5", LISTED, "allowed"),
    ("10.0.0.6", "10.0.0.5", LISTED, "foreign"),
    # Malformed ones are, everywhere.
    ("a b", "10.0.0.5", (), "malformed"),
    ("", "127.0.0.1", ("*",), "malformed"),
]


@pytest.mark.parametrize(("host", "local", "allowed", "verdict"), HOSTS)
def test_a_name_is_ours_listed_or_foreign(
    host: str, local: str | None, allowed: tuple[str, ...], verdict: str
) -> None:
    assert Hosts(allowed, OWN).verdict(host, local) == verdict


@pytest.mark.parametrize(
    ("host", "verdict"), [("10.0.0.9:8080", "allowed"), ("evil.example", "foreign")]
)
def test_a_probe_may_use_any_address_and_no_other_name(host: str, verdict: str) -> None:
    hosts = Hosts(LISTED, OWN)
    assert hosts.verdict(host, "10.0.0.5", is_probe=True) == verdict
    assert hosts.verdict(host, "127.0.0.1", is_probe=True) == verdict


@given(st.text(max_size=40), st.sampled_from(["127.0.0.1", "::1", None]))
def test_on_loopback_nothing_but_our_own_names_is_allowed(text: str, local: str | None) -> None:
    if Hosts((), OWN).verdict(text, local) == "allowed":
        name = name_of(text)
        assert name is not None
        found = address(name)
        is_ours = name in (OWN, "localhost") or name.endswith(".localhost")
        assert is_ours or (found is not None and found.is_loopback)


# Pages.

MINE = "https://app.example"
ORIGINS = [
    # Programs say nothing.
    ("POST", None, None, (), False),
    # Reading has us do something too.
    ("GET", "https://evil.example", "cross-site", (), True),
    ("GET", None, "cross-site", (), True),
    ("HEAD", "null", "cross-site", (), True),
    ("GET", "http://localhost:8080", "same-origin", (), False),
    ("GET", MINE, "cross-site", (MINE,), False),
    ("GET", None, "none", (), False),
    # CORS answers this.
    ("OPTIONS", "https://evil.example", "cross-site", (), False),
    # Our own pages.
    ("POST", "http://localhost:8080", "same-origin", (), False),
    ("POST", "http://localhost:8080", None, (), False),
    ("DELETE", "http://LOCALHOST:8080", None, (), False),
    # Behind a proxy that speaks TLS the browser knows better than we do.
    ("POST", "https://localhost:8080", None, (), False),
    ("POST", "https://kronk.example", "same-origin", (), False),
    ("POST", None, "none", (), False),
    # Other pages.
    ("POST", "https://evil.example", "cross-site", (), True),
    ("POST", "https://evil.example", None, (), True),
    ("PUT", "http://localhost:3000", "same-site", (), True),
    ("POST", "http://localhost:3000", None, (), True),
    ("POST", "http://localhost", None, (), True),
    ("POST", "null", None, (), True),
    ("POST", "null", "cross-site", (), True),
    ("POST", None, "cross-site", (), True),
    ("POST", None, "same-site", (), True),
    ("POST", None, "a-word-of-tomorrow", (), True),
    ("PATCH", "", None, (), True),
    ("POST", "http://localhost:8080@evil.example", None, (), True),
    ("POST", "http://evil.example/localhost:8080", None, (), True),
    ("POST", "http://localhost:99999", None, (), True),
    ("post", "https://evil.example", None, (), True),
    # Allowed ones.
    ("POST", MINE, "cross-site", (MINE,), False),
    ("POST", "https://app.example.evil.example", "cross-site", (MINE,), True),
    ("POST", "http://app.example", "cross-site", (MINE,), True),
    ("POST", "null", "cross-site", (MINE,), True),
    ("POST", "null", "cross-site", ("*",), False),
    ("POST", None, "cross-site", ("*",), False),
]


@pytest.mark.parametrize(("method", "origin", "site", "allowed", "foreign"), ORIGINS)
def test_a_page_of_another_origin_changes_nothing(
    method: str, origin: str | None, site: str | None, allowed: tuple[str, ...], foreign: bool
) -> None:
    assert is_foreign(method, origin, site, None, "localhost:8080", allowed) is foreign


@pytest.mark.parametrize(
    ("method", "mode", "foreign"),
    [
        ("GET", "navigate", False),
        ("HEAD", "navigate", False),
        ("GET", "no-cors", True),
        ("GET", "cors", True),
        # A form.
        ("POST", "navigate", True),
    ],
)
def test_a_link_that_a_user_follows_is_no_pages_doing(
    method: str, mode: str, foreign: bool
) -> None:
    assert is_foreign(method, None, "cross-site", mode, "localhost:8080", ()) is foreign


def test_an_origin_with_its_usual_port_has_none_in_host() -> None:
    assert not is_foreign("POST", "https://kronk.example:443", None, None, "kronk.example", ())
    assert not is_foreign("POST", "http://[::1]:8080", None, None, "[::1]:8080", ())
    assert is_foreign("POST", "https://kronk.example:444", None, None, "kronk.example", ())
    assert is_foreign("POST", "https://kronk.example", None, None, None, ())


@pytest.mark.parametrize(
    ("text", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_client_counts_once_for_all_addresses_it_may_have(text: str, counts_as: str) -> None:
    assert group(text) == counts_as


# Proxies.

NETWORKS = ("10.0.0.0/8", "::1/128", "127.0.0.1/32")
PROXIED = [
    # Nobody trusted is connected: nothing is believed.
    ("192.0.2.1", ("1.2.3.4",), ("https",), ("a.example",), Seen("192.0.2.1", "http")),
    ("192.0.2.1", (), (), (), Seen("192.0.2.1", "http")),
    # One proxy.
    ("10.0.0.1", ("1.2.3.4",), ("https",), ("a.example",), Seen("1.2.3.4", "https", "a.example")),
    ("10.0.0.1", (), (), (), Seen("10.0.0.1", "http")),
    ("::1", (" 1.2.3.4 ",), ("HTTPS",), (), Seen("1.2.3.4", "https")),
    ("::ffff:10.0.0.1", ("1.2.3.4",), (), (), Seen("1.2.3.4", "http")),
    # What the client itself wrote stands before it.
    ("10.0.0.1", ("9.9.9.9", "1.2.3.4"), (), (), Seen("1.2.3.4", "http")),
    ("10.0.0.1", ("127.0.0.1", "1.2.3.4"), (), (), Seen("1.2.3.4", "http")),
    ("10.0.0.1", ("1.2.3.4",), ("https", "http"), (), Seen("1.2.3.4", "http")),
    ("10.0.0.1", ("1.2.3.4",), (), ("a", "b"), Seen("1.2.3.4", "http", "b")),
    # Two proxies.
    ("10.0.0.1", ("1.2.3.4", "10.0.0.2"), (), (), Seen("1.2.3.4", "http")),
    (
        "10.0.0.1",
        ("9.9.9.9", "1.2.3.4", "10.0.0.2"),
        ("x", "https", "http"),
        (),
        Seen("1.2.3.4", "https"),
    ),
    ("10.0.0.1", ("1.2.3.4", "10.0.0.2"), ("https",), (), Seen("1.2.3.4", "https")),
    # A client of the trusted network itself.
    ("10.0.0.1", ("10.0.0.3", "10.0.0.2"), (), (), Seen("10.0.0.3", "http")),
    # Ports, brackets, zones.
    ("10.0.0.1", ("1.2.3.4:5678",), (), (), Seen("1.2.3.4", "http")),
    ("10.0.0.1", ("[2001:db8::1]:443",), (), (), Seen("2001:db8::1", "http")),
    ("10.0.0.1", ("::ffff:1.2.3.4",), (), (), Seen("1.2.3.4", "http")),
    # Nonsense ends the list.
    ("10.0.0.1", ("1.2.3.4", "unknown"), (), (), Seen("10.0.0.1", "http")),
    ("10.0.0.1", ("1.2.3.4", "evil", "10.0.0.2"), (), (), Seen("10.0.0.2", "http")),
    ("10.0.0.1", ("", ""), ("gopher",), ("",), Seen("10.0.0.1", "http")),
]


@pytest.mark.parametrize(("peer", "client", "scheme", "host", "seen"), PROXIED)
def test_forwarded_headers_are_believed_as_far_as_proxies_are_trusted(
    peer: str, client: tuple[str, ...], scheme: tuple[str, ...], host: tuple[str, ...], seen: Seen
) -> None:
    assert Proxies(NETWORKS).seen(peer, "http", Claims(client, scheme, host)) == seen


@given(st.lists(st.text(max_size=12), max_size=5))
def test_without_trusted_proxies_nothing_is_believed(values: list[str]) -> None:
    claims = Claims(values, values, values)
    assert Proxies(()).seen("127.0.0.1", "http", claims) == Seen("127.0.0.1", "http")


@given(st.lists(st.sampled_from(["9.9.9.9", "10.0.0.9", "::1", "x", ""]), max_size=4))
def test_what_a_client_writes_before_its_proxys_word_changes_nothing(values: list[str]) -> None:
    claims = Claims((*values, "1.2.3.4"), (*values, "https"))
    assert Proxies(NETWORKS).seen("10.0.0.1", "http", claims) == Seen("1.2.3.4", "https")


# Answers.


def test_every_answer_says_nosniff_and_is_not_stored() -> None:
    assert dict(dressed([(b"content-type", b"application/json")], hsts=False)) == {
        b"content-type": b"application/json",
        b"x-content-type-options": b"nosniff",
        b"cache-control": b"no-store",
    }


def test_what_a_route_says_itself_stays_as_it_is() -> None:
    said = [(b"Cache-Control", b"no-cache"), (b"content-security-policy", b"default-src 'self'")]
    found = dressed([*said, (b"content-type", b"text/html; charset=utf-8")], hsts=False)
    names = [name.lower() for name, _ in found]
    assert len(names) == len(set(names))
    assert found[:2] == said


def test_a_page_cannot_be_framed_and_runs_nothing_by_default() -> None:
    found = dict(dressed([(b"content-type", b"text/html")], hsts=False))
    assert b"default-src 'none'" in found[b"content-security-policy"]
    assert b"frame-ancestors 'none'" in found[b"content-security-policy"]
    assert found[b"x-frame-options"] == b"DENY"
    assert found[b"referrer-policy"] == b"no-referrer"
    assert found[b"cross-origin-opener-policy"] == b"same-origin"
    assert b"permissions-policy" in found
    assert b"strict-transport-security" not in found


def test_only_https_is_insisted_on() -> None:
    assert b"strict-transport-security" in dict(dressed([], hsts=True))


@pytest.mark.parametrize("name", ["landing.html", "docs.html"])
def test_the_policy_of_a_page_allows_its_own_script_and_no_other(name: str) -> None:
    page = resources.files("kronk.web").joinpath(name).read_text("utf-8")
    policy = policy_of(page)
    assert "unsafe" not in policy
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["style-src"].startswith("'sha256-")
    assert (rules["default-src"], rules["connect-src"]) == ("'none'", "'self'")
    # What a hash does not cover would not run: handlers and styles in attributes.
    for word in (" style=", " onclick=", " onload=", "javascript:", "<script ", "<style "):
        assert word not in page
