"""Minimax coefficients of src/vector/elementary.rs and src/random/normal.rs.

    pip install mpmath==1.3.0 && python minimax.py > coefficients.txt

Each function is written as lead(x) + factor(x) * p(x) with an exact lead, and
p is fitted so that the largest error of the whole, relative to the function,
is smallest: Lawson's iteration in 40-digit arithmetic. The coefficients are
then rounded to f32 one after the other, lowest degree first, refitting the
rest each time, so that the rounding of one is made up for by the others.
"""

import struct

import mpmath as mp

mp.mp.dps = 40


def to_f32(x):
    return mp.mpf(struct.unpack("<f", struct.pack("<f", float(x)))[0])


def lawson(target, weight, low, high, powers, points=160, iterations=60):
    """Coefficients c minimising max |weight(x) (target(x) - sum c_i x^powers_i)|.

    Lawson's iteration: weighted least squares whose weights grow with the
    error, on Chebyshev points. Unlike the Remez exchange it does not mind that
    the weight vanishes where the lead is exact.
    """
    low, high = mp.mpf(low), mp.mpf(high)
    grid = [
        (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / points)
        for i in range(points)
    ]
    rows = [[weight(x) * x**power for power in powers] for x in grid]
    right = [weight(x) * target(x) for x in grid]
    lawson_weights = [mp.mpf(1)] * points
    best = None
    for _ in range(iterations):
        n = len(powers)
        normal, moment = mp.matrix(n, n), mp.matrix(n, 1)
        for row, value, w in zip(rows, right, lawson_weights):
            for i in range(n):
                moment[i] += w * row[i] * value
                for j in range(n):
                    normal[i, j] += w * row[i] * row[j]
        c = list(mp.lu_solve(normal, moment))
        errors = [abs(value - sum(a * b for a, b in zip(c, row))) for row, value in zip(rows, right)]
        worst = max(errors)
        if best is None or worst < best[1]:
            best = (c, worst)
        lawson_weights = [w * e / worst for w, e in zip(lawson_weights, errors)]
        total = max(lawson_weights)
        lawson_weights = [max(w / total, mp.mpf(10) ** -30) for w in lawson_weights]
    return best


def fit(name, target, weight, low, high, powers):
    fixed = []
    for done in range(len(powers)):
        rest = powers[done:]
        reduced = lambda x: target(x) - sum(c * x**p for c, p in zip(fixed, powers))
        coefficients, worst = lawson(reduced, weight, low, high, rest)
        if done == 0:
            unrounded = worst
        fixed.append(to_f32(coefficients[0]))
    grid = [mp.mpf(low) + (mp.mpf(high) - mp.mpf(low)) * i / 2000 for i in range(2001)]
    final = max(
        abs(weight(x) * (target(x) - sum(c * x**p for c, p in zip(fixed, powers)))) for x in grid
    )
    print(f"# {name} on [{mp.nstr(mp.mpf(low), 8)}, {mp.nstr(mp.mpf(high), 8)}]")
    print(f"# relative error {mp.nstr(unrounded, 3)}, with f32 coefficients {mp.nstr(final, 3)}")
    for power, coefficient in zip(powers, fixed):
        bits = struct.unpack("<I", struct.pack("<f", float(coefficient)))[0]
        print(f"x^{power}: {mp.nstr(coefficient, 12)}  (0x{bits:08x})")
    print()


def split(name, value, bits):
    """value = high + low, high with `bits` significant bits, both f32."""
    exponent = mp.floor(mp.log(value, 2))
    unit = mp.mpf(2) ** (exponent + 1 - bits)
    high = mp.nint(value / unit) * unit
    low = to_f32(value - high)
    print(f"# {name} = {mp.nstr(high, 15)} + {mp.nstr(low, 15)}")
    print()


def series_safe(f, limit_at_zero, tiny=mp.mpf(10) ** -20):
    return lambda x: limit_at_zero if abs(x) < tiny else f(x)


split("ln 2", mp.log(2), 15)

# e^r = 1 + r + r^2 p(r) for e^r in [3/4, 3/2]
for degree in (3, 4):
    fit(
        f"exp: p of degree {degree}",
        series_safe(lambda r: (mp.exp(r) - 1 - r) / r**2, mp.mpf(1) / 2),
        lambda r: r**2 / mp.exp(r),
        mp.log(mp.mpf("0.75")) - mp.mpf("1e-4"),
        mp.log(mp.mpf("1.5")) + mp.mpf("1e-4"),
        list(range(degree + 1)),
    )

# ln((1 + s) / (1 - s)) = 2 s + s z p(z), z = s^2, s = f / (2 + f) for 1 + f in [1/sqrt 2, sqrt 2]
limit = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
fit(
    "ln: p(z)",
    series_safe(lambda z: (mp.log((1 + mp.sqrt(z)) / (1 - mp.sqrt(z))) / mp.sqrt(z) - 2) / z, mp.mpf(2) / 3),
    series_safe(lambda z: z / (mp.log((1 + mp.sqrt(z)) / (1 - mp.sqrt(z))) / mp.sqrt(z)), mp.mpf(0)),
    0,
    limit,
    [0, 1, 2, 3],
)

# ln(1 + e) = e + e^2 p(e) on [0, 1]
for degree in (7, 8, 9):
    fit(
        f"log1p on the unit interval: p of degree {degree}",
        series_safe(lambda e: (mp.log(1 + e) - e) / e**2, -mp.mpf(1) / 2),
        series_safe(lambda e: e**2 / mp.log(1 + e), mp.mpf(0)),
        0,
        1,
        list(range(degree + 1)),
    )

# tanh x = x + x^3 p(x^2) for |x| < 0.625
fit(
    "tanh: p(x^2)",
    series_safe(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, -mp.mpf(1) / 3),
    series_safe(lambda z: z / (mp.tanh(mp.sqrt(z)) / mp.sqrt(z)), mp.mpf(0)),
    0,
    mp.mpf("0.625") ** 2,
    [0, 1, 2, 3, 4],
)

# sin x = x + x^3 p(x^2), cos x = 1 - x^2 / 2 + x^4 p(x^2) for |x| <= pi / 4
quarter = (mp.pi / 4) ** 2
fit(
    "sin: p(x^2)",
    series_safe(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, -mp.mpf(1) / 6),
    series_safe(lambda z: z / (mp.sin(mp.sqrt(z)) / mp.sqrt(z)), mp.mpf(0)),
    0,
    quarter,
    [0, 1, 2],
)
fit(
    "cos: p(x^2)",
    series_safe(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, mp.mpf(1) / 24),
    series_safe(lambda z: z**2 / mp.cos(mp.sqrt(z)), mp.mpf(0)),
    0,
    quarter,
    [0, 1, 2],
)
