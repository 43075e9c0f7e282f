"""Code in colour: a piece of a notebook or of a module as HTML."""

import builtins
import keyword
import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import Name, Number, String

# Names, spaces and punctuation have the colour of the text anyway; without
# their tags a page is a tenth smaller.
PLAIN_TOKEN = re.compile(r'<span(?: class="(?:n|w|p|o)")?>([^<]*)</span>')
KEYWORDS = "|".join(keyword.kwlist)
NAMED = "|".join(
    [*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "self|cls|lazy"]
)
WORD = r"[^\W\d]\w*(?![\w\"'])"
# As much as possible of what has no colour, as one token: Pygments would try
# forty patterns at each name, space and bracket. Left to it are the start of
# a line, prefixes of strings, numbers and every name that means something.
UNCOLOURED = (
    rf"(?:(?<=\.)(?!(?:{KEYWORDS}|__\w+)\b){WORD}"
    rf"|(?<![\w.])(?!(?:{NAMED}|__\w+)\b){WORD}"
    r"|\n *(?! |[rRuUbB]?[\"'@\\]|(?:case|lazy|match|type)\b)"
    r"|(?<=\S) +|\.(?!\d)|[]{}:(),;[~+/*%=<>&^|-]|!=)+"
)
# Strings and numbers that hold nothing but themselves, each as one token too.
PLAIN_STRING = r'"[^"\\{}%\n]+"'
PLAIN_NUMBER = r"(?<![\w.])\d+(?![\w.])"


class _Lexer(PythonLexer):
    tokens = PythonLexer.tokens | {
        "root": [
            (UNCOLOURED, Name),
            (PLAIN_STRING, String.Double),
            (PLAIN_NUMBER, Number.Integer),
            *PythonLexer.tokens["root"],
        ]
    }


# Made once: a formatter derives its style sheet anew each time.
LEXER = _Lexer()
FORMATTER = HtmlFormatter(nowrap=True)


def listing(source: str, numbers: tuple[int, ...] = ()) -> str:
    """A piece of Python, with the number in its file of each line, if any.

    A style sheet shows the numbers, so that nobody copies them.
    """
    text = plain(highlight(source, LEXER, FORMATTER))
    if numbers:
        pairs = zip(numbers, text.rstrip("\n").split("\n"), strict=True)
        text = "".join(
            f'<span data-linenos="{number:3}"></span>{line}\n'
            for number, line in pairs
        )
    return (
        '<div class="language-python highlight"><pre><code>'
        f"{text}</code></pre></div>"
    )


def plain(html: str) -> str:
    """Without the tags that change no colour."""
    return PLAIN_TOKEN.sub(r"\1", html)
