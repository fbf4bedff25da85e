"""The estimators: autoencoders and variational autoencoders as transformers."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from . import _native, _settings
from ._autoencoder import Autoencoder, keep, seed_of
from ._reading import done_by_reading
from ._rows import of_images

__all__ = ["AE", "VAE", "load"]


class VAE(Autoencoder):
    """Variational autoencoder: z is sampled from N(μ, diag σ²), penalised by its KL
    divergence from N(0, I).

    Every parameter is a setting of the program with the program's default, and takes what
    that takes; ``latent-atlas schema`` describes them all. They are checked by ``fit``.

    The default likelihood is that of values in [0, 1]. Other data are refused with a
    sentence that says so: take ``likelihood="gaussian-identity"`` for them, with
    ``standardise=True`` where columns differ in size. No likelihood is chosen from the
    data.

    Parameters
    ----------
    latent : int, default=2
        Number of latent variables.
    hidden : sequence of int, default=(256,)
        Widths of the encoder's hidden layers, which the decoder mirrors; ``()`` for none.
    likelihood : str, default="bernoulli"
        p(x|z): ``bernoulli``, ``continuous-bernoulli``, ``gaussian``,
        ``gaussian-identity``, ``laplace``, ``laplace-identity``.
    sigma : str or float, default="scalar"
        The standard deviation of a Gaussian or the like: a number, or learned.
    standardise : bool, default=False
        Take the mean of each column off and divide by its deviation; taken back on
        decoding.
    beta : float, default=1.0
        Weight of the KL.
    epochs, batch, learning_rate : int, int, float
        The optimisation by Adam.
    validation, patience : int, default=0
        Rows held out from the end of ``X``, and epochs without a lower loss on them after
        which training stops with the best weights.
    random_state : int, RandomState or None, default=42
        Seed of every random number. None draws one.
    shape : str or tuple of int, optional
        What a row is, where ``X`` does not say it: ``(28, 28)`` for rows of 784 floats.
        Flat ``uint8`` rows in a square number are square images unless this says else.
    threads : int, optional
        Threads to use, all cores by default; they change no result. Take 1 where a grid
        search runs several fits side by side.
    verbose : bool, default=False
        Show a bar of tqdm, or a line for each epoch where that is not installed.

    Attributes
    ----------
    loss_curve_ : list of float
        What is minimised, the mean over each epoch's steps, in nats a row.
    test_loss_curve_, validation_loss_curve_ : list of float
        The losses of ``X_test`` and of the rows held out, after each epoch, where there
        are such rows.
    metrics_ : list of dict
        Every number of each epoch.
    n_epochs_ : int
        Epochs trained.
    best_epoch_ : int or None
        With ``patience``, the epoch whose weights were kept.
    n_features_in_ : int
        Values in a row.
    shape_ : tuple of int
        The sizes of a row, which ``inverse_transform`` gives back.

    Examples
    --------
    >>> import numpy as np
    >>> from latent_atlas import VAE
    >>> X = np.random.default_rng(0).integers(0, 256, (200, 8, 8), dtype=np.uint8)
    >>> vae = VAE(latent=2, hidden=(32,), epochs=2).fit(X)
    >>> vae.transform(X).shape, vae.sample(3).shape
    ((200, 2), (3, 8, 8))
    """

    def __init__(
        self,
        latent: int = 2,
        hidden: Sequence[int] | str = (256,),
        *,
        likelihood: str = "bernoulli",
        sigma: str | float = "scalar",
        activation: str = "relu",
        posterior_scale: str = "log-variance",
        lower_latent: int = 0,
        upper_hidden: Sequence[int] | str = (),
        initialisation: str = "pytorch",
        output_bias: str = "initialisation",
        objective: str = "elbo",
        samples: int = 1,
        beta: float = 1.0,
        beta_warm_up_epochs: int = 0,
        free_bits: float = 0.0,
        epochs: int = 10,
        batch: int = 128,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        second_moment_start: float = 0.0,
        adam_form: str = "corrected",
        adam_moments: str = "current",
        batch_gradient: str = "mean",
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        schedule: str = "constant",
        schedule_epochs: int = 0,
        schedule_factor: float = 0.1,
        warm_up_epochs: float = 0.0,
        validation: int = 0,
        patience: int = 0,
        shuffle: bool = True,
        gradients: str = "hand",
        treatment: str = "grey",
        test_seed: int = 0,
        standardise: bool = False,
        images_per_class: int = 10,
        snapshots_per_epoch: int = 1,
        random_state: Any = 42,
        shape: str | Sequence[int] | None = None,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        keep(self, locals())

    def _kind(self) -> str:
        return "vae"

    def posterior(self, X: Any):
        """The means and log variances of q(z|x), two arrays of shape (n, latent)."""
        return self._encode(X)

    def sample(self, n_samples: int = 1, random_state: Any = None):
        """Mean rows of codes from N(0, I).

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState or None
            An int gives the rows of ``latent-atlas sample --seed``.

        Returns
        -------
        array of shape (n_samples, *shape_), float32
        """
        check_is_fitted(self)
        if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(
                f"n_samples is {n_samples!r}, but must be a whole number of at least 1"
            )
        seed = seed_of(random_state, bits=64)
        return self._decode(self._run.prior_codes(int(n_samples), seed))


class AE(Autoencoder):
    """Autoencoder: z is a point.

    Parameters, attributes and methods are those of :class:`VAE`, without what only a
    distribution of codes has.

    Parameters
    ----------
    kind : {"ae", "ae-l2", "denoising"}, default="ae"
        ``ae`` has no penalty (with ``objective="wae"`` it is a Wasserstein autoencoder),
        ``ae-l2`` keeps the quadratic penalty ½‖z‖² of a VAE without its sampling,
        ``denoising`` gives back more than it sees.
    corruption : float, default=0.25
        Of ``denoising``: the share of a row's values that are set to 0 while it trains.

    Examples
    --------
    >>> import numpy as np
    >>> from latent_atlas import AE
    >>> X = np.random.default_rng(0).random((100, 12))
    >>> AE(latent=3, hidden=(8,), kind="ae-l2", epochs=1).fit_transform(X).shape
    (100, 3)
    """

    def __init__(
        self,
        latent: int = 2,
        hidden: Sequence[int] | str = (256,),
        *,
        kind: str = "ae",
        corruption: float = 0.25,
        likelihood: str = "bernoulli",
        sigma: str | float = "scalar",
        activation: str = "relu",
        initialisation: str = "pytorch",
        output_bias: str = "initialisation",
        objective: str = "elbo",
        samples: int = 1,
        beta: float = 1.0,
        beta_warm_up_epochs: int = 0,
        free_bits: float = 0.0,
        epochs: int = 10,
        batch: int = 128,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        second_moment_start: float = 0.0,
        adam_form: str = "corrected",
        adam_moments: str = "current",
        batch_gradient: str = "mean",
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        schedule: str = "constant",
        schedule_epochs: int = 0,
        schedule_factor: float = 0.1,
        warm_up_epochs: float = 0.0,
        validation: int = 0,
        patience: int = 0,
        shuffle: bool = True,
        gradients: str = "hand",
        treatment: str = "grey",
        test_seed: int = 0,
        standardise: bool = False,
        images_per_class: int = 10,
        snapshots_per_epoch: int = 1,
        random_state: Any = 42,
        shape: str | Sequence[int] | None = None,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        keep(self, locals())

    def _kind(self) -> str:
        if self.kind == "vae":
            raise ValueError("kind is 'vae', which is the estimator VAE; expected another kind")
        return self.kind


def load(path: str | os.PathLike[str]) -> VAE | AE:
    """The fitted estimator of a run folder, of ``save`` or of ``latent-atlas train``.

    Its rows are as the run read them: of one that was trained with ``--maximum``,
    ``--invert`` or resizing, those that these have been done to.

    Raises
    ------
    OSError
        A folder that holds no run, no weights yet, or a damaged file.

    Warns
    -----
    UserWarning
        The run did something to the values or the shape of its rows when it read them,
        which has to be done to arrays before they are given.
    """
    run = _native.Run.load(Path(path))
    configuration = json.loads(run.configuration)
    if done := done_by_reading(configuration):
        options, advice = done
        warnings.warn(
            f"the rows of {os.fspath(path)} were read with {options}, which is not done to "
            f"arrays, and the estimator takes and gives rows as they were after it; {advice}",
            stacklevel=2,
        )
    parameters = _settings.of_configuration(configuration)
    kind = VAE if parameters["kind"] == "vae" else AE
    names = kind._get_param_names()
    estimator = kind(**{name: parameters[name] for name in parameters if name in names})
    sizes = of_images(run.shape) or (int(run.shape),)
    return estimator._adopt(run, sizes, True)
