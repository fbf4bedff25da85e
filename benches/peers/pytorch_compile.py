"""PyTorch with torch.compile: forward, backward and Adam as one compiled graph.

Compiling a step that calls loss.backward() and optimiser.step() splits it into several
graphs and measured 20 % slower, so the gradient is taken by torch.func and Adam is
written out.
"""

import os
import shutil

import timed_epochs

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def compiled_step(torch, model):
    """A function that trains on uint8 [batch, inputs] and returns the mean loss."""
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    first = {name: torch.zeros_like(value) for name, value in parameters.items()}
    second = {name: torch.zeros_like(value) for name, value in parameters.items()}
    # A tensor, because a Python number that changes would be compiled anew.
    steps = torch.zeros(())

    @torch.compile(dynamic=False)
    def step(pixels):
        x = pixels.float().div(255.0)
        gradients, loss = torch.func.grad_and_value(
            lambda values: torch.func.functional_call(model, values, (x,))
        )(parameters)
        steps.add_(1.0)
        rate = LEARNING_RATE / (1.0 - BETA1**steps)
        correction = torch.rsqrt(1.0 - BETA2**steps)
        for name, gradient in gradients.items():
            first[name].mul_(BETA1).add_(gradient, alpha=1.0 - BETA1)
            second[name].mul_(BETA2).addcmul_(gradient, gradient, value=1.0 - BETA2)
            scale = second[name].sqrt() * correction + EPSILON
            parameters[name].sub_(rate * first[name] / scale)
        return loss

    return step


def main():
    """Trains and prints one JSON line per epoch."""
    options = timed_epochs.parse_command_line(__doc__)
    torch = timed_epochs.load("torch")
    import pytorch_vae

    compilers = [os.environ.get("CXX"), "g++", "clang++"]
    if not any(name and shutil.which(name) for name in compilers):
        timed_epochs.fail("torch.compile needs a C++ compiler: install g++ or set CXX")
    torch.set_num_threads(options.threads)
    pytorch_vae.set_precision(options.precision)
    images = timed_epochs.load_images(options)
    torch.manual_seed(options.seed)
    step = compiled_step(torch, pytorch_vae.Vae(options))
    train_epoch = pytorch_vae.epoch_function(images, options, step)
    timed_epochs.run(options.named("pytorch-compile"), torch.__version__, options, train_epoch)


if __name__ == "__main__":
    main()
