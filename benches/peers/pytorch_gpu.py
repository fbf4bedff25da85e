"""PyTorch on a GPU: the compiled step of pytorch_compile.py, recorded as a CUDA graph.

Not one of the peers that `latent-atlas bench` measures: whoever has a GPU runs it by hand.
The images are on the device before the clock starts, batches are picked there, and a whole
step (forward, backward, Adam) is one launch, so that the host is not what is measured.
"""

import timed_epochs

WARM_UP_STEPS = 11


def graphed_step(torch, step, batch, inputs):
    """step as a CUDA graph: a function of uint8 [batch, inputs] on the device."""
    static = torch.zeros((batch, inputs), dtype=torch.uint8, device="cuda")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            step(static)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(static)

    def replay(pixels):
        static.copy_(pixels)
        graph.replay()
        return loss

    return replay


def training_step(torch, model, precision):
    """Forward, backward and a capturable fused Adam; returns the mean loss."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True, capturable=True)
    forward = torch.compile(model, dynamic=False)

    def step(pixels):
        optimiser.zero_grad(set_to_none=False)
        x = pixels.float().div(255.0)
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == timed_epochs.FAST):
            loss = forward(x)
        loss.backward()
        optimiser.step()
        return loss.detach()

    def forget():
        """Begins Adam anew, in the memory that a graph knows."""
        for state in optimiser.state.values():
            for value in state.values():
                value.zero_()

    return step, forget


def main():
    """Trains and prints one JSON line per epoch."""
    options = timed_epochs.parse_command_line(__doc__)
    torch = timed_epochs.load("torch")
    import pytorch_vae

    if not torch.cuda.is_available():
        timed_epochs.fail("pytorch_gpu.py needs a CUDA device, and PyTorch finds none")
    # Strict f32: TensorFloat-32 would round the factors of products to 11 bits.
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    images = torch.from_numpy(timed_epochs.load_images(options)).cuda()
    torch.manual_seed(options.seed)
    model = pytorch_vae.Vae(options).cuda()
    step, forget = training_step(torch, model, options.precision)
    replay = graphed_step(torch, step, options.batch, options.inputs)
    # The warm-up has trained on zeros.
    forget()
    fresh = pytorch_vae.Vae(options)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), fresh.parameters(), strict=True):
            parameter.copy_(value)
    count = len(images)

    def train_epoch():
        total = torch.zeros((), dtype=torch.float64, device="cuda")
        for rows in torch.randperm(count, device="cuda").split(options.batch):
            # The last, smaller batch has another shape than the graph.
            run = replay if len(rows) == options.batch else step
            total += run(images[rows]) * len(rows)
        loss = total.item() / count
        torch.cuda.synchronize()
        return loss

    timed_epochs.run(options.named("pytorch-gpu"), torch.__version__, options, train_epoch)


if __name__ == "__main__":
    main()
