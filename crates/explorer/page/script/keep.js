// What can be taken along: picture, code, table, link.

function download(name, content, type) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

function setUpKeep(app) {
  const said = document.getElementById('kept');
  document.getElementById('save-png').addEventListener('click', () => {
    pictureOf(app).toBlob((blob) => {
      download('latent-plane.png', blob, 'image/png');
      said.textContent = TEXT.kept.png;
    });
  });
  document.getElementById('save-json').addEventListener('click', () => {
    download('code.json', `${JSON.stringify(codeDocument(app), null, 2)}\n`, 'application/json');
    said.textContent = TEXT.kept.json;
  });
  document.getElementById('copy-link').addEventListener('click', async () => {
    app.remember();
    try {
      await navigator.clipboard.writeText(location.href);
      said.textContent = TEXT.kept.link;
    } catch (error) {
      said.textContent = TEXT.kept.noClipboard;
    }
  });
}

// The planes side by side with their titles and what is decoded.
function pictureOf(app) {
  const theme = themeOf();
  const size = Math.max(...app.views.map((view) => view.size));
  const gap = Math.round(size * 0.04);
  const foot = Math.round(size * 0.32);
  const canvas = document.createElement('canvas');
  canvas.width = app.views.length * (size + gap) + gap;
  canvas.height = size + foot + 3 * gap;
  const context = canvas.getContext('2d');
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  app.views.forEach((view, k) => {
    const left = gap + k * (size + gap);
    context.fillStyle = theme.ink;
    context.font = `600 ${Math.round(gap * 0.8)}px system-ui, sans-serif`;
    context.textBaseline = 'top';
    context.fillText(view.model.title, left, gap * 0.6, size);
    context.fillStyle = theme.plane;
    context.fillRect(left, 2 * gap, size, size);
    for (const layer of [view.base, view.dots, view.overlay]) context.drawImage(layer, left, 2 * gap, size, size);
    const { decoded } = view;
    const scale = (foot - gap) / Math.max(decoded.width, decoded.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(decoded, left, size + 2.5 * gap, decoded.width * scale, decoded.height * scale);
    context.imageSmoothingEnabled = true;
    context.fillStyle = theme.ink;
    context.font = `${Math.round(gap * 0.6)}px system-ui, sans-serif`;
    const room = size - foot;
    context.fillText(view.code.textContent, left + foot, size + 2.7 * gap, room);
    context.fillText(view.badge.textContent, left + foot, size + 3.7 * gap, room);
  });
  return canvas;
}

function codeDocument(app) {
  const { data, state } = app;
  return {
    data: { name: data.name, fingerprint: data.fingerprint, split: data.split },
    image: state.image === null ? null : data.index[state.image],
    codes: app.views.map((view) => ({
      run: view.model.title, z: Array.from(state.cursors[view.k]),
      nearer_share: view.cue && view.cue.share >= 0 ? view.cue.share : null,
    })),
  };
}
