//! Runs in which nothing is wrong.

/// The settings of runs of whole data sets: of every kind of model, with other
/// likelihoods, numbers of latent variables and seeds.
pub(crate) const HEALTHY: &[(&str, &[&str])] = &[
    ("glyphs", &["training.epochs=10"]),
    ("mnist", &["training.epochs=15", "training.seed=1"]),
    ("fashion-mnist", &["training.epochs=10", "training.seed=2"]),
    (
        "mnist",
        &[
            "model.hidden=[400]",
            "model.latent=20",
            "training.epochs=10",
        ],
    ),
    (
        "fashion-mnist",
        &[
            "model.hidden=[400]",
            "model.latent=20",
            "training.epochs=10",
            "training.seed=3",
        ],
    ),
    (
        "glyphs",
        &[
            "model.latent=10",
            "model.activation=tanh",
            "training.epochs=10",
        ],
    ),
    ("mnist", &["model.kind=ae", "training.epochs=10"]),
    (
        "fashion-mnist",
        &["model.kind=ae", "model.latent=16", "training.epochs=10"],
    ),
    ("glyphs", &["model.kind=ae-l2", "training.epochs=10"]),
    (
        "mnist",
        &[
            "model.kind=denoising",
            "model.latent=16",
            "training.epochs=10",
        ],
    ),
    (
        "glyphs",
        &[
            "model.kind=ae",
            "training.objective=wae",
            "training.beta=100",
            "model.latent=8",
            "training.epochs=10",
        ],
    ),
    (
        "mnist",
        &[
            "model.likelihood=gaussian",
            "model.latent=10",
            "training.epochs=15",
        ],
    ),
    (
        "fashion-mnist",
        &[
            "model.likelihood=gaussian",
            "model.sigma=0.15",
            "model.latent=10",
            "training.epochs=10",
        ],
    ),
    (
        "fashion-mnist",
        &[
            "model.likelihood=continuous-bernoulli",
            "model.latent=10",
            // It is so sharp near 0 and 1 that with weight 1 codes leave most of the prior
            // empty.
            "training.beta=10",
            "training.epochs=15",
        ],
    ),
    (
        "glyphs",
        &[
            "model.likelihood=laplace",
            "model.latent=10",
            "training.epochs=15",
        ],
    ),
    (
        "mnist",
        &[
            "data.treatment=binarised-per-minibatch",
            "training.objective=iwae",
            "training.samples=5",
            "model.hidden=[200,200]",
            "model.activation=tanh",
            "model.latent=50",
            "training.epochs=10",
        ],
    ),
    (
        "fashion-mnist",
        &[
            "model.hidden=[256,64]",
            "model.latent=4",
            "training.beta=0.5",
            "training.epochs=10",
        ],
    ),
    (
        "mnist",
        &[
            "model.hidden=[200,100]",
            "model.lower_latent=20",
            "model.upper_hidden=[50]",
            "model.latent=10",
            "model.activation=tanh",
            // With a single sample the upper layer tells of one variable.
            "training.objective=iwae",
            "training.samples=5",
            "training.epochs=12",
        ],
    ),
    (
        "glyphs",
        &["model.latent=5", "training.beta=4", "training.epochs=15"],
    ),
    (
        "mnist",
        &[
            "model.hidden=[512,256]",
            "model.latent=32",
            "training.learning_rate=3e-4",
            "training.epochs=15",
            "model.posterior_scale=log-sigma",
        ],
    ),
];
