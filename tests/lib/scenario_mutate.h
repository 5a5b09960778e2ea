/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random changes to scenario files that know their structure: values, keys and items are replaced,
 * taken away, doubled, moved. For tests of the loader against others, and for fuzzing. */
#ifndef QKD_TESTS_SCENARIO_MUTATE_H
#define QKD_TESTS_SCENARIO_MUTATE_H

#include <stdint.h>

#include "tests/lib/json_schema.h"

/* Changes one place of the document, by chance from *state. The document must be an object. */
void mutate_once(struct js_value *document, uint64_t *state);

/* A number below bound (> 0) from *state. */
uint64_t mutate_below(uint64_t *state, uint64_t bound);

#endif
