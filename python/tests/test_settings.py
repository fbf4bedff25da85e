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
        ({"latent": 0}, ValueError, "latent is 0, but must be at least 1"),
        ({"latent": 2.5}, ValueError, "non-negative whole number"),
        ({"latent": True}, ValueError, "sets latent to True, but expects a non-negative whole"),
        ({"latent": 2**70}, ValueError, "whole number of at most"),
        ({"hidden": (0,)}, ValueError, "a layer of width 0"),
        ({"hidden": (8, "a")}, ValueError, "a list of whole numbers"),
        ({"hidden": "7-4-2"}, ValueError, "may be a whole architecture"),
        ({"likelihood": "poisson"}, ValueError, "must be 'bernoulli'"),
        ({"activation": "gelu"}, ValueError, "'relu' or 'tanh'"),
        ({"learning_rate": -1}, ValueError, "positive"),
        ({"learning_rate": float("nan")}, ValueError, "positive"),
        ({"batch": "many"}, ValueError, "sets batch to 'many', but expects"),
        ({"sigma": 1.0}, ValueError, "sigma is 1.0, but only a Gaussian or the like has one; set likelihood to '"),
        ({"shuffle": 1}, ValueError, "sets shuffle to 1, but expects True or False"),
        ({"validation": 40}, ValueError, "validation is 40, but must be below the 40"),
        ({"patience": 3}, ValueError, "patience is 3, but validation holds out no images"),
        ({"treatment": "binarised-once", "likelihood": "gaussian"}, ValueError, "density"),
        ({"shape": (3, 5)}, ValueError, "shape is 3x5, which has 15 values"),
        ({"shape": "wide"}, ValueError, "shape is wide, which is no shape"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"random_state": -1}, ValueError, "random_state is -1"),
        ({"random_state": 2**63}, ValueError, "random_state is 9223372036854775808"),
        ({"random_state": "seed"}, ValueError, "random_state is 'seed'; expected a whole number"),
        ({"shape": "4294967296x4294967296"}, ValueError, "no shape"),
        ({"shape": (-4, -4)}, ValueError, "no shape"),
        ({"hidden": None}, ValueError, "sets hidden to None, but expects a list of whole numbers"),
        ({"hidden": (8, -1)}, ValueError, "hidden contains a layer of width -1, but every width must"),
        ({"hidden": (2**70,)}, ValueError, "a layer of width 1180591620717411303424, but every"),
        ({"learning_rate": -(10**400)}, ValueError, "learning_rate is -1000"),
        ({"likelihood": "model.latent"}, ValueError, "likelihood is 'model.latent', but must be"),
        ({"likelihood": "two\nlines"}, ValueError, r"likelihood is 'two\nlines', but must be"),
        ({"likelihood": "\ud800"}, ValueError, r"sets likelihood to '\ud800', but expects a text"),
        ({"likelihood": np.array(["a", "b"])}, ValueError, "sets likelihood to ['a', 'b']"),
        ({"epochs": object()}, ValueError, "sets epochs to <object"),
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


#: Of no parameter all are right.
WRONG = [object(), {}, (-1,), -1, "nonsense", None]


@pytest.mark.parametrize(
    ("estimator", "name"),
    [(kind, name) for kind in (VAE, AE) for name in kind._get_param_names() if name != "verbose"],
)
def test_a_wrong_value_is_told_by_the_name_of_its_parameter(estimator, name):
    possible = _settings.SETTINGS.get(_settings.KEYS.get(name), {})
    right = [None] if name in ("shape", "threads", "random_state") else []
    if possible.get("type") == "number" and not {"minimum", "exclusiveMinimum"} & possible.keys():
        right.append(-1)
    for value in WRONG:
        if value in right:
            continue
        with pytest.raises(ValueError) as caught:
            estimator(**{name: value}).fit(np.zeros((40, 16), np.uint8))
        message = str(caught.value)
        assert re.search(rf"(?<![\w.]){name}\b", message), message
        assert not re.search(r"\b(data|model|training|tracking)\.|\b(usize|[iu]64|f64)\b", message)
        assert "--" not in message and "[training]" not in message, message


def test_settings_that_do_not_go_together_are_told_by_the_names_of_parameters():
    X = np.zeros((40, 16), np.uint8)
    for estimator, words in [
        (VAE(lower_latent=9, hidden="16-20-8/8-4-2"), "to 9, but hidden is the whole architecture"),
        (VAE(upper_hidden=(4,)), "upper_hidden is given, but lower_latent is 0; set both"),
        (AE(objective="iwae"), "the objective iwae does not fit the model ae"),
        (AE(corruption=0.5), "corruption is 0.5, .* set kind to 'denoising'"),
        (VAE(output_bias="train-mean", likelihood="laplace"), "but likelihood is 'laplace'"),
        (VAE(hidden=(65536,) * 9), "choose narrower layers with hidden or a smaller latent"),
    ]:
        with pytest.raises(ValueError, match=f"^[^\\[].*{words}|^{words}") as caught:
            estimator.fit(X)
        assert not re.search(r"\b(data|model|training)\.[a-z]|--", str(caught.value))


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
