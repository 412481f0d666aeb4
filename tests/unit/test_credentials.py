"""Which credential a request has, by its headers."""

from __future__ import annotations

import pytest

from kronk.gateway.access.credentials import Credential, credential_of
from kronk.shared.errors import Unauthenticated

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([(b"cookie", b"theme=dark")], None),
        ([(b"authorization", b"Bearer abc")], Credential("token", "abc")),
        ([(b"authorization", b"bearer   abc ")], Credential("token", "abc")),
        ([(b"x-api-key", b"abc")], Credential("token", "abc")),
        ([(b"authorization", b"Bearer abc"), (b"x-api-key", b"abc")], Credential("token", "abc")),
        ([(b"authorization", b"Bearer abc")] * 2, Credential("token", "abc")),
        ([(b"cookie", b"a=b; kronk_session=s3; c=d")], Credential("session", "s3")),
        ([(b"cookie", b"__Host-kronk_session=s3")], Credential("session", "s3")),
        # Left from before there was TLS, or planted by another port of the host.
        (
            [(b"cookie", b"kronk_session=s2"), (b"cookie", b"__Host-kronk_session=s3")],
            Credential("session", "s3"),
        ),
        (
            [(b"cookie", b"kronk_session=s3"), (b"authorization", b"Bearer abc")],
            Credential("token", "abc"),
        ),
    ],
)
def test_what_was_sent_is_found(headers: Headers, found: Credential | None) -> None:
    assert credential_of(headers) == found


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer  ")],
        [(b"authorization", b"abc")],
        [(b"authorization", b"Basic YWRtaW46YWRtaW4=")],
        [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")],
        [(b"authorization", b"Bearer a"), (b"x-api-key", b"b")],
        [(b"x-api-key", b"a"), (b"x-api-key", b"b")],
        [(b"cookie", b"kronk_session=a; kronk_session=b")],
        [(b"cookie", b"kronk_session=a"), (b"cookie", b"kronk_session=b")],
        [(b"cookie", b"__Host-kronk_session=a; __Host-kronk_session=b")],
    ],
)
def test_what_is_no_credential_or_two_is_refused(headers: Headers) -> None:
    with pytest.raises(Unauthenticated):
        credential_of(headers)


def test_a_credential_does_not_show_what_it_is() -> None:
    assert "abc" not in repr(Credential("token", "abc"))
