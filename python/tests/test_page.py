"""The explorer in a notebook."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import re
import stat

import numpy as np
import pytest

from latent_atlas import AE, VAE, ExplorerPage
from latent_atlas._page import write_whole


def manifest(page: ExplorerPage) -> dict:
    """What a page says that it holds."""
    packed = re.search(r'id="payload">(.*?)</script>', page.html, re.DOTALL)[1]
    content = gzip.decompress(base64.b64decode(packed))
    length = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + length])


def test_the_page_is_shown_in_a_frame_and_saved(digits, classes, tmp_path):
    vae = VAE(hidden=(16,), latent=3, epochs=2).fit(digits[:300], X_test=digits[300:400])
    page = vae.explore(digits[300:400], classes[300:400], height=700)
    assert isinstance(page, ExplorerPage)
    assert "Latent Atlas explorer" in page.html and "VAE 64-16-3" in page.html
    # Which rows they are is not known here, where they come from is.
    data = manifest(page)["data"]
    assert (data["split"], data["attribution"]) == ("images", "Arrays in memory")
    shown = page._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "height: 700px" in shown
    kept = re.search(r'srcdoc="(.*?)" style', shown, re.DOTALL)
    # Nothing of the page ends the attribute or begins a tag of the notebook.
    assert not set(kept[1]) & set('"<>') and html.unescape(kept[1]) == page.html
    page.save(tmp_path / "atlas.html")
    assert (tmp_path / "atlas.html").read_text(encoding="utf-8") == page.html
    assert [path.name for path in tmp_path.iterdir()] == ["atlas.html"]
    assert len(repr(page)) < 80


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permissions of this kind")
def test_a_file_has_the_permissions_of_new_ones_and_the_process_keeps_its_own(
    tmp_path, monkeypatch
):
    before = os.umask(0o027)
    try:
        # To set it, even for a moment, would open the files of other threads to everybody.
        monkeypatch.delattr(os, "umask")
        write_whole(tmp_path / "a.html", lambda file: file.write(b"a"))
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.html").stat().st_mode) == 0o640
    assert (tmp_path / "a.html").read_bytes() == b"a"


def test_pages_of_vectors_and_of_one_latent_variable():
    X = np.random.default_rng(0).normal(size=(80, 6))
    ae = AE(latent=1, hidden=(4,), epochs=1, likelihood="gaussian-identity").fit(X)
    page = ae.explore(X, ["a", "b"] * 40, without_encoder=True, compact=True)
    assert "AE 6-4-1" in page.html


def test_labels_of_every_kind_are_names(digits):
    vae = VAE(hidden=(8,), epochs=1).fit(digits[:100])
    ends = vae.explore(digits[:2]).html.count("</script>")
    for labels, names in (
        # NumPy's texts end before such a character.
        (["</script>", "a\0"], ["</script>", "a"]),
        ([True, False], ["0", "1"]),
        ([-1, 2**62], ["-1", str(2**62)]),
        (np.array(["x", "3"], object), ["3", "x"]),
        (np.array([7, 3], object), ["3", "7"]),
    ):
        page = vae.explore(digits[:2], labels, images=10**30, thumbnails=10**30)
        assert manifest(page)["data"]["classes"] == names
        assert page.html.count("</script>") == ends


def test_what_cannot_be_shown_is_refused(digits):
    vae = VAE(hidden=(8,), epochs=1).fit(digits[:100])
    with pytest.raises(ValueError, match="images is 0"):
        vae.explore(digits[:50], images=0)
    with pytest.raises(ValueError, match="images is -1"):
        vae.explore(digits[:50], images=-1)
    for height in (0, 1.5, "tall"):
        with pytest.raises(ValueError, match="height is .*; expected a whole number"):
            vae.explore(digits[:50], height=height)
    for label in (None, float("nan"), b"x"):
        with pytest.raises(ValueError, match="y holds .*; expected labels"):
            vae.explore(digits[:1], np.array([label], object))
    for labels in ([1, "1"], np.array(["1", 1], object), [np.bool_(True), "1"]):
        with pytest.raises(
            ValueError, match="y holds the number (1|True) and the text '1'; expected labels of one kind"
        ):
            vae.explore(digits[:2], labels)
    with pytest.raises(ValueError, match="y holds 9223372036854775808"):
        vae.explore(digits[:1], [2**63])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        vae.explore(digits[:50], [1, 2])
    with pytest.raises(ValueError, match="whole numbers or texts"):
        vae.explore(digits[:50], np.linspace(0, 1, 50))
    with pytest.raises(ValueError, match="expecting 64 features"):
        vae.explore(np.zeros((5, 3)))
