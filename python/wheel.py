"""Builds the wheel: maturin, with the program ``latent-atlas`` among the scripts.

The program in the wheel is the program, not Python that calls it, so that its signals,
exit codes and arguments are its own. It is built by cargo from the workspace above. A
program that exists already is named with ``LATENT_ATLAS_PROGRAM``.

This is the build backend that ``pyproject.toml`` names: ``pip wheel .`` and ``pip install
.`` come here. An editable installation has no program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import maturin
from maturin import (  # noqa: F401
    build_editable,
    get_requires_for_build_editable,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
#: What maturin puts into a wheel beside a module, found by this name where it is there.
SCRIPTS = HERE / "latent_atlas._native.data" / "scripts"
NAME = "latent-atlas" + (".exe" if os.name == "nt" else "")


def built_program() -> Path:
    """The program with optimisations."""
    given = os.environ.get("LATENT_ATLAS_PROGRAM")
    if given:
        return Path(given)
    command = ["cargo", "build", "--release", "--locked", "--package", "latent-atlas"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    return ROOT / target / "release" / NAME


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517: the wheel with the program."""
    program = built_program()
    shutil.rmtree(SCRIPTS.parent, ignore_errors=True)
    SCRIPTS.mkdir(parents=True)
    try:
        shutil.copy2(program, SCRIPTS / NAME)
        if os.name != "nt":
            # Symbols are four fifths of it; on Windows they are in a file of their own.
            subprocess.run(["strip", str(SCRIPTS / NAME)], check=True)
        return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)
    finally:
        shutil.rmtree(SCRIPTS.parent)


def build_sdist(sdist_directory, config_settings=None):
    """There is none: the wheel is built from the repository that holds all crates."""
    raise RuntimeError("build the wheel from a clone of the repository; it has no source archive")
