/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of a summary as tables: name, kind and place of each. The JSON writer, the judge of
 * `expect:` lines and the results store all read these tables, so that a figure has one name. */
#ifndef ANA_FIELDS_H
#define ANA_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "scenarios/outcome.h"

enum ana_kind {
    ANA_KIND_COUNT,   /* uint64_t */
    ANA_KIND_REAL,    /* double; NAN: no value */
    ANA_KIND_BOOL,    /* bool; 0 or 1 as a number */
    ANA_KIND_FRACTION /* struct scn_requests: served / total */
};

/* A dot in the name stands for one nested object: "requests.total". */
struct ana_field {
    const char *name;
    enum ana_kind kind;
    size_t offset; /* in struct scn_summary, scn_link_summary, scn_application_summary,
                    scn_route_use or scn_event_summary */
};

/* Tables end with a field without a name. */
extern const struct ana_field ana_head_fields[];        /* of scn_summary: the run itself */
extern const struct ana_field ana_run_fields[];         /* of scn_summary: its figures */
extern const struct ana_field ana_link_fields[];        /* of scn_link_summary */
extern const struct ana_field ana_application_fields[]; /* of scn_application_summary */
extern const struct ana_field ana_class_fields[];       /* of scn_class_summary */
extern const struct ana_field ana_route_fields[];       /* of scn_route_use */
extern const struct ana_field ana_event_fields[];       /* of scn_event_summary */
extern const struct ana_field ana_attack_fields[];      /* of scn_attack_summary */

/* The field of this name in a table, or NULL. */
const struct ana_field *ana_field_find(const struct ana_field *table, const char *name);

/* Value of a field of the struct at base; NAN if it has none. */
double ana_field_number(const struct ana_field *field, const void *base);

/* A count field's exact value. */
uint64_t ana_field_count(const struct ana_field *field, const void *base);
bool ana_field_bool(const struct ana_field *field, const void *base);

#endif
