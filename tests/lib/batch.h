/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Standard error of a mean over correlated observations by batch means (Law, Simulation Modeling and
 * Analysis, section 9.5.3): the run is cut into batches much longer than the correlation lasts, the
 * means of which are all but independent. */
#ifndef QKD_TESTS_BATCH_H
#define QKD_TESTS_BATCH_H

#include <stddef.h>

#define BATCHES_LEAST 20 /* fewer say too little of their own spread */

struct batch_result {
    double mean;
    double error; /* standard error of the mean */
    size_t
        length; /* observations in a batch; what is left over at the end counts in the mean only */
};

/* values[count] in the order of observation; batches >= BATCHES_LEAST, count >= batches. */
struct batch_result batch_means(const double *values, size_t count, size_t batches);

#endif
