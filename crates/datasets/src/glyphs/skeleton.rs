//! The skeletons of the ten digits: several styles each, as strokes of control
//! points in a box one unit high, `x` to the right, `y` down.

/// A point the pen goes through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) x: f32,
    pub(super) y: f32,
    /// Whether the pen changes direction here instead of curving through.
    pub(super) corner: bool,
}

/// The points of one uninterrupted movement of the pen.
pub(super) type Stroke = &'static [Node];

/// One way of writing a digit, and how often it is chosen among the others.
pub(super) struct Style {
    pub(super) weight: u32,
    pub(super) strokes: &'static [Stroke],
}

/// The styles of `digit`.
pub(super) fn styles(digit: usize) -> &'static [Style] {
    DIGITS[digit]
}

const fn s(x: f32, y: f32) -> Node {
    Node {
        x,
        y,
        corner: false,
    }
}

const fn c(x: f32, y: f32) -> Node {
    Node { x, y, corner: true }
}

static DIGITS: [&[Style]; 10] = [ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const ZERO: &[Style] = &[
    // Round, the end overlapping the beginning.
    Style {
        weight: 4,
        strokes: &[&[
            s(0.44, 0.03), s(0.18, 0.16), s(0.04, 0.47), s(0.12, 0.82), s(0.36, 0.98),
            s(0.62, 0.84), s(0.74, 0.50), s(0.64, 0.16), s(0.42, 0.02), s(0.28, 0.07),
        ]],
    },
    // Narrow.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.34, 0.02), s(0.16, 0.18), s(0.08, 0.50), s(0.14, 0.84), s(0.30, 0.99),
            s(0.46, 0.84), s(0.53, 0.50), s(0.47, 0.17), s(0.33, 0.02),
        ]],
    },
    // Wide.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.50, 0.06), s(0.20, 0.18), s(0.02, 0.50), s(0.18, 0.84), s(0.50, 0.95),
            s(0.82, 0.82), s(0.97, 0.48), s(0.80, 0.16), s(0.48, 0.05),
        ]],
    },
    // Not closed at the top, like a hasty six.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.50, 0.00), s(0.22, 0.20), s(0.06, 0.55), s(0.18, 0.90), s(0.42, 0.98),
            s(0.66, 0.78), s(0.72, 0.44), s(0.60, 0.20), s(0.38, 0.14),
        ]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const ONE: &[Style] = &[
    // A bare stroke.
    Style {
        weight: 6,
        strokes: &[&[s(0.10, 0.00), s(0.10, 0.34), s(0.10, 0.67), s(0.10, 1.00)]],
    },
    // With an upstroke.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.00, 0.25), s(0.14, 0.14), c(0.26, 0.00), s(0.26, 0.33), s(0.26, 0.66),
            s(0.26, 1.00),
        ]],
    },
    // With an upstroke and a base.
    Style {
        weight: 2,
        strokes: &[
            &[
                s(0.08, 0.24), s(0.22, 0.13), c(0.32, 0.00), s(0.32, 0.33), s(0.32, 0.66),
                s(0.32, 0.98),
            ],
            &[s(0.05, 0.99), s(0.32, 0.98), s(0.60, 0.98)],
        ],
    },
    // Slightly bent.
    Style {
        weight: 2,
        strokes: &[&[s(0.20, 0.00), s(0.10, 0.33), s(0.07, 0.67), s(0.12, 1.00)]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const TWO: &[Style] = &[
    // Angular at the lower left.
    Style {
        weight: 4,
        strokes: &[&[
            s(0.05, 0.22), s(0.20, 0.05), s(0.44, 0.02), s(0.62, 0.18), s(0.57, 0.42),
            s(0.34, 0.68), c(0.03, 0.95), s(0.36, 0.95), s(0.74, 0.95),
        ]],
    },
    // With a loop at the lower left.
    Style {
        weight: 4,
        strokes: &[&[
            s(0.08, 0.20), s(0.28, 0.03), s(0.54, 0.08), s(0.62, 0.32), s(0.48, 0.60),
            s(0.24, 0.88), s(0.06, 0.93), s(0.05, 0.79), s(0.22, 0.76), s(0.44, 0.88),
            s(0.66, 0.98), s(0.84, 0.90),
        ]],
    },
    // Like a Z.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.04, 0.10), s(0.30, 0.03), s(0.58, 0.08), s(0.50, 0.34), s(0.26, 0.66),
            c(0.04, 0.92), s(0.30, 0.90), s(0.66, 0.93),
        ]],
    },
    // With a hook at the beginning and a swinging foot.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.14, 0.34), s(0.04, 0.22), s(0.18, 0.05), s(0.46, 0.02), s(0.64, 0.22),
            s(0.52, 0.50), s(0.28, 0.76), c(0.06, 0.96), s(0.26, 0.86), s(0.50, 0.92),
            s(0.78, 0.94),
        ]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const THREE: &[Style] = &[
    // Two bows with a sharp waist.
    Style {
        weight: 4,
        strokes: &[&[
            s(0.08, 0.12), s(0.30, 0.01), s(0.56, 0.08), s(0.60, 0.26), s(0.44, 0.41),
            c(0.22, 0.46), s(0.50, 0.52), s(0.66, 0.72), s(0.54, 0.93), s(0.28, 0.99),
            s(0.04, 0.88),
        ]],
    },
    // With a small loop at the waist.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.06, 0.16), s(0.28, 0.02), s(0.54, 0.08), s(0.56, 0.28), s(0.38, 0.44),
            s(0.24, 0.50), s(0.26, 0.43), s(0.44, 0.47), s(0.62, 0.64), s(0.58, 0.88),
            s(0.34, 0.99), s(0.06, 0.92),
        ]],
    },
    // With a flat top.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.06, 0.04), s(0.32, 0.03), c(0.60, 0.03), s(0.44, 0.22), c(0.26, 0.42),
            s(0.52, 0.44), s(0.66, 0.66), s(0.54, 0.92), s(0.26, 0.99), s(0.03, 0.90),
        ]],
    },
    // Shallow bows.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.04, 0.06), s(0.30, 0.01), s(0.48, 0.12), s(0.46, 0.32), s(0.28, 0.46),
            s(0.48, 0.58), s(0.58, 0.78), s(0.42, 0.96), s(0.14, 0.99),
        ]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const FOUR: &[Style] = &[
    // Open: a corner and a crossing stroke.
    Style {
        weight: 5,
        strokes: &[
            &[
                s(0.12, 0.04), s(0.07, 0.26), c(0.06, 0.52), s(0.34, 0.53), s(0.70, 0.49),
            ],
            &[s(0.60, 0.02), s(0.58, 0.34), s(0.55, 0.67), s(0.53, 1.00)],
        ],
    },
    // Closed: a triangle.
    Style {
        weight: 3,
        strokes: &[
            &[
                c(0.50, 0.01), s(0.28, 0.32), c(0.02, 0.64), s(0.36, 0.64), s(0.76, 0.62),
            ],
            &[s(0.50, 0.01), s(0.50, 0.34), s(0.50, 0.67), s(0.50, 1.00)],
        ],
    },
    // Open, the left side rounded, in one movement.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.10, 0.06), s(0.04, 0.28), s(0.08, 0.46), s(0.30, 0.52), s(0.50, 0.40),
            c(0.60, 0.08), s(0.58, 0.36), s(0.54, 0.70), s(0.50, 1.00),
        ]],
    },
    // Nearly closed at the top, close to a nine.
    Style {
        weight: 1,
        strokes: &[
            &[
                s(0.46, 0.08), s(0.18, 0.20), s(0.06, 0.44), s(0.30, 0.54), c(0.58, 0.46),
                s(0.60, 0.12),
            ],
            &[s(0.60, 0.10), s(0.57, 0.40), s(0.54, 0.70), s(0.52, 1.00)],
        ],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const FIVE: &[Style] = &[
    // Top bar, neck and bow in one movement.
    Style {
        weight: 4,
        strokes: &[&[
            s(0.66, 0.03), s(0.40, 0.04), c(0.16, 0.06), s(0.13, 0.24), c(0.11, 0.42),
            s(0.36, 0.36), s(0.60, 0.50), s(0.62, 0.76), s(0.42, 0.96), s(0.06, 0.92),
        ]],
    },
    // The bar added afterwards.
    Style {
        weight: 3,
        strokes: &[
            &[
                s(0.20, 0.06), s(0.16, 0.24), s(0.14, 0.42), s(0.38, 0.42), s(0.56, 0.58),
                s(0.54, 0.82), s(0.32, 0.98), s(0.04, 0.94),
            ],
            &[s(0.20, 0.05), s(0.46, 0.05), s(0.78, 0.00)],
        ],
    },
    // Smooth, like an S.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.70, 0.05), s(0.42, 0.03), s(0.20, 0.14), s(0.20, 0.34), s(0.42, 0.48),
            s(0.58, 0.66), s(0.50, 0.90), s(0.24, 0.98), s(0.02, 0.86),
        ]],
    },
    // A large flat bow.
    Style {
        weight: 1,
        strokes: &[&[
            s(0.74, 0.10), s(0.48, 0.08), c(0.26, 0.08), c(0.20, 0.40), s(0.52, 0.42),
            s(0.80, 0.60), s(0.62, 0.86), s(0.30, 0.95), s(0.04, 0.88),
        ]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const SIX: &[Style] = &[
    // A curved stem and a round bowl.
    Style {
        weight: 5,
        strokes: &[&[
            s(0.50, 0.02), s(0.24, 0.22), s(0.08, 0.54), s(0.12, 0.86), s(0.34, 0.98),
            s(0.56, 0.84), s(0.54, 0.62), s(0.34, 0.54), s(0.12, 0.70),
        ]],
    },
    // A straight stem and a small bowl.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.34, 0.00), s(0.20, 0.28), s(0.08, 0.58), s(0.06, 0.82), s(0.22, 0.98),
            s(0.42, 0.90), s(0.44, 0.72), s(0.28, 0.64), s(0.10, 0.76),
        ]],
    },
    // A large bowl.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.62, 0.04), s(0.30, 0.16), s(0.08, 0.50), s(0.14, 0.86), s(0.42, 0.99),
            s(0.70, 0.80), s(0.68, 0.52), s(0.44, 0.40), s(0.16, 0.58),
        ]],
    },
    // The bowl not closed, close to a zero.
    Style {
        weight: 1,
        strokes: &[&[
            s(0.44, 0.01), s(0.20, 0.24), s(0.06, 0.58), s(0.14, 0.88), s(0.36, 0.98),
            s(0.58, 0.80), s(0.54, 0.56), s(0.36, 0.50),
        ]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const SEVEN: &[Style] = &[
    // Plain.
    Style {
        weight: 4,
        strokes: &[&[
            s(0.02, 0.08), s(0.30, 0.06), c(0.62, 0.05), s(0.48, 0.34), s(0.36, 0.66),
            s(0.26, 1.00),
        ]],
    },
    // With a bar through the stem.
    Style {
        weight: 2,
        strokes: &[
            &[
                s(0.02, 0.08), s(0.30, 0.05), c(0.64, 0.05), s(0.50, 0.34), s(0.38, 0.66),
                s(0.28, 1.00),
            ],
            &[s(0.20, 0.52), s(0.42, 0.50), s(0.66, 0.48)],
        ],
    },
    // With a serif at the beginning.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.03, 0.24), c(0.05, 0.07), s(0.34, 0.08), c(0.66, 0.04), s(0.52, 0.34),
            s(0.42, 0.66), s(0.36, 1.00),
        ]],
    },
    // A rounded shoulder and a bent stem.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.02, 0.14), s(0.22, 0.06), s(0.46, 0.04), s(0.58, 0.14), s(0.50, 0.38),
            s(0.40, 0.66), s(0.36, 1.00),
        ]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const EIGHT: &[Style] = &[
    // One movement, beginning at the upper right.
    Style {
        weight: 5,
        strokes: &[&[
            s(0.58, 0.14), s(0.38, 0.02), s(0.16, 0.12), s(0.18, 0.32), s(0.40, 0.48),
            s(0.58, 0.70), s(0.50, 0.92), s(0.28, 0.99), s(0.10, 0.84), s(0.18, 0.62),
            s(0.42, 0.44), s(0.60, 0.26), s(0.60, 0.10),
        ]],
    },
    // Two circles.
    Style {
        weight: 2,
        strokes: &[
            &[
                s(0.36, 0.02), s(0.18, 0.10), s(0.14, 0.28), s(0.32, 0.45), s(0.52, 0.32),
                s(0.54, 0.12), s(0.36, 0.02),
            ],
            &[
                s(0.34, 0.45), s(0.12, 0.58), s(0.08, 0.82), s(0.34, 0.98), s(0.60, 0.84),
                s(0.58, 0.58), s(0.34, 0.45),
            ],
        ],
    },
    // A large lower and a small upper loop.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.54, 0.06), s(0.34, 0.04), s(0.26, 0.18), s(0.38, 0.34), s(0.58, 0.56),
            s(0.62, 0.80), s(0.38, 0.98), s(0.10, 0.86), s(0.12, 0.62), s(0.36, 0.40),
            s(0.56, 0.20), s(0.50, 0.05),
        ]],
    },
    // Narrow, the upper loop open.
    Style {
        weight: 2,
        strokes: &[&[
            s(0.46, 0.03), s(0.22, 0.06), s(0.12, 0.24), s(0.28, 0.44), s(0.42, 0.66),
            s(0.38, 0.92), s(0.20, 0.99), s(0.08, 0.84), s(0.18, 0.62), s(0.34, 0.42),
            s(0.50, 0.18),
        ]],
    },
];

