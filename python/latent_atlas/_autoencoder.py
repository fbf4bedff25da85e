"""What both estimators do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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
from ._rows import Data, aligned, is_images, labels_of, listed, listed_rows, of_images

#: What the arrays of a saved run are kept in, beside it.
_DATA_FILE = "data.npz"


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
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
        if callback is not None and not callable(callback):
            raise TypeError(f"callback is {callback!r}; expected a function, or None")
        data = self._data(X, y, X_test, y_test, reset=True)
        if self._is_of_unit_interval():
            low, high = _range(data.train)
            if low < 0:
                # In the words of scikit-learn; what is above 1 is refused with the settings.
                raise ValueError(
                    f"Negative values in data passed to {type(self).__name__}: the likelihood "
                    f"{self.likelihood!r} is of values in [0, 1]; use "
                    'likelihood="gaussian-identity", with standardise=True where columns '
                    "differ in size"
                )
            if high <= 1 and data.test is not None:
                low, high = _range(data.test)
                # The program tells of both together, and would name X.
                if low < 0 or high > 1:
                    # All digits: 1.0000001 is no 1.
                    low, high = (np.format_float_positional(end, trim="-") for end in (low, high))
                    raise ValueError(
                        f"X_test holds values from {low} to {high}, but X those in [0, 1] "
                        f"that the likelihood {self.likelihood!r} is of; give X_test in the type "
                        "and the units of X (uint8 stands for value / 255)"
                    )
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
        codes = listed(X, "X")
        codes = check_array(codes, dtype=np.float32, order="C", input_name="X", estimator=self)
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
            A folder that holds something already, or cannot be written: nothing is left
            in it then.
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
        was_there = folder.exists()
        self._run.save(folder, self._command("save"), str(folder / _DATA_FILE))
        try:
            write_whole(folder / _DATA_FILE, lambda file: np.savez(file, **data.arrays()))
        except BaseException:
            # A run that names data which are not there is half of one. It is of files
            # alone, and the folder was empty or not there.
            for file in list(folder.iterdir()):
                file.unlink()
            if not was_there:
                folder.rmdir()
            raise

    def explore(
        self,
        X: Any,
        y: Any = None,
        *,
        images: int = 10_000,
        thumbnails: int = 2_000,
        compact: bool = False,
        without_encoder: bool = False,
        height: int = 1200,
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
            (labels,), names = labels_of(y)
        counts = {"images": images, "thumbnails": thumbnails}
        for name, count in counts.items():
            if not isinstance(count, Integral) or count < 0:
                raise ValueError(f"{name} is {count!r}; expected a whole number of at least 0")
            counts[name] = min(int(count), len(rows))
        page = self._run.explore(
            rows,
            labels,
            names,
            counts["images"],
            counts["thumbnails"],
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
        X = listed_rows(X, "X")
        if is_images(X):
            sizes = X.shape[1:]
            if not reset and sizes != self.shape_ and of_images(self._run.shape) != sizes:
                raise ValueError(
                    f"X has rows of the sizes {sizes}, but {type(self).__name__} was "
                    f"fitted on rows of {self.shape_}; expected the same, or flat rows"
                )
            X = X.reshape(len(X), int(np.prod(sizes)))
        return self._flat(X, reset=reset)

    def _flat(self, X, *, reset: bool):
        rows = validate_data(self, X, reset=reset, dtype=[np.float32, np.uint8], order="C")
        return aligned(rows)

    def _data(self, X, y, X_test, y_test, *, reset: bool) -> Data:
        """What is trained and measured on, as ``fit`` was asked."""
        X, X_test = listed_rows(X, "X"), listed_rows(X_test, "X_test")
        train = self._validated(X, reset=reset)
        sizes = X.shape[1:] if is_images(X) else train.shape[1:]
        shape = _native.row_shape(list(sizes), train.dtype == np.uint8, self._shape())
        test = None
        if X_test is not None:
            if is_images(X_test):
                if X_test.shape[1:] != sizes:
                    raise ValueError(
                        f"X_test has rows of the sizes {X_test.shape[1:]}, but X of {sizes}; "
                        "expected the same"
                    )
                X_test = X_test.reshape(len(X_test), int(np.prod(sizes)))
            try:
                test = self._flat(X_test, reset=False)
            except ValueError as error:
                raise ValueError(f"X_test: {error}") from error
        labels, names = None, {}
        if y_test is not None:
            if y is None or X_test is None:
                raise ValueError("y_test is given without y and X_test; give all of them or none")
            check_consistent_length(train, y)
            check_consistent_length(test, y_test)
            labels, names = labels_of(y, y_test)
        return Data(train, test, sizes, shape, labels, names)

    def _shape(self) -> str | None:
        """The parameter ``shape`` as the program writes it."""
        if self.shape is None or isinstance(self.shape, str):
            return self.shape
        sizes = _settings.plain(self.shape)
        sizes = sizes if isinstance(sizes, list) else [sizes]
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
        settings = {
            key: _settings.plain(getattr(self, name))
            for name, key in _settings.KEYS.items()
            if hasattr(self, name)
        }
        settings["model.kind"] = self._kind()
        settings["training.seed"] = seed_of(self.random_state)
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
        tags.input_tags.positive_only = self._is_of_unit_interval()
        return tags

    def _is_of_unit_interval(self) -> bool:
        """Whether the likelihood is one of values in [0, 1]."""
        names = ("bernoulli", "continuous-bernoulli")
        return isinstance(self.likelihood, str) and self.likelihood in names


def keep(estimator: Autoencoder, arguments: dict[str, Any]) -> None:
    """Keeps the arguments of a constructor as they are; ``fit`` looks at them."""
    # Not the parameters of its class: a subclass may have more of its own, or fewer.
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def _range(rows: np.ndarray) -> tuple[np.floating, np.floating]:
    """The smallest and the largest value; of bytes those that they can stand for."""
    if rows.dtype == np.uint8:
        return np.float32(0), np.float32(1)
    return rows.min(), rows.max()


def seed_of(random_state: Any, bits: int = 63) -> int:
    """The seed of a ``random_state``; None and a generator draw one."""
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        if not 0 <= random_state < 2**bits:
            raise ValueError(
                f"random_state is {random_state}; expected a whole number from 0 to 2**{bits} - 1"
            )
        return int(random_state)
    try:
        generator = check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            f"random_state is {random_state!r}; expected a whole number from 0 to 2**{bits} - 1, "
            "a numpy.random.RandomState or None"
        ) from error
    return int(generator.randint(2**31 - 1))
