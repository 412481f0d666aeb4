"""Is a page accessible, and does it fit? What axe-core finds, in words, and what sticks out."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from .browser import AXE

# What keeps somebody from using the page; the lesser ones are advice.
_GRAVE = ("serious", "critical")
# What it finds while a page is still being drawn is gone when it looks again, milliseconds later.
_TRIES = 4
_PAUSE = 250
_RUN = """async () => {
  // A colour on its way from light to dark is neither.
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const ways = document.getAnimations().filter((one) => one instanceof CSSTransition);
  await Promise.allSettled(ways.map((one) => one.finished));
  const { violations } = await axe.run(document, { resultTypes: ['violations'], preload: false });
  return violations.map(({ id, impact, help, nodes }) => (
    { id, impact, help, elements: nodes.map(({ html, any, all }) => (
      { html, why: [...any, ...all].map(({ message }) => message).join('; ') })) }));
}"""


def assert_accessible(page: Page) -> None:
    """Fail when axe-core finds a serious or critical violation on the page as it is now; says which
    rule, where, and what it wants."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    for _ in range(_TRIES):
        if not (grave := _grave(page)):
            return
        page.wait_for_timeout(_PAUSE)
    assert not grave, "\n".join([f"not accessible: {page.url}", *grave])


def _grave(page: Page) -> list[str]:
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [line for one in found if one["impact"] in _GRAVE for line in _told(one)]


def _told(violation: dict[str, Any]) -> list[str]:
    elements = violation["elements"]
    shown = [f"    {one['html'][:300]}\n      {one['why'][:300]}" for one in elements[:5]]
    more = [f"    and {len(elements) - 5} more"] if len(elements) > 5 else []
    return [f"{violation['id']} ({violation['impact']}): {violation['help']}", *shown, *more]


def too_wide(page: Page) -> list[str]:
    """What sticks out at the right so that the page scrolls sideways."""
    found: list[str] = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          return [...document.body.querySelectorAll('*')]
            .filter((element) => element.getBoundingClientRect().right > width + 1)
            .slice(0, 5)
            .map((element) => element.outerHTML.slice(0, 200));
        }"""
    )
    return found
