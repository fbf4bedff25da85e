"""Runs of the program and estimators are the same thing."""

from __future__ import annotations

import errno
import json
import subprocess
import warnings

import numpy as np
import pytest

import latent_atlas
from latent_atlas import AE, VAE, load

CASES = [
    pytest.param(
        VAE(hidden=(24, 12), epochs=3),
        ["--hidden", "24,12"],
        "bytes",
        id="bytes",
    ),
    pytest.param(
        AE(hidden=(), latent=1, epochs=3, kind="ae-l2", activation="tanh", batch=50),
        ["--hidden", "none", "--latent", "1", "--model", "ae-l2", "--activation", "tanh",
         "--batch", "50"],
        "bytes",
        id="ae-l2",
    ),
    pytest.param(
        VAE(
            hidden=(16,), latent=5, epochs=3, likelihood="gaussian-identity", standardise=True,
            sigma="per-pixel", random_state=7, beta=0.5, validation=40, patience=2,
        ),
        ["--hidden", "16", "--latent", "5", "--likelihood", "gaussian-identity",
         "--standardise", "--sigma", "per-pixel", "--seed", "7", "--beta", "0.5",
         "--set", "data.validation=40", "--set", "training.patience=2"],
        "normal",
        id="standardised",
    ),
    pytest.param(
        VAE(hidden=(16,), lower_latent=6, upper_hidden=(5,), latent=3, epochs=3,
            objective="iwae", samples=4),
        ["--hidden", "16", "--lower-latent", "6", "--upper-hidden", "5", "--latent", "3",
         "--objective", "iwae", "--samples", "4"],
        "colour",
        id="two-layers",
    ),
]


@pytest.fixture(scope="module")
def arrays(digits):
    generator = np.random.default_rng(5)
    return {
        "bytes": digits,
        "normal": generator.normal(size=(300, 7)) * [1, 2, 3, 4, 5, 60, 700],
        "colour": generator.random((200, 5, 4, 3), dtype=np.float32),
    }


@pytest.mark.parametrize(("estimator", "options", "name"), CASES)
def test_fit_gives_the_bytes_of_train(estimator, options, name, arrays, program, tmp_path):
    X = arrays[name]
    train, test = X[: len(X) * 3 // 4], X[len(X) * 3 // 4 :]
    np.savez(tmp_path / "data.npz", x_train=train, x_test=test)
    command = ["train", tmp_path / "data.npz", "--epochs", "3", "--out", tmp_path / "run"]
    program(*command, *options, "--quiet")
    estimator.fit(train, X_test=test).save(tmp_path / "saved")
    for file in ("model.safetensors", "trajectories.npz"):
        assert (tmp_path / "saved" / file).read_bytes() == (tmp_path / "run" / file).read_bytes()
    results = [json.loads((tmp_path / run / "result.json").read_text()) for run in ("saved", "run")]
    assert results[0]["digest"] == results[1]["digest"]
    # And the other way round.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load(tmp_path / "run")
    assert type(loaded) is type(estimator)
    ours = estimator.get_params() | {"shape": None, "threads": None, "verbose": False}
    assert loaded.get_params() == ours
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))
    assert loaded.test_loss_curve_ == estimator.test_loss_curve_


def test_the_program_reads_what_was_saved(program, digits, classes, tmp_path):
    run = tmp_path / "run"
    train, test = digits[:1500], digits[1500:]
    arguments = (train, classes[:1500])
    others = {"X_test": test, "y_test": classes[1500:]}
    vae = VAE(hidden=(32,), epochs=3).fit(*arguments, **others)
    vae.save(run, *arguments, **others)

    # Nothing has to say where the data are.
    report = json.loads(program("eval", run, "--json", "--quiet"))
    assert report["elbo"] == pytest.approx(vae.score(test), rel=1e-12)
    program("figures", run, "--figure", "map", "--quiet")
    assert (run / "figures" / "index.html").exists()
    assert "same, of" in program("verify", run)

    program("encode", run, run / "data.npz", "-o", tmp_path / "codes.npz", "--quiet")
    codes = np.load(tmp_path / "codes.npz")
    mean, log_variance = vae.posterior(digits)
    np.testing.assert_array_equal(codes["mu"], mean)
    np.testing.assert_array_equal(codes["log_var"], log_variance)

    program("sample", run, "-n", 5, "--seed", 3, "-o", tmp_path / "samples.npz", "--quiet")
    samples = np.load(tmp_path / "samples.npz")["x"].reshape(5, 8, 8)
    np.testing.assert_array_equal(samples, vae.sample(5, random_state=3))

    # It goes on where fit has ended.
    program("train", "--resume", run, "--epochs", 5, "--quiet")
    longer = VAE(hidden=(32,), epochs=5).fit(*arguments, **others)
    np.testing.assert_array_equal(load(run).transform(digits), longer.transform(digits))


