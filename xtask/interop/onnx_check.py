"""Reads what export writes with the tools it is for: python onnx_check.py PROGRAM

PROGRAM is the built latent-atlas. Small runs of every model, likelihood, source of
sigma, scale of the posterior and activation, of odd shapes, are trained and exported.
onnx.checker has to find nothing in encoder.onnx and decoder.onnx, and ONNX Runtime has
to give the codes and means of the program's own encode and decode to 1e-6. The module
of model.py has to load model.safetensors strictly, give the same codes and means, the
losses of eval.json at the mean of q(z|x), and a smaller loss after some steps of Adam.
What it saves, its state_dict in an archive of torch.save, and the two graphs are then
imported, and the program has to find the losses of PyTorch in them. Needs numpy, onnx,
onnxruntime, safetensors and torch.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors import safe_open

TOLERANCE = 1e-6

# Settings that every file tells.
SIZES = ("model.hidden", "model.latent", "model.lower_latent", "model.upper_hidden")

# Shape of a row, and what is set besides; every setting is a name of config.toml.
RUNS = {
    "vae": ((11, 7), {}),
    "wide": ((5, 9), {"model.hidden": "none", "model.latent": 1}),
    "deep": ((6, 5, 3), {"model.hidden": "24,12,6", "model.latent": 20, "model.activation": "tanh"}),
    "vector": ((13,), {"model.likelihood": "gaussian-identity", "data.standardise": True}),
    "log-sigma": ((7, 7), {"model.posterior_scale": "log-sigma", "model.likelihood": "laplace"}),
    "ae": ((7, 8), {"model.kind": "ae", "model.likelihood": "gaussian", "model.sigma": 0.2}),
    "ae-l2": ((7, 8), {"model.kind": "ae-l2", "training.beta": 0.5}),
    "denoising": ((7, 8), {"model.kind": "denoising"}),
    "wae": ((7, 8), {"model.kind": "ae", "training.objective": "wae", "training.beta": 10}),
    "continuous": ((8, 8), {"model.likelihood": "continuous-bernoulli"}),
    "per-pixel": ((3, 7), {"model.likelihood": "gaussian", "model.sigma": "per-pixel"}),
    "decoder": ((3, 7), {"model.likelihood": "laplace-identity", "model.sigma": "decoder"}),
    "decoder-sigmoid": ((3, 7), {"model.likelihood": "gaussian", "model.sigma": "decoder"}),
    "decoder-units": (
        (17,),
        {"model.likelihood": "gaussian-identity", "model.sigma": "decoder", "data.standardise": True},
    ),
    "free": ((7, 8), {"training.free_bits": 0.1, "training.beta": 2, "training.samples": 3}),
    "iwae": ((7, 8), {"training.objective": "iwae", "training.samples": 4}),
    "two": ((7, 8), {"model.lower_latent": 5, "model.upper_hidden": "9", "model.latent": 3}),
    "two-iwae": (
        (7, 8),
        {"model.lower_latent": 5, "model.latent": 3, "training.objective": "iwae", "training.samples": 4},
    ),
}


def data(shape, count, seed):
    """Soft waves, within [0, 1]."""
    random = np.random.default_rng(seed)
    size = int(np.prod(shape))
    waves = np.sin(np.outer(random.uniform(0.2, 0.9, count), np.arange(size)) + random.uniform(0, 6, (count, 1)))
    noise = random.uniform(-0.2, 0.2, (count, size))
    values = np.clip(0.5 + 0.4 * waves + noise, 0, 1).astype(np.float32)
    return values.reshape(count, *shape)


def program(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"latent-atlas {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def close(what, found, expected, tolerance=TOLERANCE):
    """The largest difference in units of the tolerance, which has to be at most 1."""
    found, expected = (np.asarray(a, np.float64) for a in (found, expected))
    if found.shape != expected.shape:
        sys.exit(f"{what} has the shape {found.shape}; expected {expected.shape}")
    error = np.abs(found - expected) / np.maximum(np.abs(expected), 1)
    if not error.max() <= tolerance:
        sys.exit(f"{what} differs by {error.max():.2e}; expected at most {tolerance}")
    return error.max()


def session(path):
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    assert model.ir_version == 4 and model.opset_import[0].version == 9
    keys = {entry.key for entry in model.metadata_props}
    expected = {"kind", "architecture", "likelihood", "shape", "dataset", "run"}
    assert expected <= keys, keys
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def check_onnx(folder, x, codes, z, images):
    encoder, decoder = session(folder / "encoder.onnx"), session(folder / "decoder.onnx")
    errors = []
    for rows in (len(x), 1):
        names = [output.name for output in encoder.get_outputs()]
        found = dict(zip(names, encoder.run(None, {"x": x[:rows]})))
        assert set(found) == set(codes) & {"mu", "log_var"}, names
        for name, values in found.items():
            errors.append(close(f"{name} of ONNX Runtime", values, codes[name][:rows]))
    names = [output.name for output in decoder.get_outputs()]
    found = dict(zip(names, decoder.run(None, {"z": z})))
    errors.append(close("x of ONNX Runtime", found["x"], images))
    if "sigma" in found:
        assert found["sigma"].shape == images.shape and (found["sigma"] > 0).all()
    return max(errors), found.get("sigma")


def module(path):
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def losses_at_mean(model, x, has_kl):
    """Mean reconstruction at the mean of q(z|x), and the KL where there is one, of
    64-bit floats."""
    model.double()
    with torch.no_grad():
        x = x.double()
        seen = model.as_seen(x) if hasattr(model, "as_seen") else x
        found = model.encode(x)
        if hasattr(model, "lower_posterior"):
            outputs = model.decoder(model.lower_posterior(seen)[0])
        else:
            outputs = model.decoder(found[0] if isinstance(found, tuple) else found)
        reconstruction = model.negative_log_likelihood(outputs, seen).mean().item()
        # Of one stochastic layer nothing is drawn for it.
        kl = model.loss(x)[2].item() if has_kl and not hasattr(model, "lower_posterior") else None
    model.float()
    return reconstruction, kl


def check_python(folder, x, codes, z, images, sigma, evaluation, tuned):
    torch.manual_seed(1)
    source = module(folder / "model.py")
    model = source.load()
    x, z = torch.from_numpy(x), torch.from_numpy(z)
    with torch.no_grad():
        found = model.encode(x)
        found = found if isinstance(found, tuple) else (found,)
        names = [name for name in ("mu", "log_var") if name in codes]
        errors = [close(f"{n} of PyTorch", v, codes[n]) for n, v in zip(names, found, strict=True)]
        errors.append(close("x of PyTorch", model.decode(z), images))
        model.reconstruct(x)

        if sigma is not None and not hasattr(model, "lower_posterior"):
            log_sigma = model.log_scale(model.decoder(z)).exp()
            units = model.standardisation.deviation if hasattr(model, "as_seen") else 1
            errors.append(close("sigma of ONNX Runtime", sigma, log_sigma * units))

    has_kl = evaluation["kl"] is not None
    reconstruction, kl = losses_at_mean(model, x, has_kl)
    close("the reconstruction of PyTorch", reconstruction, evaluation["at_mean"]["reconstruction"], 1e-5)
    if kl is not None:
        close("the KL of PyTorch", kl, evaluation["kl"], 1e-5)

    # What is minimised. The program has drawn once: its loss is one more of these draws.
    with torch.no_grad():
        draws = [[float(part) for part in model.loss(x)] for _ in range(200)]
    loss, reconstruction, penalty = np.mean(draws, 0)
    if source.METADATA["kind"] != "denoising":
        allowed = 4 * np.std(draws, 0)[1] + 1e-5 * max(abs(reconstruction), 1)
        found = evaluation["reconstruction"]
        if not abs(found - reconstruction) <= allowed:
            sys.exit(f"the program's reconstruction is {found}; expected {reconstruction} ± {allowed:.2g}")
    if hasattr(model, "lower_posterior"):
        close("the sampled KL of PyTorch", penalty, evaluation["kl"], 0.1)

    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(30):
        optimiser.zero_grad()
        model.loss(x)[0].backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        optimiser.step()
    with torch.no_grad():
        after = np.mean([float(model.loss(x)[0]) for _ in range(200)])
    assert after < loss, f"the loss is {after} after 30 steps of Adam and was {loss}"
    model.save(tuned)
    again = source.load(tuned)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    with safe_open(folder / "model.safetensors", "pt") as ours, safe_open(tuned, "pt") as saved:
        assert sorted(ours.keys()) == sorted(saved.keys())
    torch.save(model.state_dict(), tuned.with_suffix(".pt"))
    return max(errors), loss, after, losses_at_mean(model, x, has_kl)


def check_import(name, files, options, source, expected):
    """Makes a run of files, in which the program has to find the losses `expected`."""
    run = files[0].with_name(name)
    words = [word for option in options for word in ("--set", option)]
    program("import", *files, "--dataset", source, "-o", run, "--quiet", *words)
    program("eval", run, "--quiet")
    at_mean = json.loads((run / "eval.json").read_text())["at_mean"]
    for part, value in zip(("reconstruction", "kl"), expected):
        if value is not None:
            close(f"the {part} of {name}", at_mean[part], value, 1e-5)
    return run


def check(name, shape, settings, root):
    source, run = root / f"{name}.npz", root / name
    x_train, x_test = data(shape, 300, 1), data(shape, 50, 2)
    np.savez(source, x_train=x_train, x_test=x_test)
    settings = {"model.hidden": "19", "training.batch": 50, "training.epochs": 2} | settings
    words = [f"{key}={str(value).lower()}" for key, value in settings.items()]
    sets = [word for setting in words for word in ("--set", setting)]
    program("train", source, "--quiet", "--out", run, *sets)
    program("eval", run, "--quiet")
    evaluation = json.loads((run / "eval.json").read_text())

    rows, z_file = root / f"{name}-rows.npy", root / f"{name}-z.npy"
    np.save(rows, x_test)
    program("encode", run, rows, "-o", root / f"{name}-codes.npz", "--quiet")
    codes = dict(np.load(root / f"{name}-codes.npz"))
    z = np.random.default_rng(3).normal(size=(40, codes["mu"].shape[1])).astype(np.float32)
    np.save(z_file, z)
    program("decode", run, z_file, "-o", root / f"{name}-images.npz", "--quiet")
    images = np.load(root / f"{name}-images.npz")["x"].reshape(len(z), -1)

    x = x_test.reshape(len(x_test), -1)
    out = {form: root / f"{name}-{form}" for form in ("onnx", "python")}
    for form, folder in out.items():
        program("export", run, "--format", form, "-o", folder, "--quiet")
    of_onnx, sigma = check_onnx(out["onnx"], x, codes, z, images)
    tuned = root / f"{name}-tuned.safetensors"
    of_torch, before, after, losses = check_python(
        out["python"], x, codes, z, images, sigma, evaluation, tuned
    )
    # A file that says what it is, one that says nothing, and graphs.
    told = [word for word in words if word.startswith(("model.", "data.")) and not word.startswith(SIZES)]
    again = check_import(f"{name}-tuned", [tuned], [], source, losses)
    check_import(f"{name}-state", [tuned.with_suffix(".pt")], told, source, losses)
    if "model.lower_latent" not in settings:
        graphs = [out["onnx"] / f"{part}.onnx" for part in ("encoder", "decoder")]
        losses = (evaluation["at_mean"]["reconstruction"], evaluation["at_mean"]["kl"])
        check_import(f"{name}-graphs", graphs, told, source, losses)
    program("figures", run, again, "--out", root / f"{name}-figures", "--quiet")
    print(f"{name}: ONNX Runtime {of_onnx:.1e}, PyTorch {of_torch:.1e}, loss {before:.2f} to {after:.2f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python onnx_check.py PROGRAM")
    PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        for name, (shape, settings) in RUNS.items():
            check(name, shape, settings, pathlib.Path(root))
