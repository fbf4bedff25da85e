"""The wheel in an empty environment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

_USE = """
import numpy as np, pickle, latent_atlas
X = np.random.default_rng(0).integers(0, 256, (100, 5, 7), dtype=np.uint8)
vae = pickle.loads(pickle.dumps(latent_atlas.VAE(hidden=(8,), epochs=2).fit(X)))
assert vae.inverse_transform(vae.transform(X)).shape == X.shape
vae.save("run", X)
"""


#: What pages say of the module: their name, and the heading below which it is, if not all.
PAGES = [("python/README.md", None), ("docs/interop.md", "## Python")]

#: Lines of those pages that build or install, which is done here already.
_INSTALLS = ("pip wheel", "pip install", "python -m venv", "cd python", "python ben", "python check")


@pytest.fixture(scope="module")
def wheel() -> Path:
    named = os.environ.get("LATENT_ATLAS_WHEEL")
    if not named:
        pytest.skip("LATENT_ATLAS_WHEEL names no wheel")
    return Path(named).absolute()


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel):
    assert wheel.stat().st_size <= 20_000_000
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    bin = folder / ("Scripts" if os.name == "nt" else "bin")
    command = [bin / "python", "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(command, check=True)
    return bin


def blocks(page: Path, heading: str | None) -> list[tuple[str, str]]:
    """The blocks of code of a page, each with its language."""
    text = page.read_text(encoding="utf-8")
    if heading is not None:
        text = text[text.index(f"\n{heading}\n") + 1 :]
        end = re.search(r"^## (?!Python$)", text, re.MULTILINE)
        text = text[: end.start() if end else None]
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(command, **options):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, **options
    )


def test_the_module_and_the_program_are_there(installed, tmp_path):
    done = run([installed / "python", "-c", _USE], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run([installed / "latent-atlas", "eval", "run", "--json", "--quiet"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_program_behaves_as_itself(installed, tmp_path):
    program = installed / "latent-atlas"
    module = [installed / "python", "-m", "latent_atlas"]
    for arguments in (["--version"], ["train", "--help"], ["train", "--latent", "0"], ["tarin"]):
        itself = run([program, *arguments], cwd=tmp_path)
        through = run([*module, *arguments], cwd=tmp_path)
        assert itself.returncode == through.returncode
        assert (itself.stdout, itself.stderr) == (through.stdout, through.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send")
def test_a_signal_stops_it_after_a_checkpoint(installed, tmp_path):
    command = [installed / "python", "-m", "latent_atlas", "train", "--epochs", "100000"]
    command += ["--out", "run", "--quiet"]
    process = subprocess.Popen([str(part) for part in command], cwd=tmp_path)
    try:
        deadline = time.monotonic() + 120
        log = tmp_path / "run" / "metrics.jsonl"
        while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 75
        assert (tmp_path / "run" / "state.safetensors").exists()
    finally:
        process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="lines for a shell of Unix")
@pytest.mark.parametrize(("page", "heading"), PAGES)
def test_what_the_documentation_says_works_word_for_word(
    page, heading, installed, wheel, tmp_path
):
    found = blocks(Path(__file__).resolve().parents[2] / page, heading)
    code = "\n".join(text for language, text in found if language == "python")
    assert "VAE(" in code
    done = run([installed / "python", "-c", code], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / wheel.name).symlink_to(wheel)
    # `uvx` is there where the tests are run from, not in the empty environment.
    path = f"{installed}{os.pathsep}{os.environ['PATH']}"
    tried = 0
    for line in "".join(text for language, text in found if language == "sh").splitlines():
        if line.startswith(_INSTALLS) or (line.startswith("uvx") and not shutil.which("uvx")):
            continue
        done = run(["sh", "-c", line], cwd=tmp_path, env=os.environ | {"PATH": path})
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        tried += 1
    assert tried
