//! Dense f32 and f64 kernels: GEMM, layer products, vector math, reductions, random deviates.
