#pragma once

namespace assay::cpu {

/// The derivative of log |gamma|: minus or plus infinity at 0, NaN at its other poles.
double digamma(double x);

/// Hurwitz's zeta function: the sum of (q + i)^-x over i >= 0. Infinity at x = 1 and at q = 0, -1,
/// -2, ...; NaN for x < 1, and for other q < 0 unless x is whole.
double zeta(double x, double q);

/// Derivative number `n` of digamma at `x`; NaN unless n is a whole number, not negative.
double polygamma(double n, double x);

}  // namespace assay::cpu
