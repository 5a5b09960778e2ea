/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Batch means: see batch.h. */
#include "tests/lib/batch.h"

#include <check.h>
#include <math.h>

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

struct batch_result batch_means(const double *values, size_t count, size_t batches)
{
    ck_assert_uint_ge(batches, BATCHES_LEAST);
    ck_assert_uint_ge(count, batches);
    struct batch_result result = {.mean = mean_of(values, count), .length = count / batches};
    double middle = mean_of(values, result.length * batches);
    double squares = 0;
    for (size_t i = 0; i < batches; i++) {
        double off = mean_of(values + i * result.length, result.length) - middle;
        squares += off * off;
    }
    double n = (double)batches;
    result.error = sqrt(squares / (n - 1) / n);
    return result;
}
