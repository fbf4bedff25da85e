"""The VAE of the JAX peer; imported after JAX is known to be there."""

import functools
import math

import jax
import jax.numpy as jnp

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
DTYPES = {"f32": jnp.float32, "bf16": jnp.bfloat16}
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}


def initial_layers(key, widths):
    """(weight [in, out], bias [out]) by layer, U(±1/√in) as nn.Linear draws them."""
    layers = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        key, for_weight, for_bias = jax.random.split(key, 3)
        bound = 1.0 / math.sqrt(fan_in)
        draw = functools.partial(jax.random.uniform, minval=-bound, maxval=bound)
        layers.append((draw(for_weight, (fan_in, fan_out)), draw(for_bias, (fan_out,))))
    return layers


def product(x, weight, dtype):
    """x @ weight with both rounded to dtype, added up in float32.

    On a CPU XLA takes no notice of jax_default_matmul_precision: with BF16_BF16_F32 the
    losses are those of float32 to the bit.
    """
    return jnp.matmul(x.astype(dtype), weight.astype(dtype), preferred_element_type=jnp.float32)


def apply_layers(layers, x, activation, dtype):
    """Linear layers with the activation between them."""
    for weight, bias in layers[:-1]:
        x = activation(product(x, weight, dtype) + bias)
    weight, bias = layers[-1]
    return product(x, weight, dtype) + bias


def negative_elbo(parameters, x, noise, activation, dtype):
    """−ELBO of x [batch, inputs] in nats, averaged over the batch."""
    encoder, decoder = parameters
    mu, log_var = jnp.split(apply_layers(encoder, x, activation, dtype), 2, axis=1)
    z = mu + noise * jnp.exp(0.5 * log_var)
    logits = apply_layers(decoder, z, activation, dtype)
    # max(a, 0) − a·x + log(1 + exp(−|a|)) is −x·log σ(a) − (1 − x)·log(1 − σ(a)).
    reconstruction = jnp.sum(
        jnp.maximum(logits, 0.0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    )
    kl = 0.5 * jnp.sum(mu * mu + jnp.exp(log_var) - log_var - 1.0)
    return (reconstruction + kl) / x.shape[0]


def adam(parameters, gradients, first, second, step):
    """One step of Adam with bias correction (Kingma and Ba 2015, algorithm 1)."""
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
    rate = LEARNING_RATE / (1 - BETA1**step)
    correction = 1 / jnp.sqrt(1 - BETA2**step)
    parameters = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) * correction + EPSILON),
        parameters,
        first,
        second,
    )
    return parameters, first, second


def epoch_function(images, options):
    """A function that trains one shuffled epoch and returns its mean loss per image.

    Permutation, noise and all batches are inside one compiled call. The last, smaller
    batch is used: it is one more step after the scan over the full ones.
    """
    activation, dtype = ACTIVATIONS[options.activation], DTYPES[options.precision]
    count, batch = len(images), options.batch
    full = count // batch * batch
    widths = [options.inputs, *options.hidden]

    def step(images, state, rows):
        parameters, first, second, steps, key = state
        key, for_noise = jax.random.split(key)
        x = images[rows].astype(jnp.float32) * (1.0 / 255.0)
        noise = jax.random.normal(for_noise, (len(rows), options.latent))
        loss, gradients = jax.value_and_grad(negative_elbo)(
            parameters, x, noise, activation, dtype
        )
        steps = steps + 1.0
        parameters, first, second = adam(parameters, gradients, first, second, steps)
        return (parameters, first, second, steps, key), loss * len(rows)

    @functools.partial(jax.jit, donate_argnums=1)
    def compiled_epoch(images, state):
        *rest, key = state
        key, for_order = jax.random.split(key)
        order = jax.random.permutation(for_order, count)
        batches = order[:full].reshape(-1, batch)
        state, losses = jax.lax.scan(
            functools.partial(step, images), (*rest, key), batches
        )
        total = jnp.sum(losses)
        if full < count:
            state, loss = step(images, state, order[full:])
            total = total + loss
        return state, total / count

    for_encoder, for_decoder, key = jax.random.split(jax.random.key(options.seed), 3)
    parameters = (
        initial_layers(for_encoder, [*widths, 2 * options.latent]),
        initial_layers(for_decoder, [options.latent, *reversed(widths)]),
    )
    zeros = functools.partial(jax.tree.map, jnp.zeros_like)
    state = (parameters, zeros(parameters), zeros(parameters), jnp.zeros(()), key)
    images = jnp.asarray(images)

    def train_epoch():
        nonlocal state
        state, loss = compiled_epoch(images, state)
        jax.block_until_ready(state)
        return float(loss)

    return train_epoch
