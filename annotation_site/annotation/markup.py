"""A lead's Markdown as safe HTML: parsed without raw HTML, then cleaned by an allow-list."""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

ALLOWED = {
    "p", "br", "strong", "em", "code", "ul", "ol", "li", "blockquote", "h3", "h4", "hr", "table",
    "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
"""No links, so that nobody is led away from the work; no pictures but the round's own examples."""

_parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")


def render_markdown(text: str) -> SafeString:
    """Turn Markdown into HTML that may stand in a page.

    Headings become h3 and below, since the page has its own above them.

    Args:
        text: As a lead typed it.
    """
    html = _parser.render(text)
    for level, shown in (("h1", "h3"), ("h2", "h3"), ("h5", "h4"), ("h6", "h4")):
        html = html.replace(f"<{level}>", f"<{shown}>").replace(f"</{level}>", f"</{shown}>")
    clean = nh3.clean(html, tags=ALLOWED, attributes={}, link_rel=None)
    return mark_safe(clean)  # noqa: S308  (cleaned in the line above)
