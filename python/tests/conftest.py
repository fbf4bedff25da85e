"""Data and the program that several tests use."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """1,797 images of 8 x 8 as bytes."""
    return (load_digits().images * (255 / 16)).astype(np.uint8)


@pytest.fixture(scope="session")
def classes() -> np.ndarray:
    """Their classes."""
    return load_digits().target


class Program:
    """The program, run as a process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """What it prints; fails unless it ends with ``code``."""
        command = [str(self.path), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def program() -> Program:
    """The one at LATENT_ATLAS_PROGRAM, or on the path."""
    found = os.environ.get("LATENT_ATLAS_PROGRAM") or shutil.which("latent-atlas")
    if found is None:
        pytest.skip("the program is not on the path, and LATENT_ATLAS_PROGRAM names none")
    return Program(Path(found).absolute())


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """A job in the background inherits that interrupts are ignored, and nothing would end
    what the tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
