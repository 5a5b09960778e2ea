/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small JSON Schema validator (2020-12) over trees of scenarios/tree.h, for tests: type, enum,
 * const, properties, additionalProperties (false or a schema), required, items, minItems, maxItems, minLength,
 * maxLength, minimum, maximum, pattern, anyOf, allOf, if/then/else. An unknown keyword ends the
 * test: a rule must not be passed over in silence. */
#ifndef QKD_TESTS_SCHEMA_CHECK_H
#define QKD_TESTS_SCHEMA_CHECK_H

#include "scenarios/tree.h"

/* Whether the value is valid; if not, `why` (of `why_size` bytes) says where and which keyword. */
bool schema_check(const struct scn_tree *schema, const struct scn_tree *value, char *why,
                  size_t why_size);

#endif
