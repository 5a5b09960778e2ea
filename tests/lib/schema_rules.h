/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules of scenario files that the JSON Schema does not state, by name, each with what the
 * loader says when it is broken. All else both must refuse. */
#ifndef QKD_TESTS_SCHEMA_RULES_H
#define QKD_TESTS_SCHEMA_RULES_H

#include <stddef.h>

/* The number of the rule that a message of the loader is about, SIZE_MAX if it is none of them. */
size_t schema_rule_of(const char *message);

/* NULL behind the last rule. */
const char *schema_rule_name(size_t rule);

#endif
