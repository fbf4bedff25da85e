"""Parameters are the program's settings."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

from latent_atlas import AE, VAE, _settings

#: Parameters that are no setting.
OF_PYTHON = {"shape": None, "threads": None, "verbose": False}

#: What only one of the two has.
OF_VAE = {"posterior_scale", "lower_latent", "upper_hidden"}
OF_AE = {"kind", "corruption"}


@pytest.mark.parametrize(("estimator", "lacks"), [(VAE, OF_AE), (AE, OF_VAE)])
def test_every_setting_is_a_parameter_with_its_default(estimator, lacks):
    signature = inspect.signature(estimator.__init__).parameters
    found = {name: value.default for name, value in signature.items() if name != "self"}
    expected = {name: _settings.default(key) for name, key in _settings.KEYS.items()}
    expected = {name: value for name, value in expected.items() if name not in lacks}
    if estimator is AE:
        assert found.pop("kind") == "ae"
        del expected["kind"]
    assert found == expected | OF_PYTHON
    for name, value in expected.items():
        assert type(found[name]) is type(value), name


def test_parameters_are_documented():
    for name in OF_PYTHON | {"latent": 0, "likelihood": 0, "random_state": 0}:
        assert re.search(rf"^    {name} : ", VAE.__doc__, re.MULTILINE), name


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"latent": 0}, ValueError, "model.latent is 0, but must be at least 1"),
        ({"latent": 2.5}, ValueError, "non-negative whole number"),
        ({"latent": True}, ValueError, "latent sets model.latent to true"),
        ({"latent": 2**70}, ValueError, "whole number of at most"),
        ({"hidden": (0,)}, ValueError, "a layer of width 0"),
        ({"hidden": (8, "a")}, ValueError, "a list of whole numbers"),
        ({"hidden": "7-4-2"}, ValueError, "may be a whole architecture"),
        ({"likelihood": "poisson"}, ValueError, "must be 'bernoulli'"),
        ({"activation": "gelu"}, ValueError, "'relu' or 'tanh'"),
        ({"learning_rate": -1}, ValueError, "positive"),
        ({"learning_rate": float("nan")}, ValueError, "positive"),
        ({"batch": "many"}, ValueError, "batch sets training.batch"),
        ({"sigma": 0.1}, ValueError, "only a Gaussian"),
        ({"validation": 40}, ValueError, "data.validation is 40, but must be below the 40"),
        ({"patience": 3}, ValueError, "data.validation holds out no images"),
        ({"treatment": "binarised-once", "likelihood": "gaussian"}, ValueError, "density"),
        ({"shape": (3, 5)}, ValueError, "shape is 3x5, which has 15 values"),
        ({"shape": "wide"}, ValueError, '"wide"'),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"random_state": -1}, ValueError, "random_state is -1"),
        ({"random_state": 2**63}, ValueError, "random_state is 9223372036854775808"),
        ({"random_state": "seed"}, ValueError, "seed"),
        ({"shape": "4294967296x4294967296"}, ValueError, "no shape"),
        ({"shape": (-4, -4)}, ValueError, "no shape"),
        ({"hidden": None}, TypeError, "hidden is None"),
        ({"epochs": object()}, TypeError, "expected a number"),
    ],
)
def test_wrong_parameters_are_refused_by_fit(parameters, error, words):
    X = np.zeros((40, 16), np.uint8)
    estimator = VAE(**parameters)
    with pytest.raises(error) as caught:
        estimator.fit(X)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert vars(estimator) == vars(VAE(**parameters))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"hidden": "7-4-2"}, "type hidden=(7, 4) latent=2 for that architecture, or hidden=(7, 4, 2)"),
        ({"hidden": (0,)}, "for no hidden layer use hidden=()"),
    ],
)
def test_advice_is_that_of_python(parameters, words):
    with pytest.raises(ValueError) as caught:
        VAE(**parameters).fit(np.zeros((40, 16), np.uint8))
    assert words in str(caught.value) and "--" not in str(caught.value)


def test_parameters_of_numpy_are_numbers():
    X = np.random.default_rng(0).integers(0, 256, (40, 16), dtype=np.uint8)
    vae = VAE(
        latent=np.int64(3),
        hidden=np.array([4, 5]),
        learning_rate=np.float32(0.01),
        shuffle=np.bool_(True),
        epochs=np.int8(1),
    )
    assert vae.fit(X).transform(X).shape == (40, 3)


def test_the_kinds_of_an_autoencoder():
    X = np.random.default_rng(0).random((40, 6), dtype=np.float32)
    for kind in ("ae", "ae-l2", "denoising"):
        ae = AE(kind=kind, hidden=(4,), epochs=1).fit(X)
        assert ae.transform(X).shape == (40, 2)
        assert not hasattr(ae, "sample")
    with pytest.raises(ValueError, match="which is the estimator VAE"):
        AE(kind="vae").fit(X)
    with pytest.raises(ValueError, match="loses nothing of its input"):
        AE(corruption=0.5).fit(X)


def test_a_seed_may_be_drawn():
    X = np.random.default_rng(0).random((40, 6), dtype=np.float32)
    fit = lambda state: VAE(hidden=(4,), epochs=1, random_state=state).fit(X).transform(X)
    assert not np.array_equal(fit(None), fit(None))
    same = [fit(np.random.RandomState(3)) for _ in range(2)]
    np.testing.assert_array_equal(*same)
