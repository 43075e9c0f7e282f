"""What a page may run and fetch: its content security policy.

Nothing from elsewhere, and no inline script but the theme's own, which are
named by their hashes: markup that got into a page could run nothing.
"""

import base64
import hashlib
import re

# Data such as the theme's settings is no script: a type says so.
INLINE = re.compile(r"<script>(.*?)</script>", re.S)
HEAD = '<meta charset="utf-8">'
# KaTeX places its glyphs by style attributes, and style sheets draw icons
# from data: addresses. There is no <style>, no frame, no form to send.
RULES = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "connect-src 'self'; font-src 'self'; img-src 'self' data:; "
    "style-src 'self'; style-src-attr 'unsafe-inline'; worker-src 'self'; "
    "script-src 'self'"
)


def with_policy(page: str) -> str:
    """A page's HTML with its policy, before anything that it governs."""
    if page.count(HEAD) != 1:
        raise ValueError(f"expected {HEAD} once, found {page.count(HEAD)}")
    hashes = dict.fromkeys(map(_hash, INLINE.findall(page)))
    rules = " ".join([RULES, *hashes])
    meta = f'<meta http-equiv="Content-Security-Policy" content="{rules}">'
    return page.replace(HEAD, f"{HEAD}\n{meta}")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
