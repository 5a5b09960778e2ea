/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules and what the loader says of them. */
#include "tests/lib/schema_rules.h"

#include <stdint.h>
#include <string.h>

enum { MESSAGES = 32 };

static const struct {
    const char *name;
    const char *messages[MESSAGES]; /* parts of what the loader says */
} rules[] = {
    {"a number with a unit is in a range", {"is out of range"}},
    {"a number with a unit is exact and fits",
     {"finer than the smallest unit", "is too large", "too many digits", "is not a finite number"}},
    {"key lengths are whole bytes", {"is not a multiple of"}},
    {"names refer to something",
     {"unknown node", "unknown link", "unknown application", "no node has the operator",
      "unknown risk group", "unknown event", "is called like", "is no end of",
      "no item with the id"}},
    {"ids and keys are used once", {"is used twice", "is given twice"}},
    {"an end is not its other end", {"joins node", "at one node", "joins these nodes already"}},
    {"applications are joined by links", {"no chain of QKD links joins"}},
    {"some keys need others, or exclude them",
     {"has no meaning",
      "needs it",
      "is missing in qkd",
      "are both given",
      "is given, but",
      "go together",
      "expected a link",
      "is not for a",
      "expected one of table",
      "is missing in demand",
      "with crash or torn-commit only",
      "weights above 0",
      "expected with",
      "expected both or none",
      "expected one link, not several",
      "is missing: what",
      "needs at least one of",
      "has no members",
      "a session reserves one route",
      "shorter than it",
      "gravity needs a weight"}},
    {"times are in order",
     {"not before the end", "not after start", "not shorter than duration", "unsorted"}},
    {"rates fit together",
     {"trough is above rate", "within the day", "after the end of the day", "no rate above 0",
      "no key at this QBER", "requests per second"}},
    {"blocks fit in stores and pay for themselves",
     {"does not pay for its own", "never fits in", "does not fit in a message",
      "is too long for one QKD-key file"}},
    {"user networks are names or prefixes", {"user network '"}},
    {"a file is removed from what lies under it", {"nothing to remove"}},
    {"an id that YAML reads as a number has only the letters of ids", {"is no identifier"}},
    {"expectations name figures that there are", {"have brackets", "has no window"}},
    {"whole numbers are decimal", {"'0x"}},
    {"there is room for all that is made",
     {"are more than", "too long a name", "are read in all", "are possible", "in all",
      "engine simgrid takes at most"}},
    {"the classical network joins whom it must", {"no path in the classical network"}},
    {"files can be read",
     {"cannot be named here", "cannot open", "cannot read", "no nodes: expected at least one, in"}},
};

size_t schema_rule_of(const char *message)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        for (size_t k = 0; k < MESSAGES && rules[i].messages[k] != NULL; k++) {
            if (strstr(message, rules[i].messages[k]) != NULL) {
                return i;
            }
        }
    }
    return SIZE_MAX;
}

const char *schema_rule_name(size_t rule)
{
    return rule < sizeof rules / sizeof rules[0] ? rules[rule].name : NULL;
}
