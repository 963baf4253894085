#pragma once

namespace assay::cpu {

/// The derivative of log |gamma|: minus or plus infinity at 0, NaN at its other poles.
double digamma(double x);

/// Hurwitz's zeta function: the sum of (q + i)^-x over i >= 0. Infinity at x = 1 and at q = 0, -1,
/// -2, ...; NaN for x < 1, and for other q < 0 unless x is whole.
double zeta(double x, double q);

/// Derivative number `n` of digamma at `x`; NaN unless n is a whole number, not negative.
double polygamma(double n, double x);

/// How a gamma number (of shape `alpha` and scale 1) moves with alpha while its quantile stays:
/// -(dP/dalpha) / (dP/dx) of the distribution function P (Figurnov, Mohamed, Mnih 2018, "Implicit
/// reparameterization gradients"). 0 at x = 0; NaN for alpha <= 0 and x < 0.
double gamma_sample_derivative(double alpha, double x);

}  // namespace assay::cpu
