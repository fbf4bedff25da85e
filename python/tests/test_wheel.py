"""The wheel in an empty environment."""

from __future__ import annotations

import os
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


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    wheel = os.environ.get("LATENT_ATLAS_WHEEL")
    if not wheel:
        pytest.skip("LATENT_ATLAS_WHEEL names no wheel")
    wheel = Path(wheel)
    assert wheel.stat().st_size <= 20_000_000
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    bin = folder / ("Scripts" if os.name == "nt" else "bin")
    command = [bin / "python", "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(command, check=True)
    return bin


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
