/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A JSON writer (RFC 8259) into one growing text. It only writes; numbers have 15, 16 or
 * 17 digits, the fewest that read back to the same double, and no final zeros, so that equal results
 * are equal texts on every machine. */
#ifndef ANA_JSON_H
#define ANA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANA_JSON_DEPTH 16 /* deepest nesting */

/* How the members of an object or array stand: all in one line, or one line each. */
enum ana_json_style { ANA_JSON_INLINE, ANA_JSON_LINES };

struct ana_json {
    char *text; /* zero-terminated; NULL before the first write or without memory */
    size_t len, limit;
    bool failed; /* memory ran out: the text is not complete */
    unsigned depth;
    struct {
        char close;
        bool lines, filled;
    } open[ANA_JSON_DEPTH];
};

/* Zero-initialised is empty; fini frees the text. */
void ana_json_fini(struct ana_json *json);

/* name is NULL for elements of an array and for the outermost value. */
void ana_json_object(struct ana_json *json, const char *name, enum ana_json_style style);
void ana_json_array(struct ana_json *json, const char *name, enum ana_json_style style);
void ana_json_close(struct ana_json *json); /* the innermost object or array */
void ana_json_string(struct ana_json *json, const char *name, const char *value); /* NULL: null */
void ana_json_uint(struct ana_json *json, const char *name, uint64_t value);
void ana_json_int(struct ana_json *json, const char *name, int64_t value);
void ana_json_double(struct ana_json *json, const char *name, double value); /* not finite: null */
void ana_json_bool(struct ana_json *json, const char *name, bool value);

/* A finite double with 15 to 17 digits, the fewest that read back to it, into text[32]. */
void ana_double_text(double value, char text[32]);

#endif
