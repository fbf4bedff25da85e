"""What arrays are taken as, and which are refused."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from latent_atlas import AE, VAE

SMALL = {"hidden": (6,), "epochs": 1, "batch": 16}
GAUSSIAN = SMALL | {"likelihood": "gaussian-identity"}


def weights(estimator) -> bytes:
    return estimator._run.files["model.safetensors"]


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (60, 15), dtype=np.uint8)


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [((15,), "15"), ((3, 5), "3x5"), ((5, 1, 3), "5x1x3"), ((5, 3, 1), "5x3"), ((1, 1), "1x1")],
)
def test_rows_of_any_shape_come_back_in_it(sizes, shape):
    X = np.random.default_rng(0).random((30, *sizes), dtype=np.float32)
    vae = VAE(**SMALL).fit(X)
    assert (vae.shape_, vae._run.shape) == (sizes, shape)
    assert vae.n_features_in_ == np.prod(sizes)
    Z = vae.transform(X)
    assert (Z.shape, Z.dtype) == ((30, 2), np.float32)
    assert vae.inverse_transform(Z).shape == X.shape
    assert vae.sample(2, random_state=0).shape == (2, *sizes)
    np.testing.assert_array_equal(vae.transform(X.reshape(30, -1)), Z)
    np.testing.assert_array_equal(vae.reconstruct(X), vae.inverse_transform(Z))


def test_flat_bytes_in_a_square_are_an_image_and_come_back_flat():
    X = np.random.default_rng(0).integers(0, 256, (30, 16), dtype=np.uint8)
    vae = VAE(**SMALL).fit(X)
    assert vae._run.shape == "4x4"
    assert vae.inverse_transform(vae.transform(X)).shape == (30, 16)
    assert vae.transform(X.reshape(30, 4, 4)).shape == (30, 2)
    assert VAE(**SMALL, shape=16).fit(X)._run.shape == "16"
    as_floats = VAE(**SMALL, shape=(4, 4)).fit(X / np.float32(255))
    assert weights(as_floats) == weights(vae)


def test_all_types_of_the_same_values_give_the_same_bytes(rows):
    expected = weights(VAE(**SMALL).fit(rows))
    floats = rows / np.float32(255)
    wide = np.zeros((60, 30), np.float32)
    wide[:, ::2] = floats
    for X in (
        floats,
        rows / 255.0,
        np.asfortranarray(floats),
        wide[:, ::2],
        np.asfortranarray(rows),
        rows[::-1][::-1],
        floats.tolist(),
        pd.DataFrame(floats),
        np.require(floats, requirements="O").view().astype(">f4"),
    ):
        assert weights(VAE(**SMALL).fit(X)) == expected


def test_values_are_found_wherever_they_are(rows, tmp_path):
    expected = weights(VAE(**SMALL).fit(rows))
    read_only = rows.copy()
    read_only.flags.writeable = False
    mapped = np.memmap(tmp_path / "rows", np.uint8, "w+", shape=rows.shape)
    mapped[:] = rows
    # At an odd address, where no processor reads floats fast, and some none.
    odd = np.ndarray(rows.shape, np.float32, np.zeros(4 * rows.size + 1, np.uint8), offset=1)
    odd[:] = rows / np.float32(255)
    assert not odd.flags.aligned
    for X in (read_only, mapped, odd, np.ma.array(rows)):
        assert weights(VAE(**SMALL).fit(X)) == expected
    same = np.broadcast_to(rows[0], rows.shape)
    assert weights(VAE(**SMALL).fit(same)) == weights(VAE(**SMALL).fit(same.copy()))


def test_images_of_other_libraries_are_images(rows):
    class Tensor:
        ndim = 3

        def __array__(self, dtype=None, copy=None):
            return rows.reshape(60, 3, 5)

    vae = VAE(**SMALL).fit(Tensor())
    assert vae.shape_ == (3, 5)
    assert vae.transform(Tensor()).shape == (60, 2)


def test_whole_numbers_other_than_bytes_are_values():
    X = np.random.default_rng(0).integers(0, 2, (40, 6))
    expected = weights(VAE(**SMALL).fit(X.astype(np.float32)))
    for kind in (np.int64, np.int8, np.uint16, bool):
        assert weights(VAE(**SMALL).fit(X.astype(kind))) == expected


def test_values_outside_the_range_of_the_likelihood_are_refused():
    X = np.random.default_rng(0).normal(size=(40, 6))
    advice = r"""Negative values .* in \[0, 1\]; use likelihood="gaussian-identity", with standardise=True where"""
    with pytest.raises(ValueError, match=advice):
        VAE(**SMALL).fit(X)
    with pytest.raises(ValueError, match='divide them by 255, or use likelihood="gaussian-ident'):
        VAE(**SMALL).fit(np.array([[0.0, 255.0], [3.0, 7.0]]))
    assert VAE(**GAUSSIAN).fit(X).score(X) < 0
    for likelihood in ("bernoulli", "continuous-bernoulli"):
        with pytest.raises(ValueError, match=r"is of values in \[0, 1\]"):
            VAE(**SMALL, likelihood=likelihood).fit(X)
        with pytest.raises(ValueError, match=r"is of values in \[0, 1\]"):
            VAE(**SMALL, likelihood=likelihood).fit(2 * X**2)
    # As the program has it: means within [0, 1] of values that may be beyond.
    for likelihood in ("gaussian", "laplace", "laplace-identity"):
        assert VAE(**SMALL, likelihood=likelihood).fit(X).score(X) < 0


def test_the_array_whose_values_are_outside_the_range_is_named(rows):
    floats = rows / np.float32(255)
    for X in (rows, floats):
        with pytest.raises(ValueError, match="^X_test holds values from 0 to 255, but X those in"):
            VAE(**SMALL).fit(X, X_test=np.clip(rows.astype(float), 0, 255))
        with pytest.raises(ValueError, match="^X_test holds values from -"):
            VAE(**SMALL).fit(X, X_test=-floats)
        with pytest.raises(ValueError, match="^X_test holds values from 0 to 1.0000001, but"):
            VAE(**SMALL).fit(X, X_test=floats * np.float32(1.0000001))
        VAE(**SMALL).fit(X, X_test=floats)
    with pytest.raises(ValueError, match="^X holds values from 0 to 255"):
        VAE(**SMALL).fit(rows.astype(float), X_test=rows.astype(float))


@pytest.mark.parametrize("estimator", [VAE(**SMALL), AE(**SMALL, kind="ae-l2")])
def test_what_fit_refuses_for_its_range_no_method_takes(rows, estimator):
    estimator.fit(rows)
    expected = estimator.transform(rows)
    np.testing.assert_array_equal(estimator.transform(rows / np.float32(255)), expected)
    wrong = rows / np.float32(255)
    wrong[41, 3] = 98.5
    methods = [estimator.transform, estimator.reconstruct, estimator.score, estimator.explore]
    if isinstance(estimator, VAE):
        methods.append(estimator.posterior)
    for method in methods:
        with pytest.raises(
            ValueError, match=r"^X holds 98\.5 in row 41, but the likelihood 'bernoulli' is of"
        ):
            method(wrong)
    # Rows are counted over all, not in the part that goes through the network at a time.
    many = np.zeros((5000, 15), np.float32)
    many[4998, 0] = -0.5
    with pytest.raises(ValueError, match="^X holds -0.5 in row 4998, .* given to fit"):
        estimator.transform(many)


def test_values_beyond_one_have_codes_where_the_likelihood_has_them():
    X = np.random.default_rng(0).normal(size=(40, 6))
    for options in ({}, {"standardise": True}):
        ae = AE(**GAUSSIAN, **options).fit(X)
        assert np.isfinite(ae.transform(100 * X)).all()


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        ([[0.5, np.nan]] * 4, ValueError, "Input X contains NaN"),
        ([[0.5, np.inf]] * 4, ValueError, "Input X contains infinity"),
        (np.full((4, 3), 1e300), ValueError, "infinity or a value too large"),
        (np.zeros(5), ValueError, "Expected 2D array, got 1D array instead"),
        (np.zeros(()), ValueError, "Expected 2D array, got scalar array instead"),
        (np.zeros((0, 5)), ValueError, r"0 sample\(s\)"),
        (np.zeros((5, 0)), ValueError, r"0 feature\(s\)"),
        (np.zeros((0, 5, 5)), ValueError, r"0 sample\(s\)"),
        (np.zeros((4, 2, 2, 2)), ValueError, "with 1 or 3 channels"),
        (np.zeros((4, 2, 2, 2, 2)), ValueError, r"dim 5 in X; expected .* \(n, h, w, c\) of 1 or 3"),
        (np.array([[{}], [1]], dtype=object), TypeError, "argument must be"),
        (np.array([["a", "b"]] * 3), ValueError, "could not convert string"),
        (np.zeros((4, 2), complex), ValueError, "Complex data not supported"),
        (scipy.sparse.csr_array(np.eye(4)), TypeError, "dense data is required"),
        (None, ValueError, "Expected 2D array, got scalar array instead"),
        ("text", ValueError, "could not convert string"),
        ({"a": [1]}, TypeError, "argument must be"),
        (pd.DataFrame(), ValueError, "at least one array or dtype is required"),
        (pd.DataFrame({"a": ["x"] * 4}), ValueError, "could not convert string"),
        (pd.DataFrame({"a": [0.5, np.nan]}), ValueError, "Input X contains NaN"),
        (np.array([[None, 1.0]] * 4, dtype=object), ValueError, "Input X contains NaN"),
        (np.full((4, 2, 2), np.nan, np.float32), ValueError, "Input X contains NaN"),
        (np.full((4, 2), np.nan, np.float16), ValueError, "Input X contains NaN"),
        (np.ma.masked_less([[0.1, 0.5]] * 4, 0.2), ValueError, "of which 4 values are masked"),
        (np.zeros((4, 2), "M8[D]"), ValueError, "has the dtype datetime64"),
        (np.zeros((4, 2), [("a", "f4")]), ValueError, "has the dtype .*; expected numbers"),
        (np.asmatrix(np.eye(3)), TypeError, "np.matrix is not supported"),
        (-np.ones((4, 2)), ValueError, "Negative values in data passed to AE"),
        (np.zeros((2, 70_000)), ValueError, "between 1 and 65536"),
        ([[1, 2], [3]], ValueError, "inhomogeneous"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_what_is_no_data_raises_what_scikit_learn_raises(X, error, words):
    with pytest.raises(error, match=words):
        AE(**SMALL).fit(X)


def test_other_rows_than_it_was_fitted_on_are_refused(rows):
    vae = VAE(**SMALL).fit(rows)
    with pytest.raises(ValueError, match="X has 14 features, but VAE is expecting 15"):
        vae.transform(rows[:, 1:])
    with pytest.raises(ValueError, match="expecting 15"):
        VAE(**SMALL).fit(rows, X_test=rows[:, 1:])
    with pytest.raises(ValueError, match="X has 3 features, but VAE has 2 latent"):
        vae.inverse_transform(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="contains NaN"):
        vae.inverse_transform([[np.nan, 0]])
    with pytest.raises(ValueError, match="^X_test: Input X contains NaN"):
        VAE(**SMALL).fit(rows, X_test=np.full((2, 15), np.nan))
    with pytest.raises(ValueError, match="of which 1 values are masked"):
        vae.inverse_transform(np.ma.array([[0.0, 1.0]], mask=[[True, False]]))
    with pytest.raises(ValueError, match="dim 5 in X_test; expected rows of the shape"):
        VAE(**SMALL).fit(rows, X_test=np.zeros((4, 2, 2, 2, 2)))
    images = VAE(**SMALL).fit(rows.reshape(60, 3, 5))
    with pytest.raises(ValueError, match=r"sizes \(5, 3\), but VAE was fitted on rows of \(3, 5\)"):
        images.transform(rows.reshape(60, 5, 3))
    with pytest.raises(ValueError, match="X_test has rows of the sizes"):
        VAE(**SMALL).fit(rows.reshape(60, 3, 5), X_test=rows.reshape(60, 5, 3))


def test_one_row_is_enough_where_the_program_needs_no_more():
    X = np.array([[0, 128, 255, 7]], np.uint8)
    vae = VAE(**SMALL).fit(X)
    assert vae.transform(X).shape == (1, 2)


def test_standardised_rows_come_back_in_their_units():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(300, 4)) * [1, 10, 100, 1000] + [0, 5, -50, 1e4]
    ae = AE(
        latent=4, hidden=(64,), epochs=200, standardise=True, likelihood="gaussian-identity",
        sigma=1.0, learning_rate=5e-3, batch=64,
    ).fit(X)
    error = np.abs(ae.reconstruct(X) - X).mean(axis=0) / X.std(axis=0)
    assert error.max() < 0.2, error


_PEAK = """
import resource, sys
import numpy as np
from latent_atlas import VAE
kind, order = sys.argv[1:]
# Filled in place: what was freed before would hide as much of what is copied later.
X = np.zeros((30_000 if kind == "uint8" else 7_500, 1_000), kind, order=order)
X[:, ::7] = 200 if kind == "uint8" else 0.7
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
warm = VAE(hidden=(), latent=1, epochs=1, batch=512, threads=1).fit(X[:100])
before = peak()
VAE(hidden=(), latent=1, epochs=1, batch=512, threads=1).fit(X)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units")
@pytest.mark.parametrize(
    ("kind", "order", "most"),
    # 30 MB each, and 60 of 64-bit floats, of which a copy as 32-bit ones has half as much;
    # the 1,000 rows that losses are of have 1 MB of bytes or 4 MB of floats.
    [("uint8", "C", 15), ("float32", "C", 20), ("float32", "F", 50), ("float64", "C", 50)],
)
def test_rows_are_not_copied_more_often_than_they_must(kind, order, most):
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, kind, order],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert float(done.stdout) < most, done.stdout
