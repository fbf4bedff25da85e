"""The explorer in a notebook."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

from latent_atlas import AE, VAE, ExplorerPage


def test_the_page_is_shown_in_a_frame_and_saved(digits, classes, tmp_path):
    vae = VAE(hidden=(16,), latent=3, epochs=2).fit(digits[:300], X_test=digits[300:400])
    page = vae.explore(digits[300:400], classes[300:400], height=700)
    assert isinstance(page, ExplorerPage)
    assert "Latent Atlas explorer" in page.html and "VAE 64-16-3" in page.html
    shown = page._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "height: 700px" in shown
    kept = re.search(r'srcdoc="(.*?)" style', shown, re.DOTALL)
    assert html.unescape(kept[1]) == page.html
    page.save(tmp_path / "atlas.html")
    assert (tmp_path / "atlas.html").read_text(encoding="utf-8") == page.html
    assert [path.name for path in tmp_path.iterdir()] == ["atlas.html"]
    assert len(repr(page)) < 80


def test_pages_of_vectors_and_of_one_latent_variable():
    X = np.random.default_rng(0).normal(size=(80, 6))
    ae = AE(latent=1, hidden=(4,), epochs=1, likelihood="gaussian-identity").fit(X)
    page = ae.explore(X, ["a", "b"] * 40, without_encoder=True, compact=True)
    assert "AE 6-4-1" in page.html


def test_what_cannot_be_shown_is_refused(digits):
    vae = VAE(hidden=(8,), epochs=1).fit(digits[:100])
    with pytest.raises(ValueError, match="images is 0"):
        vae.explore(digits[:50], images=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        vae.explore(digits[:50], [1, 2])
    with pytest.raises(ValueError, match="whole numbers or texts"):
        vae.explore(digits[:50], np.linspace(0, 1, 50))
    with pytest.raises(ValueError, match="expecting 64 features"):
        vae.explore(np.zeros((5, 3)))