#[rustfmt::skip] // Points of a stroke read as lines, not as a column.
const NINE: &[Style] = &[
    // A straight stem.
    Style {
        weight: 4,
        strokes: &[&[
            s(0.56, 0.16), s(0.36, 0.03), s(0.12, 0.14), s(0.08, 0.36), s(0.28, 0.48),
            s(0.50, 0.34), c(0.57, 0.12), s(0.56, 0.40), s(0.53, 0.70), s(0.50, 1.00),
        ]],
    },
    // A stem that swings to the left.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.54, 0.14), s(0.34, 0.02), s(0.10, 0.14), s(0.10, 0.36), s(0.32, 0.44),
            s(0.52, 0.30), s(0.57, 0.12), s(0.58, 0.42), s(0.50, 0.74), s(0.32, 0.96),
            s(0.06, 0.94),
        ]],
    },
    // One movement without a corner, the bowl small.
    Style {
        weight: 3,
        strokes: &[&[
            s(0.44, 0.20), s(0.30, 0.04), s(0.10, 0.12), s(0.08, 0.30), s(0.26, 0.36),
            s(0.44, 0.20), s(0.46, 0.40), s(0.38, 0.70), s(0.28, 1.00),
        ]],
    },
    // The bowl open at the top, close to a four.
    Style {
        weight: 1,
        strokes: &[&[
            s(0.40, 0.05), s(0.14, 0.12), s(0.06, 0.34), s(0.26, 0.48), s(0.48, 0.38),
            c(0.60, 0.10), s(0.58, 0.40), s(0.55, 0.70), s(0.54, 1.00),
        ]],
    },
];
