"""Arguments of tool calls as objects, whatever a model wrote that is JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.dialects.arguments import arguments_of

LARGEST = sys.float_info.max
VALUES = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("{}", {}),
        ('{"a":\n [1, 2.5, "x", null, true]}', {"a": [1, 2.5, "x", None, True]}),
        ('{"a": 1e999, "b": -1e999}', {"a": LARGEST, "b": -LARGEST}),
        ('{"a": %s}' % ("9" * 5000), {"a": LARGEST}),
        ('{"a": -%s}' % ("9" * 5000), {"a": -LARGEST}),
        ('{"a": NaN}', {"a": None}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        ('{"a": "x\\uD83Dy", "\\udc00": 1}', {"a": "x?y", "?": 1}),
    ],
)
def test_what_a_model_wrote_can_be_written_again(text: str, value: Any) -> None:
    assert arguments_of(text) == value
    json.dumps(arguments_of(text), ensure_ascii=False, allow_nan=False).encode()


@given(st.dictionaries(st.text(), VALUES | st.lists(VALUES)), st.booleans())
def test_ordinary_arguments_stay_what_they_are(value: dict[str, Any], ascii_only: bool) -> None:
    assert arguments_of(json.dumps(value, ensure_ascii=ascii_only)) == value
