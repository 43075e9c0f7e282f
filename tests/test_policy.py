r"""The content security policy: what a page may run, seen in a browser."""

import re
from urllib.parse import urlsplit

import pytest
from conftest import refused
from policy import with_policy

HEAD = '<html><head><meta charset="utf-8"><title>x</title></head>'
# Each would set a mark; without the policy a browser runs the first three.
ATTACKS = {
    "script-src-elem": """() => {
      const script = document.createElement("script")
      script.textContent = "window.marked = true"
      document.body.append(script)
    }""",
    "script-src-attr": """() => {
      document.body.insertAdjacentHTML(
        "beforeend", "<img src='data:,' onerror='window.marked = true'>")
    }""",
    "script-src": """() => {
      setTimeout("window.marked = true", 0)
    }""",
    "frame-src": """() => {
      const frame = document.createElement("iframe")
      frame.src = "data:text/html,<script>parent.marked = true</script>"
      document.body.append(frame)
    }""",
}


def watched(browser, url, policy=True):
    r"""A page, its list of violations, and whatever the console said."""
    context = browser.new_context(bypass_csp=not policy)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.extend(refused(message)))
    page.add_init_script(
        "window.violations = []; addEventListener('securitypolicyviolation', "
        "event => violations.push(event.effectiveDirective))"
    )
    page.goto(url, wait_until="networkidle")
    return page, said


@pytest.mark.parametrize("name", ["", "404.html"])
def test_a_page_runs_under_its_own_policy(browser, address, name):
    # Others are watched whenever a test opens them.
    page, said = watched(browser, address + name)
    assert page.evaluate("violations") == [] and said == []
    # The theme has run: it tells the style sheets that there are scripts.
    assert "js" in page.locator("html").get_attribute("class").split()
    page.context.close()


def test_the_policy_blocks_what_is_injected(browser, address):
    page, said = watched(browser, address + "labkd/soft_targets/")
    for directive, attack in ATTACKS.items():
        page.evaluate("() => { violations = [] }")
        page.evaluate(attack)
        page.wait_for_function("() => violations.length", timeout=10_000)
        assert set(page.evaluate("violations")) == {directive}
        assert page.evaluate("window.marked === undefined")
    assert len(said) >= len(ATTACKS)
    # Nor is anything fetched from elsewhere, or sent there.
    for fetch, directive in {
        "fetch('http://127.0.0.1:9/').catch(() => {})": "connect-src",
        "() => { new Image().src = 'http://127.0.0.1:9/' }": "img-src",
    }.items():
        page.evaluate("() => { violations = [] }")
        page.evaluate(fetch)
        page.wait_for_function("() => violations.length", timeout=10_000)
        assert set(page.evaluate("violations")) == {directive}
    page.context.close()


def test_without_a_policy_the_same_would_run(browser, address):
    page, _ = watched(browser, address, policy=False)
    for directive, attack in ATTACKS.items():
        if directive != "frame-src":
            page.evaluate("() => { delete window.marked }")
            page.evaluate(attack)
            page.wait_for_function("() => window.marked", timeout=10_000)
    page.context.close()


def test_every_page_has_one_policy_before_all_it_governs(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    for path in pages:
        text = path.read_text("utf-8")
        head, found, rest = text.partition("http-equiv")
        assert found and "http-equiv" not in rest, path
        assert not re.search(r"<(script|link|style|img)\b", head), path
        assert "<style" not in text and "javascript:" not in text, path
        assert not re.search(r"<[^>]+\son[a-z]+=", text), path
        rules = rest.partition('content="')[2].partition('"')[0].split("; ")
        sources = {r.split()[0]: r.split()[1:] for r in rules}
        assert sources["default-src"] == ["'none'"]
        assert not any(urlsplit(s).netloc for r in rules for s in r.split())
        loose = {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"}
        # KaTeX places its glyphs by style attributes: there and nowhere else.
        assert sources.pop("style-src-attr") == ["'unsafe-inline'"]
        assert not any(loose & set(allowed) for allowed in sources.values())


def test_a_script_is_named_by_what_it_holds():
    # The digest is that of `printf alert\(1\) | openssl dgst -sha256 -binary
    # | base64`.
    page = with_policy(f"{HEAD}<script>alert(1)</script>")
    assert "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in page
    assert page == with_policy(f"{HEAD}<script>alert(1)</script>")
    twice = with_policy(f"{HEAD}{'<script>alert(1)</script>' * 2}")
    assert twice.count("sha256-") == 1
    # Settings are data; a file is named by its address.
    for harmless in ('<script type="application/json">', '<script src="a">'):
        assert "sha256" not in with_policy(f"{HEAD}{harmless}</script>")


@pytest.mark.parametrize("page", ["", "<html></html>", HEAD * 2])
def test_a_page_that_is_not_as_expected_is_refused(page):
    with pytest.raises(ValueError, match="once, found"):
        with_policy(page)
