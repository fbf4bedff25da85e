"""Imports what PyTorch trained, and compares the losses: python import_check.py PROGRAM

PROGRAM is the built latent-atlas. The VAE of PyTorch's examples is trained for a few
steps on images made here, saved in every format that is read, imported, and evaluated
by the program; reconstruction and KL at z = mu have to be PyTorch's to 1e-5 of their
size. Then a run of the program is exported as a program of PyTorch, trained there for
an epoch, imported again and drawn beside the run it was. Last come files that become no
model (refused_files.py): each has to be refused in one sentence with exit code 2, with
nothing run and nothing written. Needs torch, onnx, onnxscript, safetensors and numpy.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

import refused_files

HEIGHT, WIDTH, HIDDEN, LATENT = 14, 10, 40, 5
INPUTS = HEIGHT * WIDTH


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(INPUTS, HIDDEN)
        self.fc21 = nn.Linear(HIDDEN, LATENT)
        self.fc22 = nn.Linear(HIDDEN, LATENT)
        self.fc3 = nn.Linear(LATENT, HIDDEN)
        self.fc4 = nn.Linear(HIDDEN, INPUTS)

    def encode(self, x):
        h = torch.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))

    def forward(self, x):
        mu, log_var = self.encode(x.view(-1, INPUTS))
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * log_var)
        return self.decode(z), mu, log_var


def images(count, seed):
    """Soft spots at random places, as bytes."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    at = random.uniform(1, [HEIGHT - 2, WIDTH - 2], (count, 2))
    size = random.uniform(2, 9, (count, 1, 1))
    distance = (y - at[:, 0, None, None]) ** 2 + (x - at[:, 1, None, None]) ** 2
    return np.round(255 * np.exp(-distance / size)).astype(np.uint8)


def losses(model, x):
    """Mean reconstruction and KL at z = mu, nats per image, in float64."""
    model = model.double().eval()
    with torch.no_grad():
        mu, log_var = model.encode(x)
        reconstruction = nn.functional.binary_cross_entropy(model.decode(mu), x, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
    model.float()
    return reconstruction.item() / len(x), kl.item() / len(x)


def train(model, x, steps, seed):
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(steps):
        batch = x[step * 64 % len(x) :][:64]
        decoded, mu, log_var = model(batch)
        loss = nn.functional.binary_cross_entropy(decoded, batch, reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
        optimiser.zero_grad()
        (loss / len(batch)).backward()
        optimiser.step()


def exported(folder):
    """The network that the program wrote as a module of PyTorch, with its weights."""
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


def train_an_epoch(model, x, seed):
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for batch in x[torch.randperm(len(x))].split(64):
        loss, _, _ = model.loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def check(program, folder):
    def run(*arguments):
        done = subprocess.run(
            [program, *map(str, arguments), "--json", "--quiet"],
            cwd=folder, check=False, capture_output=True, text=True,
        )
        if done.returncode != 0:
            sys.exit(f"{arguments}: exit code {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    train_images, test_images = images(640, 1), images(200, 2)
    np.savez(folder / "spots.npz", x_train=train_images, x_test=test_images)
    x = torch.from_numpy(train_images.reshape(-1, INPUTS) / 255.0).float()
    test = torch.from_numpy(test_images.reshape(-1, INPUTS) / 255.0)

    def compare(name, model, files, *more):
        run("import", *files, "--dataset", "spots.npz", "-o", name, *more)
        run("eval", name)
        found = json.loads((folder / name / "eval.json").read_text())["at_mean"]
        for key, expected in zip(["reconstruction", "kl"], losses(model, test)):
            difference = abs(found[key] - expected) / abs(expected)
            print(f"{name:20} {key:15} PyTorch {expected:.6f}  imported {found[key]:.6f}  {difference:.1e}")
            if not difference <= 1e-5:
                sys.exit(f"{name}: {key} is {found[key]}, but PyTorch has {expected}")

    torch.manual_seed(0)
    model = VAE()
    train(model, x, 200, 1)
    torch.save(model.state_dict(), folder / "vae.pt")
    save_file(model.state_dict(), folder / "vae.safetensors")
    torch.onnx.export(
        model.eval(), (torch.rand(2, INPUTS),), folder / "vae.onnx", dynamo=True,
        external_data=False, verbose=False,
    )
    for name in ["vae.pt", "vae.safetensors", "vae.onnx"]:
        compare(f"from-{name.split('.')[1]}", model, [name])

    run("train", "spots.npz", "--hidden", HIDDEN, "--latent", LATENT, "--epochs", 2, "--out", "ours")
    run("export", "ours", "--format", "python", "-o", "torch")
    own = exported(folder / "torch")
    train_an_epoch(own, x, 2)
    own.save(folder / "tuned.safetensors")
    compare("tuned", own, ["tuned.safetensors"])
    torch.save({"state_dict": own.state_dict(), "epoch": 1}, folder / "checkpoint.pt")
    compare("from-checkpoint", own, ["checkpoint.pt"])
    run("figures", "ours", "tuned", "--out", "compared")
    run("explore", "tuned", "--out", "tuned.html")
    run("train", "--resume", "tuned", "--epochs", 1)

    count = 0
    for name, path, options in refused_files.write(folder, VAE, INPUTS):
        refused_files.check(program, folder, name, path, options)
        count += 1
    print(f"all agree, and {count} files that are no such model are refused")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        check(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(folder))
