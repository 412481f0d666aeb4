"""However an answer is cut into pieces, the same calls come out, and every character is counted."""

from __future__ import annotations

import pytest

from harness import transcripts
from harness.transcripts import Transcript, check
from kronk.worker.parsers import hermes
from kronk.worker.parsers.base import Family

FAMILIES = ((hermes.FAMILY, transcripts.HERMES),)


@pytest.mark.parametrize(
    ("family", "transcript"),
    [
        pytest.param(family, transcript, id=f"{family.name}: {transcript.title}")
        for family, table in FAMILIES
        for transcript in table
    ],
)
def test_what_a_client_sees(family: Family, transcript: Transcript) -> None:
    check(family, transcript)
