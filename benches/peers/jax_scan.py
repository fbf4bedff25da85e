"""JAX: one jitted call per epoch, a lax.scan over its batches, Adam written out."""

import timed_epochs


def main():
    """Trains and prints one JSON line per epoch."""
    options = timed_epochs.parse_command_line(__doc__)
    jax = timed_epochs.load("jax")
    import jax_vae

    # Strict f32 whatever the default of a platform is.
    jax.config.update("jax_default_matmul_precision", "highest")
    images = timed_epochs.load_images(options)
    train_epoch = jax_vae.epoch_function(images, options)
    timed_epochs.run(options.named("jax-scan"), jax.__version__, options, train_epoch)


if __name__ == "__main__":
    main()
