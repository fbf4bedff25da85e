"""The command line the peers share, and the loop that times their epochs.

Nothing here imports a framework: the processor affinity and the environment that fix
the number of threads must be set before one is loaded.
"""

import argparse
import dataclasses
import importlib
import json
import os
import sys
import time

BAD_USAGE = 2

# Every product in float32, and a fast mode whose products round their factors.
STRICT, FAST = "f32", "bf16"


@dataclasses.dataclass(frozen=True)
class Options:
    """The parsed command line."""

    data: str
    inputs: int
    hidden: tuple[int, ...]
    latent: int
    architecture: str
    activation: str
    batch: int
    threads: int
    epochs: int
    seed: int
    interactive: bool
    precision: str
    adam: str | None

    def named(self, name):
        """`name`, with what is no strict f32 said: "jax-scan-bf16"."""
        return name if self.precision == STRICT else f"{name}-{self.precision}"


def fail(message):
    """Ends the process with one line on stderr and exit code 2."""
    print(message, file=sys.stderr)
    sys.exit(BAD_USAGE)


def positive(text):
    """An argparse type: an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def widths(text):
    """An argparse type: "784-256-2" as (784, 256, 2)."""
    try:
        parts = tuple(positive(part) for part in text.split("-"))
    except ValueError:
        parts = ()
    if len(parts) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 784-256-2")
    return parts


def parse_command_line(description, adam_choices=()):
    """Reads the options and pins the process to `--threads` processors."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True, help="folder with the four IDX files, raw or .gz")
    parser.add_argument("--architecture", type=widths, default=(784, 256, 2))
    parser.add_argument("--activation", choices=["relu", "tanh"], default="relu")
    parser.add_argument("--batch", type=positive, default=128)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--epochs", type=positive, default=5, help="the first one is warm-up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--precision",
        choices=[STRICT, FAST],
        default=STRICT,
        help="of matrix products: strict f32, or factors rounded to bfloat16 (a fast mode)",
    )
    parser.add_argument(
        "--interactive", action="store_true", help="wait for a line on stdin before each epoch"
    )
    if adam_choices:
        parser.add_argument("--adam", choices=adam_choices, default=adam_choices[0])
    arguments = parser.parse_args()
    inputs, *hidden, latent = arguments.architecture
    options = Options(
        data=arguments.data,
        inputs=inputs,
        hidden=tuple(hidden),
        latent=latent,
        architecture="-".join(map(str, arguments.architecture)),
        activation=arguments.activation,
        batch=arguments.batch,
        threads=arguments.threads,
        epochs=arguments.epochs,
        seed=arguments.seed,
        interactive=arguments.interactive,
        precision=arguments.precision,
        adam=arguments.adam if adam_choices else None,
    )
    pin_threads(options.threads)
    return options


def pin_threads(threads):
    """Limits this process, and every thread it starts, to `threads` processors.

    XLA sizes its pool by NPROC or by the affinity mask, OpenMP by OMP_NUM_THREADS;
    `torch.set_num_threads` is called by the PyTorch scripts themselves.
    """
    if hasattr(os, "sched_setaffinity"):
        available = sorted(os.sched_getaffinity(0))
        if threads > len(available):
            fail(f"--threads is {threads}, but only {len(available)} processors are available")
        os.sched_setaffinity(0, available[:threads])
    for variable in ("NPROC", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)


def load(module):
    """Imports a framework, or ends with exit code 2 and what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        reason = f"there is no module {error.name}"
    except Exception as error:  # A broken install raises whatever its loader raises.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    fail(
        f"this peer needs {module}, which {sys.executable} cannot import ({reason}); "
        "install benches/peers/requirements.txt"
    )


def load_images(options):
    """The training images, uint8 [n, inputs], or exit code 2."""
    load("numpy")
    import vae_data

    try:
        images = vae_data.training_images(options.data)
    except vae_data.DataError as error:
        fail(str(error))
    if images.shape[1] != options.inputs:
        fail(
            f"--architecture starts with {options.inputs}, "
            f"but the images of {options.data} have {images.shape[1]} pixels"
        )
    if len(images) < options.batch:
        fail(f"--batch is {options.batch}, but {options.data} has only {len(images)} images")
    return images


def run(name, version, options, train_epoch):
    """Times `train_epoch()` and prints one JSON line for each call.

    train_epoch trains one epoch and returns its mean loss per image as a float, so
    that nothing is still being computed when the clock stops. The first epoch holds
    compilation and first allocations: "warm_up" is true on its line.
    """
    for epoch in range(1, options.epochs + 1):
        if options.interactive and not sys.stdin.readline():
            return
        start = time.perf_counter()
        loss = train_epoch()
        seconds = time.perf_counter() - start
        line = {
            "name": name,
            "version": version,
            "architecture": options.architecture,
            "activation": options.activation,
            "batch": options.batch,
            "threads": options.threads,
            "epoch": epoch,
            "warm_up": epoch == 1,
            "seconds": seconds,
            "loss": loss,
        }
        print(json.dumps(line), flush=True)
