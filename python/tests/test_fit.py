"""Training: what is told on the way, how it ends, and what it leaves alone."""

from __future__ import annotations

import builtins
import os
import signal
import threading
import time

import numpy as np
import pytest

from latent_atlas import AE, VAE, Diverged

QUICK = {"hidden": (16,), "epochs": 4, "batch": 64}
FOREVER = {"hidden": (64,), "epochs": 1_000_000}


def test_curves_tell_of_every_epoch(digits):
    told = []
    vae = VAE(**QUICK, validation=50)
    assert vae.fit(digits[:600], X_test=digits[600:700], callback=told.append) is vae
    assert told == vae.metrics_ and len(told) == vae.n_epochs_ == 4
    for part, curve in (
        ("train", vae.loss_curve_),
        ("test", vae.test_loss_curve_),
        ("validation", vae.validation_loss_curve_),
    ):
        assert [epoch[part]["loss"] for epoch in told] == curve
        assert curve[-1] < curve[0]
    assert vae.best_epoch_ is None
    # What is no longer there is not left over.
    told.clear()
    vae.set_params(validation=0).fit(digits[:600], callback=told.append)
    assert not hasattr(vae, "test_loss_curve_") and not hasattr(vae, "validation_loss_curve_")
    assert told == vae.metrics_ and "test" not in vae.metrics_[0]


def test_early_stopping_keeps_the_best_epoch(digits):
    ae = AE(
        hidden=(128,), latent=32, epochs=300, batch=16, learning_rate=5e-3,
        validation=20, patience=3,
    ).fit(digits[:60])
    assert ae.n_epochs_ < 300
    assert ae.best_epoch_ == 1 + int(np.argmin(ae.validation_loss_curve_))


def test_threads_change_no_bit(digits):
    weights = [
        VAE(**QUICK, threads=threads).fit(digits)._run.files["model.safetensors"]
        for threads in (1, 2, None)
    ]
    assert weights[0] == weights[1] == weights[2]


def test_rows_that_are_measured_change_no_bit(digits):
    first = VAE(**QUICK).fit(digits)
    second = VAE(**QUICK).fit(digits, X_test=digits[:7])
    np.testing.assert_array_equal(first.transform(digits), second.transform(digits))


def test_two_stochastic_layers(digits):
    vae = VAE(hidden=(32,), lower_latent=8, upper_hidden=(6,), latent=3, epochs=2).fit(digits)
    assert vae.transform(digits).shape == (len(digits), 3)
    assert vae.sample(5, random_state=1).shape == (5, 8, 8)
    assert np.isfinite(vae.score(digits))


@pytest.mark.parametrize(
    "treatment",
    ["binarised-once", "binarised-per-epoch", "binarised-per-minibatch", "threshold"],
)
def test_bytes_are_binarised(digits, treatment):
    vae = VAE(**QUICK, treatment=treatment).fit(digits[:200])
    assert np.isfinite(vae.score(digits[:200]))


def ask_to_stop_after(seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.skipif(os.name == "nt", reason="no signals to send")
def test_ctrl_c_ends_training_and_leaves_the_estimator_as_it_was(digits):
    vae = VAE(**QUICK).fit(digits[:300])
    before, codes = dict(vars(vae)), vae.transform(digits)
    vae.set_params(**FOREVER)
    timer = ask_to_stop_after(1.0)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        vae.fit(digits[:, :4, :4].copy())
    assert 0.9 < time.monotonic() - began < 4.0
    timer.join()
    vae.set_params(**QUICK)
    assert vars(vae) == before
    np.testing.assert_array_equal(vae.transform(digits), codes)
    # And the next one is not stopped.
    vae.fit(digits[:300])


def test_what_a_callback_raises_ends_training(digits):
    class Enough(Exception):
        pass

    def callback(epoch):
        if epoch["epoch"] == 3:
            raise Enough

    vae = VAE(**FOREVER)
    with pytest.raises(Enough):
        vae.fit(digits, callback=callback)
    assert not hasattr(vae, "n_features_in_")


def test_a_callback_that_is_none_is_refused_before_it_would_be_called(digits):
    vae = VAE(**FOREVER)
    with pytest.raises(TypeError, match="callback is 3; expected a function"):
        vae.fit(digits, callback=3)
    assert not hasattr(vae, "n_features_in_")


def test_samples(digits):
    vae = VAE(**QUICK).fit(digits[:200])
    assert not np.array_equal(vae.sample(3), vae.sample(3))
    same = [vae.sample(3, random_state=np.random.RandomState(1)) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    np.testing.assert_array_equal(vae.sample(2, random_state=2**64 - 1).shape, (2, 8, 8))
    for count in (0, -1, True, 2.0, None):
        with pytest.raises(ValueError, match="n_samples is .*, but must be a whole number"):
            vae.sample(count)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match="random_state is .*; expected a whole number"):
            vae.sample(1, random_state=seed)
    with pytest.raises(MemoryError, match="1000000000000 samples needs"):
        vae.sample(10**12)


def test_the_interpreter_is_left_to_others(digits):
    thread = threading.Thread(target=VAE(hidden=(256,), epochs=15, threads=1).fit, args=(digits,))
    thread.start()
    longest, last = 0.0, time.monotonic()
    while thread.is_alive():
        time.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    assert longest < 0.5


def test_the_interpreter_is_left_to_others_while_codes_are_drawn():
    run = VAE(hidden=(), latent=8, epochs=1).fit(np.zeros((4, 2), np.uint8))._run
    thread = threading.Thread(target=run.prior_codes, args=(4_000_000, 0))
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.001)
        turns += 1
    # Held, it would come back from the first sleep when all were drawn.
    assert turns > 20


def test_divergence_is_an_error_of_its_own():
    X = np.random.default_rng(0).normal(size=(100, 5)) * 1e6
    ae = AE(likelihood="gaussian-identity", sigma=1e-4, learning_rate=1e6, epochs=50, hidden=(8,))
    with pytest.raises(Diverged, match="training diverged.*finite.*smaller learning_rate"):
        ae.fit(X)
    assert issubclass(Diverged, FloatingPointError)


def test_a_line_for_each_epoch_without_tqdm(digits, capfd, monkeypatch):
    imports = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return imports(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    VAE(**QUICK, verbose=True).fit(digits[:200], X_test=digits[200:300])
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 4
    assert lines[3].startswith("VAE epoch 4/4: train ") and "test " in lines[3]


def test_a_bar_with_tqdm(digits, capfd):
    pytest.importorskip("tqdm")
    VAE(**QUICK, verbose=True).fit(digits[:200])
    assert "4/4" in capfd.readouterr().err


def test_nothing_is_printed_or_left_behind(digits, capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    VAE(**QUICK).fit(digits[:200]).transform(digits)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_place_for_temporary_files_that_is_none(digits, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere/at/all")
    vae = VAE(**QUICK)
    with pytest.raises(OSError, match="/nowhere/at/all"):
        vae.fit(digits[:200])
    assert not hasattr(vae, "_run")
