"""Autoencoders and variational autoencoders with the interface of scikit-learn.

    >>> from latent_atlas import VAE
    >>> vae = VAE(latent=2, hidden=(512,)).fit(images)  # doctest: +SKIP
    >>> codes = vae.transform(images)                   # doctest: +SKIP

Training, evaluation and pages are those of the program ``latent-atlas``, which this
package installs too: the same settings, rows and seed give the same bytes.
"""

from ._estimators import AE, VAE, load
from ._native import Diverged, __version__, instruction_set
from ._page import ExplorerPage

__all__ = [
    "AE",
    "VAE",
    "Diverged",
    "ExplorerPage",
    "__version__",
    "instruction_set",
    "load",
]
