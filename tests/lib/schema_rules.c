/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules and what the loader says of them. */
#include "tests/lib/schema_rules.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MESSAGES = 32 };

static const struct {
    const char *name;
    const char *messages[MESSAGES]; /* parts of what the loader says */
} rules[] = {
    {"a number with an exponent or many digits is in its range", {"is out of range"}},
    {"a number with an exponent, many digits or an uneven unit is exact and fits",
     {"finer than the smallest unit", "is too large", "too many digits", "is not a finite number"}},
    {"an amount with an exponent, many digits or an uneven unit is whole bytes",
     {"is not a multiple of"}},
    {"names refer to something",
     {"unknown node", "unknown link", "unknown application", "no node has the operator",
      "no node has the community", "unknown risk group", "unknown class", "unknown event",
      "is called like", "is no end of", "has no relay point", "has no optical switch",
      "does not end at node", "no item with the id"}},
    {"ids and keys are used once", {"is used twice", "is given twice", "has another"}},
    {"an end is not its other end", {"joins node", "at one node", "joins these nodes already"}},
    {"applications are joined by links", {"no chain of QKD links joins"}},
    {"some keys need others, or exclude them",
     {"has no meaning",
      "needs it",
      "is missing in qkd",
      "is missing in session: expected a rate such as",
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
      "there is no standby controller",
      "there is no controller",
      "nobody commands it",
      "is where the controller is",
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
    {"marks are in order", {"is less than pool_low", "no route would ever lead"}},
    {"what is given can do something",
     {"is less than min_rate",
      "nothing has this min_rate",
      "is more than can be",
      "nobody looks ahead",
      "nobody keeps routes",
      "no light would pass",
      "nobody admits sessions",
      "no session is ever admitted",
      "none of the times is",
      "no request comes to this rule",
      "and does not fit it",
      "for applications at one node",
      "changes nothing",
      "it never fails",
      "parts nobody",
      "maintenance is planned",
      "knows of the maintenance",
      "is not that of",
      "which make a pair",
      "is that of node",
      "never fits in the stores"}},
    {"user networks are names or prefixes", {"user network '"}},
    {"addresses are such, in a user network of their node",
     {"is in no user network", "expected an address", "which serves it more closely"}},
    {"keys for several nodes can be made and go to each once",
     {"twice: expected one application per node", "which are asked for at",
      "is drawn, and relay:", "a request for several nodes is of", "expected an application above",
      "to more than", "sessions and requests for several nodes", "the keys go to several nodes"}},
    {"a file is removed from what lies under it", {"nothing to remove"}},
    {"an id that YAML reads as a number has only the letters of ids", {"is no identifier"}},
    {"expectations name figures that there are", {"have brackets", "has no window"}},
    {"whole numbers are decimal", {"'0x"}},
    {"there is room for all that is made",
     {"are more than", "too long a name", "is longer than 63 letters", "are read in all",
      "are possible", "in all", "engine simgrid takes at most"}},
    {"the classical network joins whom it must", {"no path in the classical network"}},
    {"files can be read",
     {"cannot be named here", "cannot open", "cannot read", "no nodes: expected at least one, in"}},
};

enum { NUMBER_RULES = 3 }; /* the first of them are about numbers */

/* Whether the value that a message quotes is one that a regular expression cannot judge: with an
 * exponent, with more digits than are compared, or in a unit with other primes than 2 and 5 or with
 * too many of them. */
static bool hard_number(const char *message)
{
    static const char *const uneven[] = {"min", "h", "d", "iB"};
    const char *value = strchr(message, '\'');
    size_t len = value == NULL ? 0 : strcspn(++value, "'");
    size_t digits = 0;
    bool hard = false;
    for (size_t i = 0; i < len; i++) {
        digits += value[i] >= '0' && value[i] <= '9' ? 1 : 0;
        hard = hard || value[i] == 'e' || value[i] == 'E';
    }
    for (size_t i = 0; i < sizeof uneven / sizeof uneven[0]; i++) {
        size_t end = strlen(uneven[i]);
        hard = hard || (len > end && strncmp(value + len - end, uneven[i], end) == 0);
    }
    return hard || digits > 15;
}

size_t schema_rule_of(const char *message)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        for (size_t k = 0; k < MESSAGES && rules[i].messages[k] != NULL; k++) {
            if (strstr(message, rules[i].messages[k]) != NULL &&
                (i >= NUMBER_RULES || hard_number(message))) {
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
