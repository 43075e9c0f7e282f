"""Markdown that spends no time on text in which nothing is marked up.

Each piece of text is tried against fifteen patterns. Most pieces, cells of
tables above all, hold none of the characters with which one could begin.
"""

import re

from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

# Code, formulas, escapes, links, images, tags, entities, emphasis, a break.
MARKED_UP = re.compile(r"[`$\\[!<&*_]|  \n")


class PlainText(Extension):
    """To be the last of a page's extensions."""

    def extendMarkdown(self, md) -> None:
        # Before the inline patterns, whose priority is 20.
        md.treeprocessors.register(_Marker(md), "plain_text", 21)


class _Marker(Treeprocessor):
    def run(self, root) -> None:
        for element in root.iter():
            if element.text and not MARKED_UP.search(element.text):
                element.text = AtomicString(element.text)
