"""Runs what docs/interop.md says, word for word: python documented_check.py PROGRAM ATLAS

PROGRAM is the built latent-atlas with the feature parquet, ATLAS the command
embedding-atlas. Every block of commands and of Python outside of the chapter about the
Python module is run in one folder, in order, with `glyphs` for `mnist`, which has to be
downloaded, and a run of it for RUN. What serves pages has to answer and is stopped then.
Blocks of output have to be what the commands before them print. Needs the packages of
requirements.txt.
"""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import torch

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "interop.md"
SERVERS = ("tensorboard", "embedding-atlas")


def blocks():
    """Language and text of every block before the chapter about the Python module."""
    text = PAGE.read_text().split("\n## Python\n")[0]
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def example():
    """The weights of PyTorch's example, which `import` is shown with."""
    torch.manual_seed(1)
    sizes = {"fc1": (784, 400), "fc21": (400, 20), "fc22": (400, 20), "fc3": (20, 400), "fc4": (400, 784)}
    layers = torch.nn.ModuleDict({name: torch.nn.Linear(*size) for name, size in sizes.items()})
    return layers.state_dict()


def odd(state):
    """The same as the example of a map has it."""
    return {
        "fc1.weight": state["fc1.weight"], "fc1.bias": state["fc1.bias"],
        "fc21.weight": state["fc21.weight"], "fc21.bias": state["fc21.bias"],
        "fc22.weight": state["fc22.weight"].T.contiguous(), "fc22.bias": state["fc22.bias"],
        "both.weight": torch.cat([state["fc3.weight"]] * 2), "both.bias": torch.cat([state["fc3.bias"]] * 2),
        "out": state["fc4.weight"], "log_scale": torch.zeros(1),
        "classifier.weight": torch.zeros(10, 20), "classifier.bias": torch.zeros(10),
    }


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def served(line, folder, environment):
    """Starts what serves pages, and stops it when its page is there."""
    port = free_port()
    command = f"exec {line} --host 127.0.0.1 --port {port}"
    with (folder / "served.txt").open("w+") as said:
        process = subprocess.Popen(command, shell=True, cwd=folder, env=environment, stdout=said, stderr=said)
        try:
            deadline = time.time() + 120
            while time.time() < deadline and process.poll() is None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                        return answer.status == 200 and len(answer.read()) > 0
                except OSError:
                    time.sleep(0.3)
            said.seek(0)
            sys.exit(f"{line}: serves no page: {said.read()[-2000:]}")
        finally:
            process.terminate()
            process.wait()


def main(program, atlas):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        bin = folder / "bin"
        bin.mkdir()
        (bin / "latent-atlas").symlink_to(program)
        places = [str(bin), str(pathlib.Path(atlas).parent), str(pathlib.Path(sys.executable).parent)]
        environment = os.environ | {"PATH": os.pathsep.join([*places, os.environ["PATH"]])}

        def run(what, command):
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{what}\nexit code {done.returncode}: {done.stderr}")
            print(f"runs: {what}", flush=True)
            return done.stdout

        def shell(line):
            return run(line, ["sh", "-c", line])

        shell("latent-atlas train glyphs --latent 2 --hidden 64 --epochs 2 --out runs/g1 --quiet")
        torch.save(example(), folder / "vae.pt")
        torch.save(odd(example()), folder / "odd.pt")
        printed, count = "", 0
        for language, text in blocks():
            text = re.sub(r"\bRUN\b", "runs/g1", text)
            text = text.replace("train mnist", "train glyphs --epochs 2").replace("mnist", "glyphs")
            if language == "sh":
                printed = ""
                for line in text.splitlines():
                    if line.split("#")[0].strip():
                        line = line.split("  #")[0].rstrip()
                        if line.startswith(SERVERS):
                            served(line, folder, environment)
                            print(f"answers: {line}", flush=True)
                        else:
                            printed += shell(line)
                        count += 1
            elif language == "python":
                run(text.splitlines()[0] + " …", [sys.executable, "-c", text])
                count += 1
            elif language == "toml":
                (folder / "names.toml").write_text(text)
                shell(
                    "latent-atlas import odd.pt --map names.toml --dataset glyphs --likelihood gaussian "
                    "--sigma scalar -o runs/odd --quiet"
                )
                count += 1
            else:
                for line in text.splitlines():
                    if line.split("…")[0] not in printed:
                        sys.exit(f"docs/interop.md shows the line {line!r}, but this was printed:\n{printed}")
                count += 1
        print(f"{count} commands and blocks of docs/interop.md do what they say")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*(str(pathlib.Path(word).absolute()) for word in sys.argv[1:]))
