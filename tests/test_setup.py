r"""Set-up: the pinned environment, the make verbs, the one address."""

import ast
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from conftest import copy_of_the_package, wheel_of
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import labkd

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ADDRESS = PROJECT["project"]["urls"]["Repository"]
VERBS = {
    "audit",
    "help",
    "lighthouse",
    "site",
    "test",
    "soak",
    "notebooks",
    "records",
    "requirements",
    "clean",
}


def direct_requirements():
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    # Loggers are the reader's choice.
    needed = [lines for name, lines in extras.items() if name != "log"]
    lines = sum(needed, project["dependencies"])
    # One layer rests on another.
    return [r for r in map(Requirement, lines) if r.name != "labkd"]


def pinned_requirements():
    text = (ROOT / "requirements.txt").read_text("utf-8")
    lines = [line.strip() for line in text.splitlines()]
    return [
        Requirement(line)
        for line in lines
        if line and not line.startswith("#")
    ]


def pinned_version(requirement):
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", requirement
    return specifier.version


def pins_on(**environment):
    r"""Name -> version of the pins that hold in an environment."""
    return {
        canonicalize_name(pin.name): pinned_version(pin)
        for pin in pinned_requirements()
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def tracked_texts():
    r"""(path, text) of every text file that git keeps."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or not path.is_file():
            continue
        content = path.read_bytes()
        # The rule that git itself uses to tell a binary file.
        if b"\0" not in content[:8000]:
            yield name, content.decode("utf-8")


def make(*arguments):
    # Flags of a make that runs these tests are not meant for this one.
    flags = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL"}
    environment = {k: v for k, v in os.environ.items() if k not in flags}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def write_script(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def fake_python(path, version):
    r"""A script that passes for a Python of that version."""
    program = f"import sys; sys.version_info = {version}; exec(sys.argv[1])"
    return write_script(path, f'exec "{sys.executable}" -c "{program}" "$2"')


@pytest.fixture
def busy_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# -- requirements.txt ----------------------------------------------------


@pytest.mark.parametrize("requirement", direct_requirements(), ids=str)
def test_every_direct_requirement_is_pinned_within_its_range(requirement):
    name = canonicalize_name(requirement.name)
    pins = [
        p for p in pinned_requirements() if canonicalize_name(p.name) == name
    ]
    assert len(pins) == 1
    assert pins[0].marker is None
    assert requirement.specifier.contains(pinned_version(pins[0]))


def test_every_line_of_the_requirements_is_a_pin_without_host_or_path():
    text = (ROOT / "requirements.txt").read_text("utf-8")
    assert "make requirements" in text.splitlines()[1]
    for pin in pinned_requirements():
        assert pin.url is None
        assert pinned_version(pin)
    for line in text.splitlines():
        assert "://" not in line
        assert not line.startswith(("-", ".", "/"))


def test_the_pins_are_complete():
    pins = pins_on()
    for name in pins:
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            environment = {**default_environment(), "extra": ""}
            if needed.marker and not needed.marker.evaluate(environment):
                continue
            needed_name = canonicalize_name(needed.name)
            assert needed_name in pins, f"{name} needs {needed_name}"
            version = pins[needed_name]
            assert needed.specifier.contains(version, prereleases=True)


def test_the_environment_of_this_run_is_the_pinned_one():
    pins = pins_on()
    assert {name: metadata.version(name) for name in pins} == pins


def test_markers_keep_each_platform_to_its_own_packages():
    linux = {"sys_platform": "linux", "platform_machine": "x86_64"}
    macos = {"sys_platform": "darwin", "platform_machine": "arm64"}
    windows = {"sys_platform": "win32", "platform_machine": "AMD64"}
    pins = {
        system["sys_platform"]: pins_on(**system)
        for system in (linux, macos, windows)
    }
    nvidia = {
        system: [name for name in names if name.startswith("nvidia-")]
        for system, names in pins.items()
    }
    assert nvidia["linux"]
    assert not nvidia["darwin"]
    assert not nvidia["win32"]
    assert "pexpect" in pins["darwin"]
    assert "pexpect" not in pins["win32"]


# -- the package ---------------------------------------------------------


def test_the_wheel_holds_the_records_and_asks_for_loose_ranges(tmp_path):
    source = copy_of_the_package(tmp_path)
    run = source / "labkd" / "results" / "planted" / "laptop-seed0.json"
    run.parent.mkdir(parents=True)
    run.write_text("{}")
    run.with_suffix(".safetensors").write_bytes(b"")

    wheel = wheel_of(source)
    assert wheel.name.startswith(f"labkd-{labkd.__version__}-")
    names = zipfile.ZipFile(wheel).namelist()
    kept = [path.relative_to(source) for path in source.glob("labkd/**/*.*")]
    assert {path.as_posix() for path in kept} <= set(names)
    assert "labkd/results/planted/laptop-seed0.safetensors" in names
    for line in PROJECT["project"]["dependencies"]:
        assert [s.operator for s in Requirement(line).specifier] == [">="]


# What others have: Colab's torch, an older one without torchvision, ours.
COURSE = "matplotlib pandas scipy scikit-learn safetensors pillow filelock"
INSTALLED = {
    "Colab": ("[course]", "torch==2.9.0+cu126 torchvision==0.24.0+cu126"),
    "a CPU's": ("[course]", "torch==2.6.0+cpu torchvision==0.21.0+cpu"),
    "no torchvision": ("", "torch==2.9.0"),
}


@pytest.mark.parametrize("name", INSTALLED)
def test_installing_it_replaces_nobodys_torch(name, tmp_path):
    extras, torch = INSTALLED[name]
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    (place,) = environment.glob("lib/python*/site-packages")
    there = [f"{other}==99.0" for other in f"{COURSE} tqdm".split()]
    for line in (*torch.split(), "numpy==2.0.2", *(there if extras else ())):
        package, version = line.split("==")
        folder = f"{package.replace('-', '_')}-{version}.dist-info"
        told = place / folder / "METADATA"
        told.parent.mkdir()
        told.write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
    wheel = wheel_of(copy_of_the_package(tmp_path))
    command = [sys.executable, "-m", "pip", "--python", environment]
    command += "install --dry-run --quiet --no-index --report -".split()
    done = subprocess.run(
        [*command, f"labkd{extras} @ {wheel.as_uri()}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    chosen = json.loads(done.stdout)["install"]
    assert [found["metadata"]["name"] for found in chosen] == ["labkd"]


def imported_names(path):
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def undeclared_imports(paths, requirements):
    declared = {canonicalize_name(r.name) for r in requirements}
    owners = metadata.packages_distributions()
    ours = {"labkd"} | {path.stem for path in paths}
    return {
        (path.name, name)
        for path in paths
        for name in set(imported_names(path)) - ours - sys.stdlib_module_names
        if not declared & {canonicalize_name(o) for o in owners.get(name, ())}
    }


def layer(*extras):
    r"""The requirements of the package with some of its extras."""
    project = PROJECT["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def test_the_core_asks_for_torch_and_numpy_alone():
    assert {r.name for r in layer()} == {"torch", "numpy"}


def test_whatever_the_package_imports_its_layers_declare():
    core = list(ROOT.glob("labkd/*.py")) + list(ROOT.glob("notebooks/*.py"))
    assert undeclared_imports(core, layer("course")) == set()
    lab = list(ROOT.glob("labkd/lab/*.py"))
    assert undeclared_imports(lab, layer("course", "lab")) == set()


def test_whatever_the_site_and_the_tests_import_is_declared():
    paths = list(ROOT.glob("docs/_site/*.py")) + list(ROOT.glob("tests/*.py"))
    assert undeclared_imports(paths, direct_requirements()) == set()


# -- make ----------------------------------------------------------------


def test_help_lists_every_verb():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(phony.split()) == VERBS
    listed = re.findall(r"^make (\w+): \S", make("help").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(VERBS)


@pytest.mark.parametrize("verb", ["site", "test"])
def test_an_old_interpreter_is_named_with_its_version(verb, tmp_path):
    old = fake_python(tmp_path / "old", (3, 9, 1))
    venv = tmp_path / "venv"
    done = make(verb, f"PYTHON={old}", f"VENV={venv}")
    assert done.returncode != 0
    assert "needs Python 3.12" in done.stderr
    assert f"{old}: 3.9.1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not venv.exists()


def find_python(folder, *arguments):
    r"""What the search finds when the machine holds only that folder."""
    return subprocess.run(
        ["/bin/sh", "docs/_site/find_python.sh", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={
            "PATH": str(folder),
            "HOME": str(folder),
            "PYENV_ROOT": str(folder / "pyenv"),
        },
    )


def test_the_search_lists_every_interpreter_that_will_not_do(tmp_path):
    fake_python(tmp_path / "python3", (3, 11, 2))
    write_script(tmp_path / "python3.13", "exit 127")
    without_venv = write_script(
        tmp_path / "python3.12",
        'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12.9;; esac',
    )
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert not done.stdout
    assert f"{tmp_path / 'python3'}: 3.11.2\n" in done.stderr
    assert f"{tmp_path / 'python3.13'}: does not run\n" in done.stderr
    assert f"{without_venv}: 3.12.9, without venv" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_the_search_says_when_there_is_no_interpreter_at_all(tmp_path):
    assert "none" in find_python(tmp_path).stderr
    assert "not even snake" in find_python(tmp_path, "snake").stderr


def test_the_search_looks_behind_a_shim_that_fails(tmp_path):
    write_script(tmp_path / "python3", "exit 127")
    versions = tmp_path / "pyenv" / "versions"
    fake_python(versions / "3.10.1" / "bin" / "python3", (3, 10, 1))
    good = fake_python(versions / "3.13.0" / "bin" / "python3", (3, 13, 0))
    assert find_python(tmp_path).stdout == f"{good}\n"


def test_a_busy_port_is_said_before_anything_is_made(tmp_path, busy_port):
    venv = tmp_path / "venv"
    done = make("site", f"PORT={busy_port}", f"VENV={venv}")
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "make" in line]
    assert lines[0].startswith(f"Port {busy_port} is busy.")
    assert "make site PORT=" in lines[0]
    assert "Traceback" not in done.stderr
    assert "mkdocs" not in done.stdout
    assert not venv.exists()


@pytest.mark.parametrize("port", ["0", "65536", "abc", "-1", "80.5"])
def test_what_is_no_port_is_said(port, tmp_path):
    done = make("site", f"PORT={port}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert f"PORT={port} is no port" in done.stderr


def test_an_interrupted_installation_is_done_again(tmp_path):
    venv = tmp_path / "venv"
    log = tmp_path / "log"
    python = venv / "bin" / "python"
    stamp = venv / ".installed"
    write_script(python, f'echo "$@" >> "{log}"; exit 1')
    (venv / ".python").touch()
    assert make(str(stamp), f"VENV={venv}").returncode != 0
    assert not stamp.exists()

    log.unlink()
    write_script(python, f'echo "$@" >> "{log}"')
    assert make(str(stamp), f"VENV={venv}").returncode == 0
    assert stamp.exists()
    assert "-m uv pip install" in log.read_text()
    assert "-m pip install -r requirements.txt" not in log.read_text()
    assert "--no-deps" in log.read_text()

    log.unlink()
    assert make(str(stamp), f"VENV={venv}").returncode == 0
    assert not log.exists()


def test_where_uv_cannot_install_pip_does(tmp_path):
    venv, log = tmp_path / "venv", tmp_path / "log"
    write_script(
        venv / "bin" / "python", f'echo "$@" >> "{log}"; test "$2" != uv'
    )
    (venv / ".python").touch()
    stamp = venv / ".installed"
    assert make(str(stamp), f"VENV={venv}").returncode == 0
    assert stamp.exists()
    first, second, third, last = log.read_text().splitlines()
    assert first.startswith("-m pip install --quiet uv==")
    assert second.startswith("-m uv pip install")
    assert third == "-m pip install -r requirements.txt"
    assert "--editable ." in last


def test_the_site_is_served_until_ctrl_c(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, ROOT / "docs/_site/serve.py", str(port)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and so their children, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        address = server.stdout.readline().split()[0]
        assert address == f"http://127.0.0.1:{port}/"
        assert urllib.request.urlopen(address).read() == b"hello"
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
    finally:
        server.kill()


# -- one address, no host, no machine ------------------------------------

MAY_NAME_THE_ADDRESS = ("README.md", "CITATION.cff")


def test_the_address_stands_once():
    slug = ADDRESS.removeprefix("https://github.com/")
    owner, name = slug.split("/")
    pages = f"https://{owner}.github.io/{name}"
    spelled = re.compile(
        rf"https://github\.com/[\w.-]+/{name}\b(?![\w-])"
        rf"|https://[\w-]+\.github\.io/{name}\b(?![\w-])"
    )
    for path, text in tracked_texts():
        found = set(spelled.findall(text))
        if path == "pyproject.toml":
            assert spelled.findall(text) == [ADDRESS]
        elif path in MAY_NAME_THE_ADDRESS or path.startswith("notebooks/"):
            assert found <= {ADDRESS, pages}, path
        else:
            assert not found, path


def test_no_tracked_file_names_a_registry_host_or_a_machine_path():
    # Written in pieces, so that this file does not find itself.
    hosts = ("pypi" + ".org", "python" + "hosted", "npmjs" + ".org")
    mirrors = ("deb.debian" + ".org", "registry.npm" + "js")
    folders = "|".join(("root", "work", "home", "Users"))
    machine_path = re.compile(rf"(?<![\w.\-/$}}~])/({folders})/\w")
    for path, text in tracked_texts():
        for host in (*hosts, *mirrors):
            assert host not in text, path
        assert not machine_path.search(text), path


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_whatever_the_readme_points_at_is_there(name):
    text = (ROOT / name).read_text("utf-8")
    linked = re.findall(r"\]\(([^):]+)\)", text)
    named = re.findall(r"`([\w/]+(?:/|\.\w+))`", text)
    for path in linked + named:
        assert (ROOT / path).exists(), path
    verbs = re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)
    assert {"site", "test"} <= set(verbs) <= VERBS


# -- GitHub and the citation ---------------------------------------------


def test_only_the_publishing_job_may_write():
    path = ROOT / ".github" / "workflows" / "site.yml"
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    publish = workflow["jobs"].pop("publish")
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert "test" in publish["needs"]
    for job in workflow["jobs"].values():
        assert "permissions" not in job


def test_every_action_is_pinned_to_a_commit():
    used = set()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text("utf-8")
        for job in yaml.safe_load(text)["jobs"].values():
            for step in job["steps"]:
                used |= {step["uses"]} if "uses" in step else set()
        # Beside the commit the version, which people and Dependabot read.
        for line in re.findall(r"uses: (.+)", text):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", line)
    assert len(used) == 4
    assert len({action.partition("@")[0] for action in used}) == 4


def test_the_citation_agrees_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    required = {"cff-version", "message", "title", "authors"}
    assert required <= citation.keys()
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["repository-code"] == ADDRESS
    names = [author["name"] for author in citation["authors"]]
    assert names == [a["name"] for a in PROJECT["project"]["authors"]]
