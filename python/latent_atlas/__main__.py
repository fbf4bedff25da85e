"""``python -m latent_atlas``: the program ``latent-atlas`` that this package installed."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

_NAME = "latent-atlas" + (".exe" if os.name == "nt" else "")


def find_program() -> Path:
    """The program that was installed with this package.

    Raises
    ------
    FileNotFoundError
        When it is in none of the folders in which installers put scripts.
    """
    schemes = [None, sysconfig.get_preferred_scheme("user")]
    folders = [
        Path(
            sysconfig.get_path("scripts")
            if scheme is None
            else sysconfig.get_path("scripts", scheme=scheme)
        )
        for scheme in schemes
    ]
    # `pip install --target DIR` puts scripts into DIR/bin, beside the package.
    folders.append(Path(__file__).resolve().parent.parent / "bin")
    for folder in folders:
        program = folder / _NAME
        if program.is_file():
            return program
    listed = ", ".join(str(folder) for folder in folders)
    raise FileNotFoundError(
        f"{_NAME} is in none of {listed}; install the package from a wheel again"
    )


def main() -> int:
    """Becomes the program: its arguments, signals and exit code are its own."""
    try:
        program = str(find_program())
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    arguments = [program, *sys.argv[1:]]
    if os.name == "nt":
        import subprocess

        return subprocess.run(arguments).returncode
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, arguments)


if __name__ == "__main__":
    sys.exit(main())
