//! Autoencoders and variational autoencoders: objectives with hand-derived gradients, Adam, training, checkpoints.
