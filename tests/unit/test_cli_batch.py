"""What `kronk batch` shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kronk.cli.batch import page, row
from kronk.gateway.batches.objects import batch_object
from kronk.gateway.batches.records import Batch, Counts, Fault, Status

BATCH = Batch(
    id="batch_1",
    endpoint="/v1/embeddings",
    input_file="file-1",
    completion_window="24h",
    created_at=1000,
    expires_at=87400,
    output_file="file-2",
    error_file="file-3",
    status=Status.IN_PROGRESS,
    reached={"in_progress": 1001},
    model="m",
    counts=Counts(9, 4, 1),
)


def seen(**changes: Any) -> dict[str, Any]:
    return batch_object(replace(BATCH, **changes))


def test_a_batch_is_one_line_of_the_list() -> None:
    assert row(seen(), 1090.0) == (
        "batch_1",
        "in_progress",
        "/v1/embeddings",
        "m",
        "4",
        "1",
        "9",
        "1m30s",
    )


def test_a_batch_that_was_not_looked_at_has_no_model_yet() -> None:
    assert row(seen(model=None), 0.0)[3::4] == ("-", "0s")


def test_a_page_has_files_steps_and_faults() -> None:
    faults = (Fault("empty_file", "No requests."), Fault("invalid_method", "No.", 3, "method"))
    text = "\n".join(page(seen(faults=faults, has_output=True, metadata={"for": "me"})))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "batch_1"
    for line in (
        "requests 4 answered, 1 failed, 9 in all",
        "input file-1",
        "output file-2",
        "error -",
        "for me",
        "No requests. (empty_file)",
        "line 3: No. (invalid_method)",
    ):
        assert line in lines
    assert [line.split()[0] for line in lines if line.count(":") == 2] == [
        "created",
        "in_progress",
    ]
