//! Montages, charts, animation and the single-file page; knows nothing of models.
