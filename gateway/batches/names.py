"""Names of files, batches, jobs and what people keep, which sort by the time they were made at."""

from __future__ import annotations

import re
import secrets
import time

# Microseconds since 1970 in hexadecimal: good until 2112.
_TIME_DIGITS = 13

FILE = "file-"
BATCH = "batch_"
JOB = "job-"
CONVERSATION = "conv-"
PROMPT = "prompt-"
_DIGITS = {FILE: 24, BATCH: 32, JOB: 20, CONVERSATION: 24, PROMPT: 24}


def new_name(prefix: str) -> str:
    """The prefix and as many hexadecimal digits as it has: the time first, then chance."""
    now = f"{time.time_ns() // 1000:0{_TIME_DIGITS}x}"
    return prefix + now + secrets.token_hex(_DIGITS[prefix])[: _DIGITS[prefix] - len(now)]


def is_name(prefix: str, text: str) -> bool:
    """`text` may have come from `new_name`."""
    return bool(re.fullmatch(rf"{prefix}[0-9a-f]{{{_DIGITS[prefix]}}}", text))
