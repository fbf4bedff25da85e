#!/usr/bin/env python3
"""Whether other tools read what `export` and `train --tensorboard` write.

    python3 xtask/interop/tables_check.py --program target/release/latent-atlas

trains a small run in a temporary folder (and kills and resumes it once), exports it
in every format of tables and pictures, and reads all of it back with NumPy, pandas,
pyarrow, DuckDB, TensorBoard's own reader, its projector plugin over HTTP on the
loopback interface, and embedding-atlas. The program has to be built with the feature
parquet.

Needs numpy, pandas, pyarrow, duckdb, pillow and tensorboard; embedding-atlas is
checked where there is its command.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image

CHECKS = []


def check(name, holds, detail=""):
    CHECKS.append((name, bool(holds)))
    print(f"{'ok  ' if holds else 'FAIL'} {name}" + (f": {detail}" if detail else ""), flush=True)


def run(program, *arguments, **options):
    began = time.perf_counter()
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, **options)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout, seconds


def train(program, folder, arguments):
    """A run that is killed after its first epochs, and goes on."""
    out = folder / "run"
    command = [program, "train", *arguments, "--out", out, "--tensorboard", "--checkpoint-every", "200ms"]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    metrics = out / "metrics.jsonl"
    deadline = time.time() + 600
    while time.time() < deadline and process.poll() is None:
        if (out / "state.safetensors").exists() and len(metrics.read_bytes().splitlines()) >= 2:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.02)
    process.wait()
    check("killed: while it trained", process.returncode == -signal.SIGKILL, f"exit {process.returncode}")
    files = list((out / "tensorboard").iterdir())
    check("killed: one event file", len(files) == 1)
    steps = losses(out / "tensorboard")
    check("killed: the file is readable", len(steps) >= 1, f"{len(steps)} epochs")
    run(program, "train", "--resume", out, "--tensorboard")
    return out


def accumulated(folder):
    from tensorboard.backend.event_processing import event_accumulator

    everything = {
        event_accumulator.SCALARS: 0,
        event_accumulator.IMAGES: 0,
        event_accumulator.HISTOGRAMS: 0,
        event_accumulator.TENSORS: 0,
    }
    found = event_accumulator.EventAccumulator(str(folder), size_guidance=everything)
    found.Reload()
    return found


def losses(folder):
    return [(e.step, e.value) for e in accumulated(folder).Scalars("loss/test")]


def check_events(name, folder, out, epochs):
    found = accumulated(folder)
    tags = found.Tags()
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    expected = [(line["epoch"], np.float32(line["test"]["loss"])) for line in lines]
    check(f"{name}: scalars of every epoch once", losses(folder) == expected, f"{len(expected)} epochs")
    check(f"{name}: all epochs", len(expected) == epochs)
    for event in found.Images("pictures/map"):
        image = Image.open(io.BytesIO(event.encoded_image_string))
        if (image.width, image.height) != (event.width, event.height):
            check(f"{name}: size of the map", False)
    maps = [event.step for event in found.Images("pictures/map")]
    check(f"{name}: maps", maps and len(maps) == len(set(maps)), f"epochs {maps[:3]} … {maps[-1]}")
    histograms = [tag for tag in tags["histograms"] if tag.startswith("weights/")]
    weights = found.Histograms(histograms[0])[-1].histogram_value
    check(f"{name}: histograms", sum(weights.bucket) == weights.num, f"{len(tags['histograms'])} tags")
    text = found.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0].decode()
    check(f"{name}: the settings", "[training]" in text)


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.status, answer.read()


@contextlib.contextmanager
def tensorboard(folder):
    """TensorBoard itself on a free port of the loopback interface."""
    from tensorboard import program as tensorboard_program

    board = tensorboard_program.TensorBoard()
    board.configure(argv=[None, "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"])
    yield board.launch().rstrip("/")


def check_plugins(url, run):
    """What the pages of pictures, distributions and texts ask the server for."""

    def asked(path, **query):
        query = urllib.parse.urlencode({"run": run} | query)
        return json.loads(get(f"{url}/data/plugin/{path}?{query}")[1])

    maps = asked("images/images", tag="pictures/map", sample=0)
    _, picture = get(f"{url}/data/plugin/images/individualImage?{maps[-1]['query']}")
    size = Image.open(io.BytesIO(picture)).size
    # 21 tiles of 28 pixels on a side.
    check("server: pictures", size == (588, 588), f"{len(maps)} maps of {size}")
    histograms = asked("histograms/histograms", tag="codes/mu1")
    steps = [step for _, step, _ in histograms]
    check("server: distributions", steps == sorted(set(steps)) and len(steps) > 1, f"epochs {steps}")
    texts = asked("text/text", tag="configuration/text_summary")
    check("server: settings", len(texts) == 1 and "[training]" in texts[0]["text"])


def check_server(folder, projector, points, size):
    """The scalars and the projector plugin over HTTP."""
    with tensorboard(folder) as url:
        for _ in range(120):
            _, answer = get(f"{url}/data/plugin/projector/runs")
            runs = json.loads(answer)
            _, scalars = get(f"{url}/data/plugin/scalars/tags")
            if runs and json.loads(scalars):
                break
            time.sleep(0.5)
        check("projector plugin: finds the folder", runs, str(runs))
        scalars = {run: tags for run, tags in json.loads(scalars).items() if "loss/test" in tags}
        check("server: scalars", scalars, str(list(scalars)))
        check_plugins(url, "live")
        if not runs:
            return
        name = urllib.parse.quote(runs[0])
        _, info = get(f"{url}/data/plugin/projector/info?run={name}")
        embedding = json.loads(info)["embeddings"][0]
        tensor = urllib.parse.quote(embedding["tensorName"])
        query = f"run={name}&name={tensor}"
        # Of fewer than three values the page draws nothing.
        found = embedding["tensorShape"]
        check("projector plugin: shape", found[0] == points and found[1] >= 3, str(found))
        _, values = get(f"{url}/data/plugin/projector/tensor?{query}&num_rows=100000")
        values = np.frombuffer(values, np.float32).reshape(points, -1)
        codes = np.loadtxt(projector / "tensors.tsv", dtype=np.float32, ndmin=2)
        check("projector plugin: codes", np.array_equal(values, codes), str(values.shape))
        _, metadata = get(f"{url}/data/plugin/projector/metadata?{query}&num_rows=100000")
        lines = metadata.decode().rstrip("\n").split("\n")
        check("projector plugin: metadata", len(lines) == points + 1, lines[0])
        _, sprite = get(f"{url}/data/plugin/projector/sprite_image?{query}")
        image = Image.open(io.BytesIO(sprite))
        fits = max(image.size) <= 8192
        cells = (image.width // size[1]) * (image.height // size[0])
        check("projector plugin: sprite", fits and cells >= points, f"{image.size}")
        used = image.convert("L").crop((0, 0, size[1], size[0]))
        check("projector plugin: the first cell is a picture", used.getextrema()[1] > 0)


def check_tables(npz, csv, parquet, shape):
    arrays = np.load(npz)
    table = pd.read_csv(csv)
    n, latent = arrays["mu"].shape
    check("npz: rows", len(table) == n and all(len(arrays[k]) == n for k in arrays), f"{n}")
    mu = table[[f"mu{j + 1}" for j in range(latent)]].to_numpy(np.float32)
    check("csv: the codes of the npz", np.array_equal(mu, arrays["mu"]))
    check("csv: losses", np.array_equal(table["reconstruction"].to_numpy(np.float32), arrays["reconstruction"]))
    frame = pd.read_parquet(parquet)
    arrow = pq.read_table(parquet)
    check("parquet: pyarrow and pandas agree", len(frame) == arrow.num_rows, str(arrow.schema.names))
    vectors = np.stack(frame["mu"].to_numpy())
    if len(frame) == n:
        check("parquet: the codes of the npz", np.array_equal(vectors, arrays["mu"]))
        check("parquet: labels", np.array_equal(frame["label"], arrays["label"]))
    if latent == 2:
        check("parquet: x, y", np.array_equal(frame[["x", "y"]].to_numpy(), vectors))
    chosen = np.random.default_rng(0).choice(len(frame), 50, replace=False)
    right = 0
    for row in chosen:
        distances = np.linalg.norm(vectors.astype(np.float64) - vectors[row].astype(np.float64), axis=1)
        distances[row] = np.inf
        nearest = np.sort(distances)[: len(frame["neighbors"][row]["ids"])]
        ids = frame["neighbors"][row]["ids"]
        right += np.allclose(distances[ids], nearest, atol=1e-9) and np.allclose(
            frame["neighbors"][row]["distances"], nearest, atol=1e-9
        )
    check("parquet: neighbours by exhaustive search", right == 50)
    sizes = {Image.open(io.BytesIO(frame["image"][row]["bytes"])).size for row in chosen}
    check("parquet: images", sizes == {(shape[1], shape[0])}, str(sizes))
    counted = duckdb.sql(f"select class, count(*), avg(octet_length(image.bytes)) from '{parquet}' group by class").fetchall()
    check("parquet: DuckDB", sum(row[1] for row in counted) == len(frame), f"{np.mean([r[2] for r in counted]):.0f} bytes an image")


def check_embedding_atlas(command, parquet, folder):
    """The documented command, which then packs what its page shows instead of
    serving it."""
    packed = folder / "atlas"
    columns = ["--x", "x", "--y", "y", "--neighbors", "neighbors", "--image", "image"]
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [command, parquet, *columns, "--export-application", packed],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        print(f"skip embedding-atlas: there is no {command}")
        return
    seconds = time.perf_counter() - began
    check("embedding-atlas: opens the file", done.returncode == 0, done.stderr[-300:] or f"{seconds:.1f} s")
    if done.returncode:
        return
    shown = json.loads((packed / "data" / "metadata.json").read_text())["props"]["data"]
    check(
        "embedding-atlas: shows the columns",
        shown["projection"] == {"x": "x", "y": "y"} and shown["neighbors"] == "neighbors" and shown["image"] == "image",
        str(shown),
    )
    frame = pd.read_parquet(packed / "data" / "dataset.parquet")
    given = pd.read_parquet(parquet)
    same = all(a["bytes"] == b["bytes"] for a, b in zip(frame["image"], given["image"]))
    check("embedding-atlas: has every image", len(frame) == len(given) and same, f"{len(frame)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--dataset", default="glyphs")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--latent", type=int, default=2)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--embedding-atlas", default="embedding-atlas", help="its command")
    options = parser.parse_args()
    program = options.program.resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        arguments = [
            options.dataset, "--epochs", options.epochs, "--latent", options.latent,
            "--hidden", "64", "--threads", options.threads,
        ]
        out = train(program, folder, arguments)
        check_events("train --tensorboard", out / "tensorboard", out, options.epochs)
        places = {
            "npz": folder / "codes.npz",
            "csv": folder / "codes.csv",
            "parquet": folder / "codes.parquet",
            "tensorboard": folder / "logs" / "events",
            "projector": folder / "logs" / "projector",
        }
        shutil.copytree(out / "tensorboard", folder / "logs" / "live")
        for name, place in places.items():
            _, seconds = run(program, "export", out, "--format", name, "-o", place, "--threads", options.threads)
            print(f"     export --format {name}: {seconds:.2f} s")
        everything = folder / "all.parquet"
        _, seconds = run(program, "export", out, "--format", "parquet", "--split", "all", "-o", everything, "--threads", options.threads)
        print(f"     export --format parquet --split all: {seconds:.2f} s, {os.path.getsize(everything) / 1e6:.1f} MB")
        check_events("export --format tensorboard", places["tensorboard"], out, options.epochs)
        check_tables(places["npz"], places["csv"], places["parquet"], (28, 28))
        check_tables(places["npz"], places["csv"], everything, (28, 28))
        codes = sum(1 for _ in (places["projector"] / "tensors.tsv").open())
        check_server(folder / "logs", places["projector"], codes, (28, 28))
        check_embedding_atlas(options.embedding_atlas, places["parquet"], folder)
    failed = [name for name, holds in CHECKS if not holds]
    print(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks hold")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
