/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compares a text with its golden file, line by line, comments of the file left out. */
#include "tests/lib/sim_golden.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 256, LINE = 1024, COMMENTS = 16384 };

static void update(const char *path, const char *text)
{
    static char kept[COMMENTS];
    char line[LINE];
    size_t len = 0;
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#') {
            ck_assert_uint_lt(len + strlen(line), sizeof(kept));
            memcpy(kept + len, line, strlen(line) + 1);
            len += strlen(line);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fprintf(file, "%s%s", kept, text), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* The next line of `text` without its end into `line`; false at the end. */
static bool next_line(const char **text, char line[LINE])
{
    size_t len = strcspn(*text, "\n");
    if (**text == '\0') {
        return false;
    }
    ck_assert_uint_lt(len, LINE);
    memcpy(line, *text, len);
    line[len] = '\0';
    *text += len + ((*text)[len] == '\n');
    return true;
}

static bool next_golden(FILE *file, char line[LINE])
{
    do {
        if (fgets(line, LINE, file) == NULL) {
            return false;
        }
    } while (line[0] == '#');
    line[strcspn(line, "\n")] = '\0';
    return true;
}

void golden_check(const char *name, const char *text)
{
    char path[PATH];
    char want[LINE];
    char have[LINE];
    (void)snprintf(path, sizeof(path), "tests/sim/golden/%s.txt", name);
    const char *mode = getenv("QKDN_GOLDEN");
    if (mode != NULL && strcmp(mode, "update") == 0) {
        update(path, text);
        return;
    }
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no golden file %s", path);
    const char *rest = text;
    for (unsigned number = 1;; number++) {
        bool wanted = next_golden(file, want);
        bool got = next_line(&rest, have);
        if (!wanted && !got) {
            break;
        }
        ck_assert_msg(wanted && got && strcmp(want, have) == 0,
                      "%s: line %u of the trace differs\n want: %s\n have: %s\nwhole trace:\n%s",
                      path, number, wanted ? want : "(end)", got ? have : "(end)", text);
    }
    (void)fclose(file);
}
