"""Durations, sizes and addresses as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.units import (
    Address,
    format_bytes,
    format_duration,
    parse_address,
    parse_budget,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5m", 90),
        ("250ms", 0.25),
        ("2d", 172800),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("4096", 4096),
        ("4096B", 4096),
        ("1k", 1024),
        ("1KB", 1000),
        ("512 MB", 512_000_000),
        ("512MiB", 512 * 2**20),
        ("1.5g", 1_610_612_736),
        ("2TiB", 2 * 2**40),
    ],
)
def test_a_size_is_read(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-1", "1e9", "5 PB", "1,5G", "1 M B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "0", "90", "100", "-1", "banana", "0%", "101%", "%", "nan%"])
def test_what_is_no_budget_is_refused_with_both_forms_it_may_have(text: str) -> None:
    with pytest.raises(ValueError, match=r"a share such as 90%.* or a size such as 24GB"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1h 30m", "5x", "1,5m", "∞"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.4, "0s"), (59.6, "1m"), (299, "4m59s"), (7500, "2h5m"), (90061, "1d1h")],
)
def test_a_duration_is_shown_by_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_a_shown_duration_can_be_read_back_to_within_its_last_unit(seconds: int) -> None:
    text = format_duration(seconds)
    read = parse_duration("0" if text == "0s" else text)
    assert 0 <= seconds - read < max(1, seconds)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (714 * 2**20, "714 MiB"),
        (5 * 2**40, "5.0 TiB"),
    ],
)
def test_a_size_is_shown_in_binary_units(count: float, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("text", "address", "url"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        ("localhost:9000", Address("localhost", 9000), "http://localhost:9000"),
        (":8080", Address("0.0.0.0", 8080), "http://127.0.0.1:8080"),
        ("[::1]:8080", Address("::1", 8080), "http://[::1]:8080"),
        ("[::]:8080", Address("::", 8080), "http://[::1]:8080"),
        ("http://host:1/", Address("host", 1), "http://host:1"),
    ],
)
def test_an_address_is_read_and_reached(text: str, address: Address, url: str) -> None:
    assert parse_address(text) == address
    assert address.url == url


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "host:x", "host:70000", "::1:8080", "host:-1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|brackets"):
        parse_address(text)
