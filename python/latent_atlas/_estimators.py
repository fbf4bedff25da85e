"""The estimators: autoencoders and variational autoencoders as transformers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import _native, _settings
from ._page import ExplorerPage, write_whole
from ._progress import Progress

__all__ = ["AE", "VAE", "load"]

#: What the arrays of a saved run are kept in, beside it.
_DATA_FILE = "data.npz"


def _keep(estimator: _Autoencoder, arguments: dict[str, Any]) -> None:
    """Keeps the arguments of a constructor as they are; ``fit`` looks at them."""
    for name in estimator._get_param_names():
        setattr(estimator, name, arguments[name])


class _Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What both estimators do."""

    # Fitting

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        X_test: Any = None,
        y_test: Any = None,
        callback: Callable[[dict[str, Any]], object] | None = None,
    ):
        """Trains on every row of ``X``.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, h, w, c)
            Rows: vectors, grey images, or images of 1 or 3 channels. ``uint8`` stands for
            value / 255 and is used where it is, without a copy; all other types are
            values as they are, in 32-bit floats. It must not be changed while this runs.
        y : array-like of shape (n,), optional
            Labels, which training does not look at. They are kept where ``y_test`` is
            given too, for the pictures of a saved run.
        X_test : array-like, optional
            Rows on which losses are measured after each epoch. Without it they are
            measured on a random 1,000 of the training rows, which tells nothing of new
            rows, and there is no ``test_loss_curve_``.
        y_test : array-like, optional
            The labels of ``X_test``.
        callback : callable, optional
            Called after each epoch with a dictionary of its losses, as in
            ``metrics.jsonl``. What it raises ends training.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter that cannot be, rows of a wrong shape or with values that the
            likelihood says nothing of.
        Diverged
            The loss or a weight stopped being finite.

        Notes
        -----
        Ctrl-C ends training after the step in progress. Whatever ends it early leaves the
        estimator as it was before.
        """
        before = dict(self.__dict__)
        try:
            return self._fit(X, y, X_test, y_test, callback)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(self, X, y, X_test, y_test, callback):
        data = self._data(X, y, X_test, y_test, reset=True)
        settings = self._settings()
        settings["data.shape"] = data.shape
        _native.check(settings)
        has_test = X_test is not None
        progress = None
        if self.verbose:
            progress = Progress(settings["training.epochs"], type(self).__name__, has_test)

        def on_epoch(text: str) -> None:
            epoch = json.loads(text)
            if not has_test:
                del epoch["test"]
            if progress is not None:
                progress.show(epoch)
            if callback is not None:
                callback(epoch)

        listens = progress is not None or callback is not None
        try:
            run = _native.fit(
                settings,
                data.train,
                data.test,
                data.shape,
                data.labels,
                data.class_names,
                self._threads(),
                self._command("fit(X)"),
                on_epoch if listens else None,
            )
        finally:
            if progress is not None:
                progress.close()
        return self._adopt(run, data.sizes, has_test)

    def _adopt(self, run: _native.Run, sizes: tuple[int, ...], has_test: bool):
        """Becomes the estimator of a run whose rows have these sizes."""
        self._run = run
        self.shape_ = sizes
        self.n_features_in_ = int(np.prod(sizes))
        self.metrics_ = json.loads(run.metrics)
        if not has_test:
            for epoch in self.metrics_:
                del epoch["test"]
        self.loss_curve_ = [epoch["train"]["loss"] for epoch in self.metrics_]
        self.n_epochs_ = len(self.metrics_)
        for part in ("test", "validation"):
            if self.metrics_ and part in self.metrics_[0]:
                curve = [epoch[part]["loss"] for epoch in self.metrics_]
                setattr(self, f"{part}_loss_curve_", curve)
            elif hasattr(self, f"{part}_loss_curve_"):
                delattr(self, f"{part}_loss_curve_")
        self.best_epoch_ = (json.loads(run.result) or {}).get("best_epoch")
        return self

    # Using

    def transform(self, X: Any):
        """The codes of rows: of a VAE, the means of q(z|x).

        Returns
        -------
        array of shape (n, latent), float32
        """
        mean, _ = self._encode(X)
        return mean

    def inverse_transform(self, X: Any):
        """The mean rows of codes, in the units of the data (``uint8`` as value / 255).

        Parameters
        ----------
        X : array-like of shape (n, latent)

        Returns
        -------
        array of shape (n, *shape_), float32
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=np.float32, order="C", input_name="X")
        latent = self._n_features_out
        if codes.shape[1] != latent:
            raise ValueError(
                f"X has {codes.shape[1]} features, but {type(self).__name__} has {latent} "
                "latent variables; expected as many"
            )
        return self._decode(codes)

    def reconstruct(self, X: Any):
        """Rows as the model gives them back from their codes, as ``inverse_transform``."""
        return self._decode(self._encode(X)[0])

    def score(self, X: Any, y: Any = None) -> float:
        """How probable rows are to the model, the higher the better, in nats a row.

        Of a VAE the evidence lower bound, the mean of log p(x|z) - KL with one z ~ q(z|x)
        for each row: what ``latent-atlas eval`` calls ``elbo``. Of an autoencoder log
        p(x|z) at its code, less the penalty where it has one. Rows of a model that
        standardises count in their standardised units.
        """
        check_is_fitted(self)
        rows = self._validated(X, reset=False)
        reconstruction, penalty = self._run.losses(rows, threads=self._threads())
        return -(reconstruction + (penalty or 0.0))

    # Keeping and showing

    def save(
        self,
        path: str | os.PathLike[str],
        X: Any = None,
        y: Any = None,
        *,
        X_test: Any = None,
        y_test: Any = None,
    ) -> None:
        """Writes a run folder, as ``latent-atlas train`` does.

        The program reads it: ``latent-atlas encode``, ``sample`` and others need nothing
        else. ``figures``, ``eval`` and ``explore`` need the rows it was trained on. Given
        here again, as they were given to ``fit``, they are kept in ``data.npz`` beside the
        run, where the program finds them.

        Raises
        ------
        OSError
            A folder that holds something already, or cannot be written.
        ValueError
            Other rows than the estimator was fitted on.
        """
        check_is_fitted(self)
        folder = Path(path).absolute()
        if X is None:
            self._run.save(folder, self._command("save"))
            return
        data = self._data(X, y, X_test, y_test, reset=False)
        found = _native.fingerprint(
            data.train, data.test, data.shape, data.labels, data.class_names
        )
        if found != self._run.fingerprint:
            raise ValueError(
                f"X has the fingerprint {found}, but {type(self).__name__} was fitted on data "
                f"with {self._run.fingerprint}; give save the arrays that fit was given, in "
                "the same types and order, or none"
            )
        self._run.save(folder, self._command("save"), str(folder / _DATA_FILE))
        write_whole(folder / _DATA_FILE, lambda file: np.savez(file, **data.arrays()))

    def explore(
        self,
        X: Any,
        y: Any = None,
        *,
        images: int = 10_000,
        thumbnails: int = 2_000,
        compact: bool = False,
        without_encoder: bool = False,
        height: int = 900,
    ) -> ExplorerPage:
        """A page in which the model decodes under the pointer, as a notebook shows it.

        Parameters
        ----------
        X : array-like
            The rows whose codes are shown, at most ``images`` of them and pictures of
            ``thumbnails``; a random choice where there are more.
        y : array-like, optional
            Their labels: whole numbers or texts.
        compact : bool
            Keep 8 bits of each weight.
        without_encoder : bool
            Leave the encoder out.
        height : int
            Pixels of the page in a notebook.
        """
        check_is_fitted(self)
        rows = self._validated(X, reset=False)
        labels, names = None, {}
        if y is not None:
            check_consistent_length(rows, y)
            (labels,), names = _labels(y)
        counts = {"images": images, "thumbnails": thumbnails}
        for name, count in counts.items():
            if not isinstance(count, Integral) or count < 0:
                raise ValueError(f"{name} is {count!r}; expected a whole number of at least 0")
        page = self._run.explore(
            rows,
            labels,
            names,
            int(images),
            int(thumbnails),
            bool(compact),
            bool(without_encoder),
            self._threads(),
        )
        return ExplorerPage(page, height=height)

    # What these are made of

    def _encode(self, X):
        check_is_fitted(self)
        rows = self._validated(X, reset=False)
        return self._run.encode(rows, self._threads())

    def _decode(self, codes):
        rows = self._run.decode(codes, self._threads())
        return rows.reshape(len(rows), *self.shape_)

    def _validated(self, X, *, reset: bool):
        """Rows ``[n, d]`` in C order, bytes or 32-bit floats."""
        X = _listed(X)
        if _is_images(X):
            sizes = X.shape[1:]
            if not reset and sizes != self.shape_ and _of_images(self._run.shape) != sizes:
                raise ValueError(
                    f"X has rows of the sizes {sizes}, but {type(self).__name__} was "
                    f"fitted on rows of {self.shape_}; expected the same, or flat rows"
                )
            X = X.reshape(len(X), int(np.prod(sizes)))
        return self._flat(X, reset=reset)

    def _flat(self, X, *, reset: bool):
        return validate_data(self, X, reset=reset, dtype=[np.float32, np.uint8], order="C")

    def _data(self, X, y, X_test, y_test, *, reset: bool) -> _Data:
        """What is trained and measured on, as ``fit`` was asked."""
        X, X_test = _listed(X), _listed(X_test)
        train = self._validated(X, reset=reset)
        sizes = X.shape[1:] if _is_images(X) else train.shape[1:]
        shape = _native.row_shape(list(sizes), train.dtype == np.uint8, self._shape())
        test = None
        if X_test is not None:
            if _is_images(X_test):
                if X_test.shape[1:] != sizes:
                    raise ValueError(
                        f"X_test has rows of the sizes {X_test.shape[1:]}, but X of {sizes}; "
                        "expected the same"
                    )
                X_test = X_test.reshape(len(X_test), int(np.prod(sizes)))
            test = self._flat(X_test, reset=False)
        labels, names = None, {}
        if y_test is not None:
            if y is None or X_test is None:
                raise ValueError("y_test is given without y and X_test; give all of them or none")
            check_consistent_length(train, y)
            check_consistent_length(test, y_test)
            labels, names = _labels(y, y_test)
        return _Data(train, test, sizes, shape, labels, names)

    def _shape(self) -> str | None:
        """The parameter ``shape`` as the program writes it."""
        if self.shape is None or isinstance(self.shape, str):
            return self.shape
        sizes = self.shape if isinstance(self.shape, (list, tuple)) else [self.shape]
        return "x".join(str(size) for size in sizes)

    def _threads(self) -> int | None:
        threads = self.threads
        if threads is None:
            return None
        if isinstance(threads, bool) or not isinstance(threads, Integral) or threads < 1:
            raise ValueError(
                f"threads is {threads!r}, but must be a whole number of at least 1, or None "
                "for all cores"
            )
        return int(threads)

    def _settings(self) -> dict[str, Any]:
        """The settings that the parameters are, by their keys."""
        names = self._get_param_names()
        settings = {
            key: _settings.plain(getattr(self, name))
            for name, key in _settings.KEYS.items()
            if name in names
        }
        settings["model.kind"] = self._kind()
        settings["training.seed"] = _seed(self.random_state)
        if self.shape is not None:
            settings["data.reading.shape"] = self._shape()
        return settings

    def _command(self, what: str) -> str:
        """What a run records as the command that made it."""
        return " ".join(f"python: {self!r}.{what}".split())

    def _kind(self) -> str:
        raise NotImplementedError

    @property
    def _n_features_out(self) -> int:
        return json.loads(self._run.configuration)["model"]["latent"]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_run")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class _Data:
    """Arrays as training takes them."""

    def __init__(self, train, test, sizes, shape, labels, class_names) -> None:
        self.train = train
        self.test = test
        self.sizes = sizes
        self.shape = shape
        self.labels = labels
        self.class_names = class_names

    def arrays(self) -> dict[str, Any]:
        """What the program reads as the same data set."""
        test = self.test
        if test is None:
            test = self.train[_native.measured_rows(len(self.train))]
        arrays = {"x_train": self.train, "x_test": test}
        if sizes := _of_images(self.shape):
            arrays = {name: rows.reshape(len(rows), *sizes) for name, rows in arrays.items()}
        if self.labels is not None:
            for name, labels in zip(("y_train", "y_test"), self.labels):
                names = self.class_names
                arrays[name] = np.array([names[label] for label in labels] if names else labels)
        return arrays


def _listed(X: Any) -> Any:
    """Lists of numbers as an array, all else as it is."""
    return np.asarray(X) if isinstance(X, (list, tuple)) else X


def _is_images(X: Any) -> bool:
    """Whether rows have more than one side."""
    return isinstance(X, np.ndarray) and X.ndim in (3, 4)


def _of_images(shape: str) -> tuple[int, ...] | None:
    """The sizes of an image of this shape; nothing for a vector."""
    sizes = tuple(int(size) for size in shape.split("x"))
    return sizes if len(sizes) > 1 else None


def _labels(*parts: Any) -> tuple[tuple[list[int], ...], dict[int, str]]:
    """Labels as whole numbers, with what they are called where they are texts."""
    arrays = [np.asarray(part) for part in parts]
    for array in arrays:
        if array.ndim != 1:
            raise ValueError(f"y has the shape {array.shape}; expected one label for each row")
    if all(array.dtype.kind in "iub" for array in arrays):
        return tuple(array.astype(np.int64).tolist() for array in arrays), {}
    if any(array.dtype.kind not in "USO" for array in arrays):
        kinds = ", ".join(str(array.dtype) for array in arrays)
        raise ValueError(f"y holds {kinds}; expected labels: whole numbers or texts")
    texts = [[str(label) for label in array] for array in arrays]
    names = sorted(set().union(*texts))
    numbers = {name: number for number, name in enumerate(names)}
    labels = tuple([numbers[text] for text in part] for part in texts)
    return labels, dict(enumerate(names))


def _seed(random_state: Any) -> Any:
    """The seed of a ``random_state``; None and a generator draw one."""
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


class VAE(_Autoencoder):
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
        _keep(self, locals())

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
        seed = _seed(random_state)
        if seed < 0:
            raise ValueError(f"random_state is {seed}, but must not be negative")
        return self._decode(self._run.prior_codes(int(n_samples), seed))


class AE(_Autoencoder):
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
        _keep(self, locals())

    def _kind(self) -> str:
        if self.kind == "vae":
            raise ValueError("kind is 'vae', which is the estimator VAE; expected another kind")
        return self.kind


def load(path: str | os.PathLike[str]) -> VAE | AE:
    """The fitted estimator of a run folder, of ``save`` or of ``latent-atlas train``.

    Raises
    ------
    OSError
        A folder that holds no run, no weights yet, or a damaged file.
    """
    run = _native.Run.load(Path(path))
    parameters = _settings.of_configuration(json.loads(run.configuration))
    kind = VAE if parameters["kind"] == "vae" else AE
    names = kind._get_param_names()
    estimator = kind(**{name: parameters[name] for name in parameters if name in names})
    sizes = _of_images(run.shape) or (int(run.shape),)
    return estimator._adopt(run, sizes, True)
