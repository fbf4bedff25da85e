"""PyTorch in eager mode: autograd, and Adam as one fused kernel (or --adam foreach)."""

import timed_epochs


def main():
    """Trains and prints one JSON line per epoch."""
    options = timed_epochs.parse_command_line(__doc__, adam_choices=["fused", "foreach"])
    torch = timed_epochs.load("torch")
    import pytorch_vae

    torch.set_num_threads(options.threads)
    pytorch_vae.set_precision(options.precision)
    images = timed_epochs.load_images(options)
    torch.manual_seed(options.seed)
    model = pytorch_vae.Vae(options)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, **{options.adam: True})

    def step(pixels):
        loss = model(pixels.float().div_(255.0))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.detach()

    train_epoch = pytorch_vae.epoch_function(images, options, step)
    name = "pytorch-eager" if options.adam == "fused" else "pytorch-eager-foreach"
    timed_epochs.run(options.named(name), torch.__version__, options, train_epoch)


if __name__ == "__main__":
    main()
