"""The conventions of scikit-learn."""

from __future__ import annotations

import copy
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from latent_atlas import AE, VAE

QUICK = {"hidden": (5,), "epochs": 2, "threads": 1, "latent": 2}
OF_ANY_DATA = QUICK | {"likelihood": "gaussian-identity"}

#: Why checks cannot apply to an estimator of values in [0, 1].
_OUTSIDE = "gives fit values outside [0, 1], which the default likelihood refuses in a sentence"

#: The checks that this is so of.
NOT_OF_UNIT_INTERVAL = {
    name: _OUTSIDE
    for name in (
        "check_dict_unchanged",
        "check_dont_overwrite_parameters",
        "check_estimators_dtypes",
        "check_estimators_fit_returns_self",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_1feature",
        "check_fit2d_1sample",
        "check_fit2d_predict1d",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in",
        "check_n_features_in_after_fitting",
        "check_pipeline_consistency",
        "check_readonly_memmap_input",
        "check_set_output_transform",
        "check_set_output_transform_pandas",
        "check_global_output_transform_pandas",
        "check_set_output_transform_polars",
        "check_global_set_output_transform_polars",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
        "check_transformer_get_feature_names_out",
        "check_transformer_get_feature_names_out_pandas",
        "check_transformer_preserve_dtypes",
        "check_dataframe_column_names_consistency",
    )
}


@parametrize_with_checks(
    [
        VAE(**OF_ANY_DATA),
        VAE(**OF_ANY_DATA, standardise=True, sigma="per-pixel"),
        AE(**OF_ANY_DATA),
        AE(**OF_ANY_DATA, kind="ae-l2"),
        AE(**OF_ANY_DATA, kind="denoising"),
    ],
)
def test_the_suite_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [VAE(threads=1, epochs=1), AE(threads=1, epochs=1)])
def test_the_default_likelihood_passes_what_gives_it_values_of_its_own(estimator):
    results = check_estimator(
        estimator, on_skip=None, on_fail=None, expected_failed_checks=NOT_OF_UNIT_INTERVAL
    )
    status = {result["check_name"]: result["status"] for result in results}
    assert {name for name, found in status.items() if found == "failed"} == set()
    # Each of the list fails, and for the reason that is given.
    absent = {name for name, found in status.items() if found == "skipped"}
    absent |= NOT_OF_UNIT_INTERVAL.keys() - status.keys()
    failing = {name for name, found in status.items() if found == "xfail"}
    assert failing == NOT_OF_UNIT_INTERVAL.keys() - absent
    for result in results:
        if result["status"] == "xfail":
            assert "is of values in [0, 1]" in reasons(result["exception"]), result
    assert sum(found == "passed" for found in status.values()) >= 15


def reasons(error: BaseException | None) -> str:
    """The words of an error and of those that have led to it."""
    found = []
    while error is not None:
        found.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(found)


@pytest.fixture(scope="module")
def fitted(digits):
    return VAE(**QUICK).fit(digits[:200], X_test=digits[200:300])


def test_pickles_and_copies_are_the_same(fitted, digits, tmp_path):
    joblib.dump(fitted, tmp_path / "vae.joblib")
    expected = fitted.transform(digits)
    for other in (
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
        joblib.load(tmp_path / "vae.joblib"),
    ):
        np.testing.assert_array_equal(other.transform(digits), expected)
        assert other._run.files == fitted._run.files
        assert other.loss_curve_ == fitted.loss_curve_
        assert other.get_params() == fitted.get_params()


def test_a_pickle_that_was_changed_is_refused(fitted):
    content = bytearray(pickle.dumps(fitted))
    weights = fitted._run.files["model.safetensors"]
    content[content.index(weights) + len(weights) - 5] ^= 1
    with pytest.raises(OSError, match="model.safetensors"):
        pickle.loads(bytes(content))


def test_a_clone_is_not_fitted_and_fits_to_the_same_bytes(fitted, digits):
    other = clone(fitted)
    with pytest.raises(NotFittedError):
        other.transform(digits)
    with pytest.raises(NotFittedError):
        other.sample()
    other.fit(digits[:200], X_test=digits[200:300])
    files = [run._run.files["model.safetensors"] for run in (other, fitted)]
    assert files[0] == files[1]


class WithMore(VAE):
    def __init__(self, note="", latent=2, hidden=(5,), epochs=2, threads=1):
        super().__init__(latent=latent, hidden=hidden, epochs=epochs, threads=threads)
        self.note = note


class WithFewer(AE):
    def __init__(self, latent=2):
        super().__init__(latent, (5,), kind="ae-l2", epochs=2, threads=1)


@pytest.mark.parametrize(
    ("estimator", "same", "parameters"),
    [
        (
            WithMore("mine", latent=3),
            VAE(**QUICK | {"latent": 3}),
            {"note": "mine", "latent": 3, "hidden": (5,), "epochs": 2, "threads": 1},
        ),
        (WithFewer(3), AE(**QUICK | {"latent": 3}, kind="ae-l2"), {"latent": 3}),
    ],
)
def test_a_subclass_has_parameters_of_its_own(estimator, same, parameters, digits):
    assert estimator.get_params() == parameters
    found = clone(estimator).fit(digits[:100])
    expected = same.fit(digits[:100])
    assert found.get_params() == parameters
    assert found._run.files["model.safetensors"] == expected._run.files["model.safetensors"]
    name = type(estimator).__name__
    assert found._run.files["command.txt"].startswith(f"python: {name}(".encode())


def test_feature_names_and_frames(fitted, digits):
    assert list(fitted.get_feature_names_out()) == ["vae0", "vae1"]
    frame = clone(fitted).set_output(transform="pandas").fit_transform(digits[:50])
    assert list(frame.columns) == ["vae0", "vae1"]
    assert list(AE(**QUICK).fit(digits[:50]).get_feature_names_out()) == ["ae0", "ae1"]


def test_a_pipeline_classifies_codes(digits, classes):
    flat = digits.reshape(len(digits), -1)
    model = make_pipeline(
        MinMaxScaler(clip=True),
        VAE(latent=16, hidden=(64,), epochs=30, beta=0.1, random_state=0),
        LogisticRegression(max_iter=2000),
    )
    model.fit(flat[:1200], classes[:1200])
    assert model.score(flat[1200:], classes[1200:]) > 0.7


def test_a_grid_search_finds_the_better_model(digits):
    flat = digits.reshape(len(digits), -1)[:400]
    grid = {"latent": np.array([1, 4]), "epochs": [1, 12], "hidden": [(32,)]}
    search = GridSearchCV(VAE(threads=1, learning_rate=3e-3), grid, cv=2, n_jobs=2).fit(flat)
    assert search.best_params_["epochs"] == 12
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
