r"""The built site, a server for it, and a browser: once a test session."""

import os
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock
from pages_server import find_browser, serving

# Before torch is imported. The tests share the cores: threads of one that
# wait for threads of another would spin for most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync"""


def pytest_collection_modifyitems(items):
    r"""The longest files first, so that no worker ends with one of them."""
    longest = "notebooks other_notebooks experiments browser".split()
    places = {f"test_{name}.py": place for place, name in enumerate(longest)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def build(folder, target, **environment):
    r"""Builds the site of a checkout strictly, as `make site` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", target],
        cwd=folder,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"} | environment,
        capture_output=True,
        text=True,
    )


def copy_of_the_package(folder):
    r"""What a wheel is made of, in a folder `source`."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "labkd", source / "labkd", ignore=ignored)
    return source


def wheel_of(source):
    r"""The package as pip makes it, without a network."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-v"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "."]
    told = subprocess.run(command, cwd=source, check=True, capture_output=True)
    # Newer ones of pip show this to whoever installs: hundreds of lines.
    assert b"would be ignored" not in told.stdout + told.stderr
    (wheel,) = source.glob("labkd-*.whl")
    return wheel


def made_once(factory, name, make):
    r"""
    A folder that one of the workers makes, and all of them read.

    * `name`: of the folder
    * `make`: makes it where it is told
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    with FileLock(base / f"{name}.lock"):
        if not folder.exists():
            part = base / f"{name}.part"
            make(part)
            part.rename(folder)
    return folder


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    r"""The package as `pip install` leaves it, away from any checkout."""

    def install(target):
        source = copy_of_the_package(tmp_path_factory.mktemp("wheel"))
        with zipfile.ZipFile(wheel_of(source)) as wheel:
            wheel.extractall(target)

    return made_once(tmp_path_factory, "site-packages", install)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed_build(target):
    r"""Builds this checkout's site: the processor's seconds."""
    before = processor_seconds()
    done = build(ROOT, target)
    assert done.returncode == 0, done.stdout + done.stderr
    return processor_seconds() - before


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    r"""The folder of this checkout's site."""
    return made_once(tmp_path_factory, "site", timed_build)


@pytest.fixture(scope="session")
def address(site):
    r"""Where the site is served while the tests run."""
    with serving(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    found = find_browser()
    if found is None:
        pytest.fail(
            "no browser: install the Debian package `chromium`, or set "
            "CHROMIUM to one"
        )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found, args=FLAGS.split()
        )
        yield chromium
        chromium.close()


def refused(message):
    return [message.text] if "Security Policy" in message.text else []


@pytest.fixture
def open_page(browser, address):
    r"""Opens a page of the site; no request may go anywhere else."""
    contexts, elsewhere, errors = [], [], []

    def open_page(name, width=1440, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: elsewhere.append(r.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        # What the page's own policy refuses is told to the console alone.
        page.on("console", lambda m: errors.extend(refused(m)))
        page.goto(address + name)
        page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()
    own = address, "data:", "blob:"
    assert [url for url in elsewhere if not url.startswith(own)] == []
    assert errors == []


def scroll_through(page):
    r"""Everything that is made when it comes into sight gets made."""
    page.evaluate(
        """async () => {
          for (let y = 0; y < document.body.scrollHeight; y += 400) {
            scrollTo(0, y)
            await new Promise(done => setTimeout(done, 30))
          }
          scrollTo(0, 0)
        }"""
    )


@pytest.fixture(scope="session")
def cifar10():
    r"""Skips a test on a machine that has no copy of CIFAR-10."""
    try:
        from labkd.data import load

        return load("cifar10", "test", download=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))
