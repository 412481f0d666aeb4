"""What an answer looks like: Markdown, code, formulas, and nothing fetched from elsewhere."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.browser import PHONE

from .conftest import OpenUi

ANSWER = r"""
## A heading

It costs $5 and $10; let \(x_1 = 2\), and

\[ \int_0^1 x^2 dx = \frac{1}{3} \]

| City | Population of the city and of all that is around it |
| --- | ---: |
| Paris | 2,100,000 |

- [x] done
- [ ] open

```python
print("hello")  # too long for a phone: it has to scroll in itself, not with the page
```

![a picture](https://elsewhere.example/secret.png) <b onclick="alert(1)">raw</b>
[a link](https://elsewhere.example/) [a trap](javascript:alert(1))
"""
STATS: dict[str, Any] = {"seconds": 1, "completion_tokens": 5, "prompt_tokens": 3} | dict.fromkeys(
    ("cached_tokens", "ttft", "tokens_per_second", "thinking_seconds", "reasoning_tokens")
)
FIELDS: dict[str, Any] = {
    "state": "done",
    "content": ANSWER,
    "reasoning": "I **think**.",
    "tool_calls": [],
    "logprobs": [],
    "model": "Tiny",
    "finish_reason": "stop",
    "stats": STATS,
    "error": None,
    "standing": None,
}


def shown(page: Page) -> None:
    """Puts the answer where `/compare` keeps its last one, before the page is opened."""
    column = {"model": "Tiny", "answer": FIELDS, "asked": 0}
    run = {"id": "r", "prompt": "Show me", "system": "", "columns": [column, column]}
    text = json.dumps(json.dumps(run))
    page.add_init_script(f"localStorage.setItem('kronk.compare.run', {text})")


def test_an_answer_is_drawn_safely(page: Page, open_ui: OpenUi) -> None:
    shown(page)
    open_ui("/compare")
    answer = page.get_by_role("article", name="Tiny").first
    expect(answer.get_by_role("heading", name="A heading")).to_be_visible()
    expect(answer.locator(".katex")).to_have_count(2)
    expect(answer).to_contain_text("It costs $5 and $10")
    expect(answer.get_by_role("cell", name="2,100,000")).to_be_visible()
    expect(answer.get_by_role("checkbox", name="Done")).to_be_checked()
    expect(answer.locator(".hljs-string")).to_have_text('"hello"')
    expect(answer.get_by_role("button", name="Copy the code")).to_be_visible()
    # What would be fetched from elsewhere is a link, and tags are letters.
    expect(answer.locator("img")).to_have_count(0)
    expect(answer.get_by_role("link", name="Picture: a picture")).to_be_visible()
    expect(answer).to_contain_text('<b onclick="alert(1)">raw</b>')
    expect(answer.get_by_role("link", name="a link")).to_have_attribute("target", "_blank")
    expect(answer.get_by_role("link", name="a trap")).to_have_count(0)
    thoughts = answer.get_by_role("button", name="Thoughts")
    expect(thoughts).to_have_attribute("aria-expanded", "false")
    thoughts.click()
    expect(answer.get_by_text("think", exact=True)).to_be_visible()
    assert_accessible(page)


def test_wide_code_and_tables_scroll_in_themselves(page: Page, open_ui: OpenUi) -> None:
    shown(page)
    open_ui("/compare", size=PHONE)
    expect(page.locator(".hljs-string").first).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE[0]
