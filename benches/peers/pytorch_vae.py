"""The VAE of the PyTorch peers; imported after PyTorch is known to be there."""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def set_precision(precision):
    """Lets oneDNN round the factors of products to bfloat16, or forbids every fast mode."""
    backend = torch.backends.mkldnn.matmul
    backend.fp32_precision = "bf16" if precision == "bf16" else "ieee"


class Vae(nn.Module):
    """MLP encoder and mirrored decoder; μ and log σ² come from one linear layer."""

    def __init__(self, options):
        super().__init__()
        widths = [options.inputs, *options.hidden]
        self.encoder = layers([*widths, 2 * options.latent], options.activation)
        self.decoder = layers([options.latent, *reversed(widths)], options.activation)

    def forward(self, x):
        """−ELBO of x [batch, inputs] in nats, averaged over the batch."""
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * log_var)
        logits = self.decoder(z)
        reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mu.square() + log_var.exp() - log_var - 1.0).sum()
        return (reconstruction + kl) / len(x)


def layers(widths, activation):
    """Linear layers of the given widths with the activation between them."""
    modules = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        modules += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*modules[:-1])


def epoch_function(images, options, step):
    """A function that trains one shuffled epoch and returns its mean loss per image.

    step(pixels) trains on uint8 [batch, inputs] and returns the mean loss as a tensor,
    which is not read before the end of the epoch. The last, smaller batch is used.
    """
    images = torch.from_numpy(images)
    count = len(images)

    def train_epoch():
        total = torch.zeros((), dtype=torch.float64)
        for rows in torch.randperm(count).split(options.batch):
            total += step(images[rows]) * len(rows)
        return total.item() / count

    return train_epoch