@pytest.mark.parametrize(
    ("options", "words", "done"),
    [
        (["--maximum", "16", "--invert"], "--maximum 16 --invert, .* give it 1 - X / 16 for rows X",
         lambda X: 1 - X / 16),
        (["--maximum", "20.5"], "--maximum 20.5, .* give it X / 20.5 for", lambda X: X / 20.5),
        (["--invert"], "--invert, .* give it 255 - X for rows X of uint8", lambda X: 255 - X),
        (["--transposed", "--invert"], "--transposed --invert, .*; do the same to rows before",
         lambda X: 255 - X.swapaxes(1, 2)),
        (["--resize", "4x4"], "--resize 4x4, .*; do the same", None),
        (["--background", "#ff8000", "--colour", "grey"], "'#ff8000' --colour grey, .* do the same",
         lambda X: X),
    ],
)
def test_what_a_run_did_to_its_rows_is_said(options, words, done, program, tmp_path):
    X = np.random.default_rng(2).integers(0, 17, (60, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "x.npy", X)
    command = ["train", tmp_path / "x.npy", "--hidden", "8", "--epochs", "1", "--quiet"]
    program(*command, *options, "--out", tmp_path / "run")
    with pytest.warns(UserWarning, match=words) as caught:
        vae = load(tmp_path / "run")
    assert [warning.filename for warning in caught] == [__file__]
    if done is None:
        return
    program("encode", tmp_path / "run", tmp_path / "x.npy", "-o", tmp_path / "codes.npz", "--quiet")
    codes = np.load(tmp_path / "codes.npz")["mu"]
    np.testing.assert_allclose(vae.transform(done(X)), codes, atol=1e-5)


def test_a_run_that_changed_nothing_of_its_rows_is_loaded_without_a_word(program, tmp_path):
    X = np.random.default_rng(2).random((60, 12), dtype=np.float32)
    np.save(tmp_path / "x.npy", X)
    command = ["train", tmp_path / "x.npy", "--hidden", "8", "--epochs", "1", "--quiet"]
    program(*command, "--shape", "3x4", "--test-share", "0.5", "--out", tmp_path / "run")
    VAE(hidden=(8,), epochs=1, shape=(3, 4)).fit(X).save(tmp_path / "saved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for run in ("run", "saved"):
            assert load(tmp_path / run).shape_ == (3, 4)


def test_without_its_data_the_program_asks_for_them(program, digits, tmp_path):
    vae = VAE(hidden=(8,), epochs=1).fit(digits[:300], X_test=digits[300:400])
    vae.save(tmp_path / "run")
    command = [str(program.path), "eval", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "arrays in memory" in done.stderr and "--dataset" in done.stderr
    np.savez(tmp_path / "digits.npz", x_train=digits[:300], x_test=digits[300:400])
    program("eval", tmp_path / "run", "--dataset", tmp_path / "digits.npz", "--quiet")


@pytest.mark.parametrize("labels", ["none", "numbers", "texts"])
@pytest.mark.parametrize("has_test", [True, False])
def test_data_are_kept_beside_a_run(digits, classes, tmp_path, labels, has_test, program):
    # More than the rows that losses are of where there are no others.
    X = digits[:1200].reshape(1200, 64)
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    y = {"none": None, "numbers": classes, "texts": names[classes]}[labels]
    others = {}
    if has_test:
        others = {"X_test": digits[1200:1300].reshape(100, 64)}
    if y is not None and has_test:
        others["y_test"] = y[1200:1300]
    y = None if y is None else y[:1200]
    vae = VAE(hidden=(8,), epochs=1).fit(X, y, **others)
    vae.save(tmp_path / "run", X, y, **others)
    program("eval", tmp_path / "run", "--quiet")
    assert load(tmp_path / "run").transform(X).shape == (1200, 2)


def test_other_data_are_not_kept(digits, tmp_path):
    vae = VAE(hidden=(8,), epochs=1).fit(digits[:100])
    with pytest.raises(ValueError, match="fingerprint"):
        vae.save(tmp_path / "run", digits[:99])
    assert not (tmp_path / "run").exists()


def test_folders_that_hold_something_are_left_alone(digits, tmp_path):
    vae = VAE(hidden=(8,), epochs=1).fit(digits[:100])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OSError):
        vae.save(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    vae.save(tmp_path / "run")
    with pytest.raises(OSError, match="holds a run already"):
        vae.save(tmp_path / "run")


@pytest.mark.parametrize("was_there", [False, True])
def test_a_run_whose_data_cannot_be_kept_is_not_left_behind(
    digits, tmp_path, monkeypatch, was_there
):
    vae = VAE(hidden=(8,), epochs=1).fit(digits[:100])
    run = tmp_path / "run"
    if was_there:
        run.mkdir()

    def full(file, **arrays):
        file.write(b"some of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space left"):
            vae.save(run, digits[:100])
    assert [path.name for path in tmp_path.iterdir()] == ["run"] * was_there
    assert not was_there or list(run.iterdir()) == []
    vae.save(run, digits[:100])
    np.testing.assert_array_equal(np.load(run / "data.npz")["x_train"], digits[:100])


def test_labels_of_both_kinds_are_refused(digits):
    X, test = digits[:20], digits[20:40]
    for y, y_test in (
        ([0, 1] * 10, ["0", "1"] * 10),
        (["0", "1"] * 10, np.arange(20)),
        ([0, "0"] * 10, [0, 1] * 10),
        (np.array([0, "0"] * 10, object), ["0", "1"] * 10),
    ):
        with pytest.raises(ValueError, match="the number 0 and the text '0'; expected labels of"):
            VAE(hidden=(8,), epochs=1).fit(X, y, X_test=test, y_test=y_test)


def test_what_is_no_run_is_not_loaded(tmp_path, digits):
    with pytest.raises(OSError, match="not a run folder"):
        load(tmp_path)
    VAE(hidden=(8,), epochs=1).fit(digits[:100]).save(tmp_path / "run")
    weights = tmp_path / "run" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 4
    weights.write_bytes(content)
    with pytest.raises(OSError, match="model.safetensors"):
        load(tmp_path / "run")


def test_a_saved_run_says_who_made_it(digits, tmp_path):
    VAE(hidden=(8,), epochs=1).fit(digits[:100]).save(tmp_path / "run")
    command = (tmp_path / "run" / "command.txt").read_text()
    assert command == "python: VAE(epochs=1, hidden=(8,)).fit(X)\n"
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["version"] == latent_atlas.__version__
    assert environment["instruction_set"] == latent_atlas.instruction_set
