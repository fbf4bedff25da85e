"""VAE 64-32-2 of 8x8 values under the likelihood bernoulli,
trained by Latent Atlas on glyphs.

In use, with x [n, 64] as the run read its rows (bytes as b / 255; after
--maximum, --invert and resizing):

    from model import load
    model = load()                                  # the weights beside this file
    mu, log_var = model.encode(x)
    images = model.decode(mu)                       # the mean of every value
    loss, reconstruction, penalty = model.loss(x)   # nats; loss.backward() trains on

model.save("tuned.safetensors") writes the weights under the names they had. They
become a run with

    latent-atlas import tuned.safetensors --dataset glyphs -o RUN

Needs the packages torch and safetensors.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

INPUTS = 64
SHAPE = (8, 8)  # of a row
LATENT = 2
BETA = 1.0  # weight of the penalty
CLASS_NAMES = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

# What a file of these weights says about them.
METADATA = {
    "format": "latent-atlas model 1",
    "kind": "vae",
    "architecture": "64-32-2",
    "activation": "relu",
    "likelihood": "bernoulli",
    "posterior_scale": "log-variance",
    "shape": "8x8",
}


class Model(nn.Module):
    """64-32-2."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 32),
            nn.ReLU(),
        )
        self.mu = nn.Linear(32, 2)
        self.log_var = nn.Linear(32, 2)
        self.decoder = nn.Sequential(
            nn.Linear(2, 32),
            nn.ReLU(),
            nn.Linear(32, 64),
        )

    def posterior(self, seen):
        """μ and log σ² of q(z|x), of values as the network takes them."""
        hidden = self.encoder(seen)
        return self.mu(hidden), self.log_var(hidden)

    def encode(self, x):
        """μ and log σ² of q(z|x), [n, LATENT] each."""
        return self.posterior(x)

    def decode(self, z):
        """The mean of every value under p(x|z), [n, INPUTS]."""
        return self.mean(self.decoder(z))

    def reconstruct(self, x):
        """The mean of every value at the mean of q(z|x)."""
        return self.decode(self.encode(x)[0])

    def mean(self, outputs):
        """E[x] of logits."""
        return torch.sigmoid(outputs)

    def negative_log_likelihood(self, outputs, x):
        """−log p(x|z) of each row in nats; of grey values the cross-entropy."""
        losses = F.binary_cross_entropy_with_logits(outputs, x.expand_as(outputs), reduction="none")
        return losses.sum(-1)

    def loss(self, x):
        """What training minimises, the reconstruction and the KL:
        nats a row, means over the rows of the batch."""
        mu, log_var = self.posterior(x)
        noise = torch.randn_like(mu)
        z = mu + torch.exp(0.5 * log_var) * noise
        reconstruction = self.negative_log_likelihood(self.decoder(z), x).mean()
        kl = 0.5 * (mu**2 + log_var.exp() - log_var - 1)
        penalty = kl.sum(-1).mean()
        return reconstruction + BETA * penalty, reconstruction, kl.sum(-1).mean()

    def save(self, path):
        """Writes the weights as they are now, under the same names."""
        tensors = {
            name: tensor.detach().cpu().float().contiguous()
            for name, tensor in self.state_dict().items()
        }
        save_file(tensors, path, metadata={"latent_atlas": json.dumps(METADATA)})


def load(path=Path(__file__).with_name("model.safetensors")):
    """The model with the weights of a file; every name and shape has to fit."""
    model = Model()
    model.load_state_dict(load_file(path), strict=True)
    return model
