"""Everything that must hold of this folder, in an environment that it makes for itself.

    python check.py                                  # builds the program too
    python check.py --program ../target/release/latent-atlas
    python check.py --only wheel --program ../target/release/latent-atlas

``style`` asks rustfmt, Clippy and ruff; ``tests`` builds the module as tests need it and
runs all of them beside the program; ``wheel`` builds the wheel, installs it into an empty
environment and uses it there, with the lines of the documentation word for word. Needs a
Rust toolchain, Python 3.11 or later, and what pip installs: the versions of requirements.txt,
in the empty environment too. Exit code 0, or that of the first command that failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STEPS = ("style", "tests", "wheel")
#: What is needed to build and to test.
REQUIREMENTS = HERE / "requirements.txt"


def main() -> int:
    arguments = parsed()
    check = Check(arguments.folder, arguments.program)
    for step in arguments.only or STEPS:
        began = time.monotonic()
        code = getattr(check, step)()
        if code:
            print(f"python: {step} has failed with code {code}", file=sys.stderr)
            return code
        print(f"python: {step} passed in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


def parsed() -> argparse.Namespace:
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")).absolute()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--program",
        type=Path,
        help="the program that fit is compared with and the wheel carries [default: built]",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=target / "check",
        help="where the environment and the wheel are kept [default: %(default)s]",
    )
    parser.add_argument("--only", action="append", choices=STEPS, help="this step; repeatable")
    arguments = parser.parse_args()
    if arguments.program and not arguments.program.is_file():
        parser.error(f"--program is {arguments.program}, which is no file; name the program")
    return arguments


class Check:
    """The steps, each of which gives the exit code of what failed, or 0."""

    def __init__(self, folder: Path, program: Path | None) -> None:
        self.folder = folder.absolute()
        self.environment = self.folder / "venv"
        self.bin = self.environment / ("Scripts" if os.name == "nt" else "bin")
        self.variables = os.environ | {
            "VIRTUAL_ENV": str(self.environment),
            "PATH": f"{self.bin}{os.pathsep}{os.environ.get('PATH', '')}",
            "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(HERE / "target")),
            # What the wheel asks for is then in the same versions, whoever installs it.
            "PIP_CONSTRAINT": REQUIREMENTS.as_uri(),
            "UV_CONSTRAINT": REQUIREMENTS.as_uri(),
        }
        # Another environment that is active is none of this one.
        self.variables.pop("PYTHONHOME", None)
        self.variables.pop("PYTHONPATH", None)
        if program:
            self.variables["LATENT_ATLAS_PROGRAM"] = str(program.absolute())
        self._prepare()

    def style(self) -> int:
        """How the code is written."""
        return (
            self._run("cargo", "fmt", "--check")
            or self._run("cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings")
            or self._run("ruff", "check", ".")
        )

    def tests(self) -> int:
        """The module beside the program."""
        return self._run("maturin", "develop", "--locked") or self._run(
            "pytest", "-q", "--ignore=tests/test_wheel.py"
        )

    def wheel(self) -> int:
        """The wheel in an empty environment."""
        dist = self.folder / "dist"
        shutil.rmtree(dist, ignore_errors=True)
        code = self._run(
            *("pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(dist), ".")
        )
        if code:
            return code
        (wheel,) = dist.glob("*.whl")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
        return self._run("pytest", "-q", "tests/test_wheel.py", LATENT_ATLAS_WHEEL=str(wheel))

    def _prepare(self) -> None:
        python = self.bin / ("python.exe" if os.name == "nt" else "python")
        if not python.exists():
            venv.create(self.environment, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)]
        subprocess.run(command, check=True, env=self.variables)

    def _run(self, *command: str, **variables: str) -> int:
        print("+ " + " ".join(command), file=sys.stderr, flush=True)
        found = shutil.which(command[0], path=self.variables["PATH"])
        if found is None:
            print(f"{command[0]} is not on the path; install it", file=sys.stderr)
            return 1
        done = subprocess.run([found, *command[1:]], cwd=HERE, env=self.variables | variables)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
