/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Textbook series on reduced arguments (Abramowitz and Stegun, "Handbook of Mathematical Functions",
 * 4.1.27, 4.2.1, 4.3.66), as long as the terms matter to a double. */
#include "models/real.h"

#include <math.h>

/* ln 2 in two parts; the first has so few digits that its multiples by exponents are exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define SQRT_HALF 0.70710678118654752
#define TWO_PI 6.28318530717958648

enum { LOG_TERMS = 10, EXP_TERMS = 15, COS_TERMS = 12 };

/* 2 / (2 k + 3), 1 / k! and 1 / (2 k)!: each rounded once, by the compiler. */
static const double log_term[LOG_TERMS] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                           2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
static const double exp_term[EXP_TERMS] = {1 / 1.0,         1 / 1.0,          1 / 2.0,
                                           1 / 6.0,         1 / 24.0,         1 / 120.0,
                                           1 / 720.0,       1 / 5040.0,       1 / 40320.0,
                                           1 / 362880.0,    1 / 3628800.0,    1 / 39916800.0,
                                           1 / 479001600.0, 1 / 6227020800.0, 1 / 87178291200.0};
static const double cos_term[COS_TERMS] = {1 / 1.0,
                                           1 / 2.0,
                                           1 / 24.0,
                                           1 / 720.0,
                                           1 / 40320.0,
                                           1 / 3628800.0,
                                           1 / 479001600.0,
                                           1 / 87178291200.0,
                                           1 / 20922789888000.0,
                                           1 / 6402373705728000.0,
                                           1 / 2432902008176640000.0,
                                           1 / 1124000727777607680000.0};

/* 2 artanh(s) for |s| <= 0.172: log((1 + s) / (1 - s)). */
static double log_ratio(double s)
{
    double z = s * s;
    double sum = 0;
    for (int k = LOG_TERMS - 1; k >= 0; k--) {
        sum = (sum + log_term[k]) * z;
    }
    return 2 * s + s * sum;
}

double mdl_log(double x)
{
    if (x == 0) {
        return -INFINITY;
    }
    int exponent = 0;
    double m = frexp(x, &exponent);
    if (m < SQRT_HALF) {
        m *= 2;
        exponent--;
    }
    return exponent * LN2_HIGH + (log_ratio((m - 1) / (m + 1)) + exponent * LN2_LOW);
}

double mdl_log1p(double x)
{
    if (x < SQRT_HALF - 1 || x > 2 * SQRT_HALF - 1) {
        return mdl_log(1 + x);
    }
    return log_ratio(x / (2 + x));
}

double mdl_exp(double x)
{
    if (x < -745) {
        return 0;
    }
    if (x > 710) {
        return INFINITY;
    }
    int exponent = (int)lround(x / (LN2_HIGH + LN2_LOW));
    double r = (x - exponent * LN2_HIGH) - exponent * LN2_LOW;
    double sum = 0;
    for (int k = EXP_TERMS - 1; k >= 0; k--) {
        sum = exp_term[k] + sum * r;
    }
    return ldexp(sum, exponent);
}

/* For 0 to a quarter of a turn. */
static double cos_quarter(double turns)
{
    double a = TWO_PI * turns;
    double z = a * a;
    double sum = 0;
    for (int k = COS_TERMS - 1; k >= 0; k--) {
        sum = cos_term[k] - sum * z;
    }
    return sum;
}

double mdl_cos_turns(double turns)
{
    double r = fabs(turns - floor(turns + 0.5));
    return r <= 0.25 ? cos_quarter(r) : -cos_quarter(0.5 - r);
}

double mdl_sin_turns(double turns)
{
    return mdl_cos_turns(turns - floor(turns + 0.5) - 0.25);
}
