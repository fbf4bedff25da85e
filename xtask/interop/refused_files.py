"""Files that `import` has to refuse: damaged, hostile, and of other models.

Whoever writes a pickle decides what reading it calls. The ones here leave a file behind
if anything in them is called.
"""

import pathlib
import pickle
import resource
import struct
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from torch import nn

CALLED = "something-was-called"

# More than any of the files is worth; without a limit a claim of 2^60 values could be met.
MEMORY = 2 << 30
SECONDS = 20


class Hostile:
    """What calls a command when Python loads it."""

    def __reduce__(self):
        import os

        return os.system, (f"touch {CALLED}",)


def archive(path, template, changes, compression=zipfile.ZIP_STORED):
    """An archive of torch.save with some entries changed."""
    with zipfile.ZipFile(template) as old, zipfile.ZipFile(path, "w", compression) as new:
        names = old.namelist()
        for name in names:
            inner = name.split("/", 1)[1]
            new.writestr(name, changes.get(inner, old.read(name)))
        folder = names[0].split("/")[0]
        for inner, content in changes.items():
            if f"{folder}/{inner}" not in names:
                new.writestr(f"{folder}/{inner}", content)


def shared_entries(path, template):
    """An archive in which every storage is the same bytes of the file, the longest."""
    archive(path, template, {})
    with zipfile.ZipFile(path) as whole:
        storages = [info for info in whole.infolist() if "/data/" in info.filename]
    longest = max(storages, key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    for info in storages:
        at = content.rindex(info.filename.encode()) - 46
        sizes = struct.pack("<III", longest.CRC, longest.file_size, longest.file_size)
        content[at + 16 : at + 28] = sizes
        content[at + 42 : at + 46] = struct.pack("<I", longest.header_offset)
    path.write_bytes(content)


def safetensors_of(header, data=b""):
    header = header.encode()
    return struct.pack("<Q", len(header)) + header + data


def write(folder, vae, inputs):
    """Writes the files, each with its name, its path and options of `import`."""
    folder = pathlib.Path(folder) / "refused"
    folder.mkdir()
    torch.manual_seed(3)
    state = vae().state_dict()
    files = []

    def file(name, content, *options):
        path = folder / name
        if content is not None:
            path.write_bytes(content)
        files.append((name, path, options))
        return path

    def saved(name, thing, *options):
        torch.save(thing, folder / name)
        return file(name, None, *options)

    good = folder.parent / "vae.pt"
    file("empty.pt", b"")
    file("missing.pt", None)
    file("text.txt", b"weights = none\n")
    (folder / "folder.pt").mkdir()
    file("folder.pt", None)
    file("zeros.bin", bytes(4096))
    file("random.bin", np.random.default_rng(1).bytes(4096))
    for kind in ("pt", "safetensors", "onnx"):
        whole = (folder.parent / f"vae.{kind}").read_bytes()
        for part in (0.001, 0.3, 0.9, 0.999):
            file(f"cut-{part}.{kind}", whole[: int(part * len(whole))])

    # Pickles that call.
    file("bare.pt", pickle.dumps(Hostile(), protocol=2))
    file("bare.pkl", pickle.dumps({"weight": Hostile()}))
    saved("hostile.pt", {"fc1.weight": torch.ones(2, 2), "more": Hostile()})
    for protocol in (0, 1, 2, 3, 4, 5):
        path = file(f"protocol-{protocol}.pt", None)
        archive(path, good, {"data.pkl": pickle.dumps(Hostile(), protocol=protocol)})
    evaluated = b"\x80\x02cbuiltins\neval\n(X" + struct.pack("<I", 40)
    evaluated += f"open('{CALLED}', 'w')".encode().ljust(40) + b"tR."
    named = b"\x80\x04\x8c\x05posix\x8c\x06system\x93."
    instance = f"(S'touch {CALLED}'\nios\nsystem\n.".encode()
    loops = b"\x80\x02" + b"}q\x00" + b"h\x00" * 300_000 + b"."
    nested = b"\x80\x02" + b"(" * 300_000 + b"t" * 300_000 + b"."
    memo = b"\x80\x02}r\xff\xff\xff\xff."
    long = b"\x80\x02\x8b\xff\xff\xff\x7f."
    for name, content in [
        ("evaluated", evaluated), ("named", named), ("instance", instance), ("loops", loops),
        ("nested", nested), ("memo", memo), ("long", long), ("none", b""),
    ]:
        archive(file(f"pickle-{name}.pt", None), good, {"data.pkl": content})
    saved("module.pt", vae())
    archive(file("packed.pt", None), good, {}, zipfile.ZIP_DEFLATED)
    # A gigabyte of zeros in a megabyte.
    zeros = bytes(1 << 30)
    archive(file("bomb.pt", None), good, {"data/0": zeros}, zipfile.ZIP_DEFLATED)
    archive(file("bomb-of-pickle.pt", None), good, {"data.pkl": zeros}, zipfile.ZIP_DEFLATED)
    del zeros
    archive(file("short-storage.pt", None), good, {"data/0": bytes(8)})
    file("other.zip", None)
    with zipfile.ZipFile(folder / "other.zip", "w") as other:
        other.writestr("readme.txt", "nothing")

    # Headers that claim what is not there.
    file("long-header.safetensors", struct.pack("<Q", 1 << 62) + b"{}")
    claim = '{"a.weight":{"dtype":"F32","shape":[%d,%d],"data_offsets":[0,8]}}'
    file("claim.safetensors", safetensors_of(claim % (1 << 31, 1 << 31), bytes(8)))
    overlap = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    file("overlap.safetensors", safetensors_of(overlap, bytes(8)))
    file("depth.safetensors", safetensors_of("{" + '"a":{' * 100_000))
    graph = onnx.load(folder.parent / "vae.onnx")
    graph.graph.initializer[0].dims[0] = 1 << 40
    file("claim.onnx", graph.SerializeToString())
    graph = onnx.load(folder.parent / "vae.onnx")
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    file("elsewhere.onnx", graph.SerializeToString())

    # Sides of nothing, whose other side is more than there is.
    empty = '{"a.weight":{"dtype":"F32","shape":[%d,0],"data_offsets":[0,0]}}'
    file("no-columns.safetensors", safetensors_of(empty % (1 << 62)))
    file("no-columns-beyond-memory.safetensors", safetensors_of(empty % (1 << 40)))
    weight = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[1 << 40, 0])
    dense = onnx.helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    sides = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xy"]
    graph = onnx.helper.make_graph([dense], "g", sides[:1], sides[1:], [weight])
    file("no-columns.onnx", onnx.helper.make_model(graph).SerializeToString())

    # More than a network has, and what takes long to go through.
    entries = ",".join(
        f'"{index}.weight":{{"dtype":"F32","shape":[1,1],"data_offsets":[{4 * index},{4 * index + 4}]}}'
        for index in range(20_000)
    )
    file("many-layers.safetensors", safetensors_of("{" + entries + "}", bytes(80_000)))
    saved("many-dimensions.pt", {"a.weight": torch.ones(600, 600).reshape(600, 600, *[1] * 60)})
    shared_entries(folder / "shared-entries.pt", good)
    file("shared-entries.pt", None)

    # Graphs that do more than a model does.
    for name, tail in [("tanh", ["Tanh"]), ("relu-of-sigmoid", ["Sigmoid", "Relu"])]:
        graph = onnx.load(folder.parent / "vae.onnx")
        result = graph.graph.output[0].name
        for operator in tail:
            graph.graph.node.append(onnx.helper.make_node(operator, [result], [f"{result}.{operator}"]))
            result = f"{result}.{operator}"
        graph.graph.output[0].name = result
        file(f"{name}.onnx", graph.SerializeToString())

    # Other models.
    saved("convolution.pt", nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(8, 2)).state_dict())
    saved("normalised.pt", nn.Sequential(nn.Linear(inputs, 9), nn.BatchNorm1d(9), nn.Linear(9, inputs)).state_dict())
    saved("recurrent.pt", nn.LSTM(4, 5).state_dict())
    saved("one-layer.pt", nn.Linear(4, 5).state_dict())
    saved("numbers.pt", {"epoch": 3, "loss": 0.5})
    saved("tensor.pt", torch.ones(3, 4))
    saved("list.pt", [torch.ones(3, 4)])
    saved("whole-numbers.pt", {name: tensor.long() for name, tensor in state.items()})
    for word, value in [("nan", float("nan")), ("infinite", float("inf"))]:
        changed = {name: tensor.clone() for name, tensor in state.items()}
        changed["fc3.weight"][1, 2] = value
        saved(f"{word}.pt", changed)
        save_file(changed, folder / f"{word}.safetensors")
        file(f"{word}.safetensors", None)
    huge = {name: 1e30 * tensor for name, tensor in state.items()}
    saved("not-finite-losses.pt", huge)
    saved("wide-bias.pt", state | {"fc4.bias": torch.zeros(inputs + 1)})
    saved("uneven.pt", state | {"fc3.weight": torch.zeros(41, 5), "fc3.bias": torch.zeros(41)})
    saved("fewer.pt", {name: tensor for name, tensor in state.items() if "fc4" not in name})
    saved("more.pt", state | {"head.weight": torch.zeros(10, 5), "head.bias": torch.zeros(10)})
    smaller = {"fc1.weight": state["fc1.weight"][:, 1:], "fc4.weight": state["fc4.weight"][1:], "fc4.bias": state["fc4.bias"][1:]}
    saved("other-data.pt", state | smaller)

    # Maps.
    for name, text in [
        ("no-toml", "mu = "), ("unknown", 'mu = "fc99"'), ("no-layer", 'nothing = "fc1"'),
        ("misplaced", 'mu = "fc1"'), ("rows", 'mu = { name = "fc21", rows = [3, 2] }'),
        ("beyond", 'mu = { name = "fc21", rows = [0, 99999999999] }'),
    ]:
        (folder / f"{name}.toml").write_text(text)
        files.append((f"map {name}", good, ("--map", folder / f"{name}.toml")))
    files.append(("activation", good, ("--activation", "gelu")))
    files.append(("kind", good, ("--model", "ae")))
    return files


def check(program, folder, name, path, options):
    """Tries to import a file."""
    out = folder / "refused" / "run"
    command = [program, "import", path, "--dataset", "spots.npz", "-o", out, "--quiet", *options]
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=SECONDS,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    said = done.stderr.strip()
    print(f"refused {name:26} {said.replace(str(folder), '')[:200]}")
    if done.returncode != 2 or len(said.splitlines()) != 1 or not said.startswith("error:"):
        sys.exit(f"{name}: exit code {done.returncode}; expected 2 and one sentence: {done.stderr}")
    if out.exists():
        sys.exit(f"{name}: {out} was written")
    if (folder / CALLED).exists():
        sys.exit(f"{name}: what the file asks for was called")
