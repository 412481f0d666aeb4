"""`kronk diagnose` of a real server that has had real requests."""

from __future__ import annotations

import json
from typing import Any

from harness.server import Server, kronk

CANARY = "CANARY-what-only-this-request-says"


def test_a_report_has_all_sections_and_nothing_of_what_was_asked(house: Server) -> None:
    answered = house.chat("Tiny", f"Echo back the word: {CANARY}", max_tokens=8)
    refused = house.chat("Tiny", CANARY * 2000, max_tokens=1)
    assert (answered.status_code, refused.status_code) == (200, 400)
    done = kronk("diagnose", "--json", f"--base-path={house.base}")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    found: dict[str, Any] = {each["name"]: each for each in document["sections"]}
    assert {name: each["failure"] for name, each in found.items() if each["failure"]} == {}
    # Short enough to be seen although it was cut.
    assert CANARY[:24] not in done.stdout and str(house.mark) not in done.stdout

    models = {row["id"]: row for row in found["models"]["content"]}
    assert models["Tiny"]["architecture"] == "llama" and models["Tiny"]["quantization"] == "Q8_0"
    settings = found["settings"]["content"]["of the running server"]
    given = {row["setting"]: row for row in settings}
    assert (
        given["models_in_cache"]["value"] == "9" and given["models_in_cache"]["from"] != "default"
    )
    assert given["spare"]["from"] == "default" and given["hf_token"]["value"] == "not set"
    chosen = {
        (row["model"], row["setting"]): row["value"] for row in found["configuration"]["content"]
    }
    assert chosen["Tiny", "context_window"] == 1024
    server = found["server"]["content"]
    assert {"supervisor", "gateway"} <= {row["role"] for row in server["processes"]}
    assert "Tiny" in {row["model"] for row in server["models"]}
    assert {row["name"] for row in found["doctor"]["content"]} >= {"decode", "memory", "port"}
    bench = found["benchmark"]["content"]
    assert bench["figures"][0]["tokens_per_second"] > 0
