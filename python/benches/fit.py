"""How long ``VAE().fit`` takes beside ``latent-atlas train``, PyTorch and JAX.

All train the same model on the same images, in turn, round after round: what disturbs the
machine for a while disturbs all of them. ``fit`` and ``train`` are timed as they are
called, the program from its start to its end with everything that it reads and writes;
the peers are the scripts of ``benches/peers``, of which an epoch is timed in a process
that stays (their first one, in which they compile, does not count).

    python benches/fit.py --data data/mnist
    python benches/fit.py --data data/mnist --rows 5000 --epochs 1 --rounds 1 --peers none

Exit code 0, or 1 where ``fit`` takes more than 5 % longer than ``train`` in the median.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent.parent / "benches" / "peers"
SCRIPTS = {
    "pytorch-eager": "pytorch_eager.py",
    "pytorch-compile": "pytorch_compile.py",
    "jax-scan": "jax_scan.py",
}
INPUTS, HIDDEN, LATENT, BATCH = 784, (512,), 2, 128
MOST = 1.05


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder with MNIST's IDX files")
    parser.add_argument("--program", default=shutil.which("latent-atlas"))
    parser.add_argument("--epochs", type=int, default=3, help="of fit and train")
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn")
    parser.add_argument("--rows", type=int, default=60_000, help="training images, the first ones")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default=",".join(SCRIPTS), help="names with commas, or none")
    parser.add_argument(
        "--peers-python", default=sys.executable, help="a Python that has PyTorch and JAX"
    )
    parser.add_argument("--json", action="store_true", help="print one document")
    arguments = parser.parse_args()
    if arguments.program is None:
        parser.error("latent-atlas is not on the path; name it with --program")
    arguments.peers = [] if arguments.peers == "none" else arguments.peers.split(",")
    for name in arguments.peers:
        if name not in SCRIPTS:
            parser.error(f"--peers names {name}; expected {', '.join(SCRIPTS)}, or none")
    return arguments


class Peer:
    """A script that trains an epoch for each line that it is sent."""

    def __init__(self, name: str, arguments: argparse.Namespace, data: Path, epochs: int) -> None:
        self.name = name
        command = [arguments.peers_python, str(PEERS / SCRIPTS[name]), "--interactive"]
        command += ["--data", str(data), "--threads", str(arguments.threads)]
        command += ["--architecture", "-".join(map(str, (INPUTS, *HIDDEN, LATENT)))]
        command += ["--batch", str(BATCH), "--epochs", str(epochs)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def epoch(self) -> dict:
        """One epoch: its seconds and loss."""
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} has ended with code {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def write_idx(path: Path, images) -> None:
    """An IDX file of bytes."""
    header = struct.pack(">4I", 0x0803, len(images), 28, 28)
    path.write_bytes(header + images.tobytes())


def main() -> int:
    arguments = parsed()
    # Before NumPy and the module look how many processors there are.
    if hasattr(os, "sched_setaffinity"):
        available = sorted(os.sched_getaffinity(0))
        if arguments.threads > len(available):
            sys.exit(f"--threads is {arguments.threads}, but there are {len(available)} processors")
        os.sched_setaffinity(0, available[: arguments.threads])
    sys.path.insert(0, str(PEERS))
    import vae_data

    from latent_atlas import VAE

    images = vae_data.training_images(arguments.data)[: arguments.rows]
    test = images[: max(1, len(images) // 6)].copy()
    seconds: dict[str, list[float]] = {}
    losses: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        import numpy as np

        folder = Path(folder)
        np.savez(folder / "mnist.npz", x_train=images, x_test=test)
        write_idx(folder / "train-images-idx3-ubyte", images)
        options = ["--hidden", ",".join(map(str, HIDDEN)), "--latent", str(LATENT)]
        options += ["--batch", str(BATCH), "--epochs", str(arguments.epochs), "--quiet"]
        options += ["--threads", str(arguments.threads)]

        def train() -> tuple[float, float]:
            run = folder / "run"
            shutil.rmtree(run, ignore_errors=True)
            command = [arguments.program, "train", str(folder / "mnist.npz"), *options]
            began = time.perf_counter()
            subprocess.run([*command, "--out", str(run)], check=True, stdout=subprocess.DEVNULL)
            taken = time.perf_counter() - began
            last = json.loads((run / "result.json").read_text())["last"]
            return taken / arguments.epochs, last["train"]["loss"]

        def fit() -> tuple[float, float]:
            vae = VAE(
                LATENT, HIDDEN, batch=BATCH, epochs=arguments.epochs, threads=arguments.threads
            )
            began = time.perf_counter()
            vae.fit(images, X_test=test)
            taken = time.perf_counter() - began
            return taken / arguments.epochs, vae.loss_curve_[-1]

        peers = [
            Peer(name, arguments, folder, arguments.rounds + 1) for name in arguments.peers
        ]
        for peer in peers:
            peer.epoch()
        train(), fit()
        for turn in range(arguments.rounds):
            # Who is first changes, so that none is always behind the same one.
            for name, work in [("train", train), ("fit", fit)][:: 1 if turn % 2 else -1]:
                taken, loss = work()
                seconds.setdefault(name, []).append(taken)
                losses[name] = loss
            for peer in peers:
                epoch = peer.epoch()
                seconds.setdefault(peer.name, []).append(epoch["seconds"])
                losses[peer.name] = epoch["loss"]
        for peer in peers:
            peer.close()
    assert losses["fit"] == losses["train"], "fit and train have trained other models"
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    ratio = statistics.median(f / t for f, t in zip(seconds["fit"], seconds["train"]))
    if arguments.json:
        document = {
            "architecture": "-".join(map(str, (INPUTS, *HIDDEN, LATENT))),
            "rows": len(images),
            "threads": arguments.threads,
            "seconds_of_an_epoch": seconds,
            "median": medians,
            "fit_over_train": ratio,
        }
        print(json.dumps(document))
    else:
        print(f"{'':16} {'s an epoch':>10} {'spread':>7} {'beside fit':>10} {'loss':>8}")
        for name, median in medians.items():
            spread = (max(seconds[name]) - min(seconds[name])) / median
            beside = f"{median / medians['fit']:.2f} x"
            print(f"{name:16} {median:10.3f} {spread:7.0%} {beside:>10} {losses[name]:8.2f}")
        print(f"fit takes {ratio:.3f} of train, round by round in the median (at most {MOST})")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
