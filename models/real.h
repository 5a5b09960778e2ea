/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions of real numbers that have the same value on every machine. Those of the C library do not:
 * it takes other instructions, and rounds differently, on a processor that fuses multiplication and
 * addition. These use additions, multiplications and divisions of IEEE 754 doubles only, which are
 * exact to the last bit everywhere as long as the compiler fuses nothing (-ffp-contract=off). sqrt(),
 * floor(), llround() and the like are exact by the standard and may be used as they are.
 *
 * Whatever reaches a run or a network uses these; what only goes to a report need not. */
#ifndef MDL_REAL_H
#define MDL_REAL_H

/* Natural logarithm of a positive finite number, relative error below 5e-16; -infinity of 0. */
double mdl_log(double x);

/* log(1 + x) for x >= -1, also where x is small; relative error below 5e-16. */
double mdl_log1p(double x);

/* e to the x; relative error below 5e-16 where |x| is at most 1, growing with |x| to 1e-15 * |x|. 0
 * below -740, infinite above 709.7. */
double mdl_exp(double x);

/* Cosine and sine of an angle in full turns (1 is 360 degrees), |turns| at most 2^40; absolute error
 * below 1e-15. */
double mdl_cos_turns(double turns);
double mdl_sin_turns(double turns);

#endif
