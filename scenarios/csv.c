/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comma-separated values, and the lists of mappings made of them. */
#include "scenarios/csv.h"

#include <stdio.h>
#include <string.h>

#include "scenarios/tree.h"

/* UTF-8's byte order mark, which some programs write before the first character. */
#define MARK "\xef\xbb\xbf"

char *scn_csv_read(struct scn_ctx *ctx, const char *name, struct scn_place *at)
{
    size_t len = 0;
    char *text = scn_data_read(ctx, name, at, &len);
    if (text != NULL && strlen(text) != len) {
        scn_mistake(ctx, *at, "the file contains the character 0");
        return NULL;
    }
    if (text != NULL && strncmp(text, MARK, strlen(MARK)) == 0) {
        text += strlen(MARK);
        len -= strlen(MARK);
    }
    return text == NULL || !scn_text_check(ctx, text, len, *at) ? NULL : text;
}

void scn_csv_init(struct scn_csv *csv, struct scn_ctx *ctx, char *text, struct scn_place at)
{
    *csv = (struct scn_csv){.ctx = ctx, .place = at, .rest = text};
    csv->place.line = 0; /* the first record is on line 1 */
    csv->place.column = 1;
}

struct scn_place scn_csv_place(const struct scn_csv *csv, size_t cell)
{
    struct scn_place place = csv->place;
    place.column = cell < csv->count ? csv->columns[cell] : 1;
    return place;
}

/* Removes quotes in place; the end of the cell behind its closing quote, NULL if there is none. */
static char *quotes_remove(char *cell)
{
    char *to = cell;
    char *from = cell + 1;
    while (*from != '\0') {
        if (*from == '"' && from[1] != '"') {
            *to = '\0';
            return from + 1;
        }
        from += *from == '"' ? 2 : 1;
        *to++ = from[-1];
    }
    return NULL;
}

/* Cuts one line into cells. */
static void line_cut(struct scn_csv *csv, char *line)
{
    csv->count = 0;
    char *at = line;
    for (;;) {
        if (csv->count == SCN_CSV_COLUMNS) {
            scn_mistake(csv->ctx, csv->place, "more than %d columns", SCN_CSV_COLUMNS);
            csv->failed = true;
            return;
        }
        at += strspn(at, " \t");
        csv->cells[csv->count] = at;
        csv->columns[csv->count] = (uint32_t)(at - line) + 1;
        csv->count++;
        char *end = at[0] == '"' ? quotes_remove(at) : at + strcspn(at, ",");
        if (end == NULL || (*end != ',' && *end != '\0')) {
            scn_mistake(csv->ctx, scn_csv_place(csv, csv->count - 1),
                        "a quoted cell needs its closing quote, then a comma or the end of line");
            csv->failed = true;
            return;
        }
        bool last = *end == '\0';
        *end = '\0';
        for (char *back = end; back > at && (back[-1] == ' ' || back[-1] == '\t'); back--) {
            back[-1] = '\0';
        }
        if (last) {
            return;
        }
        at = end + 1;
    }
}

bool scn_csv_next(struct scn_csv *csv)
{
    while (!csv->failed && csv->rest[0] != '\0') {
        char *line = csv->rest;
        char *end = strchr(line, '\n');
        csv->place.line++;
        csv->count = 0;
        if (end == NULL) {
            scn_mistake(csv->ctx, csv->place, "the last line has no end: is the file truncated?");
            csv->failed = true;
            break;
        }
        *end = '\0';
        csv->rest = end + 1;
        if (end > line && end[-1] == '\r') {
            end[-1] = '\0';
        }
        if (line[strspn(line, " \t")] == '\0' || line[0] == '#') {
            continue;
        }
        line_cut(csv, line);
        return !csv->failed;
    }
    return false;
}

/* One column of a table. */
struct column {
    const char *path; /* key, with dots */
    const char *unit; /* appended to each value, "" if none */
    bool end;         /* "a" or "b": an item of `ends` */
};

/* "length (km)" is the key length and the unit km. */
bool scn_csv_heading(const struct scn_csv *csv, size_t cell, const char **key, const char **unit)
{
    char *open = strchr(csv->cells[cell], '(');
    *key = csv->cells[cell];
    *unit = "";
    if (open != NULL) {
        char *close = strchr(open, ')');
        if (close == NULL || close[1] != '\0') {
            scn_mistake(csv->ctx, scn_csv_place(csv, cell), "expected 'key' or 'key (unit)'");
            return false;
        }
        *close = '\0';
        *unit = open + 1;
        while (open > csv->cells[cell] && open[-1] == ' ') {
            open--;
        }
        *open = '\0';
    }
    if ((*key)[0] == '\0') {
        scn_mistake(csv->ctx, scn_csv_place(csv, cell), "a column needs a name");
        return false;
    }
    return true;
}

static bool header_read(const struct scn_csv *csv, struct column *columns)
{
    for (size_t i = 0; i < csv->count; i++) {
        if (!scn_csv_heading(csv, i, &columns[i].path, &columns[i].unit)) {
            return false;
        }
        columns[i].end = strcmp(columns[i].path, "a") == 0 || strcmp(columns[i].path, "b") == 0;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(columns[k].path, columns[i].path) == 0) {
                scn_mistake(csv->ctx, scn_csv_place(csv, i), "the column '%.64s' is given twice",
                            columns[i].path);
                return false;
            }
        }
    }
    return true;
}

/* The child of `map` named by the len first letters of `key`, made if it is not there. */
static struct scn_tree *child_make(struct scn_ctx *ctx, struct scn_tree *map, const char *key,
                                   struct scn_place place)
{
    if (map->kind != SCN_TREE_MAP && map->count == 0) {
        map->kind = SCN_TREE_MAP;
        map->text = NULL;
    }
    struct scn_tree *child = scn_tree_find(map, key);
    return child != NULL ? child : scn_tree_add(ctx, map, key, place);
}

static void cell_take(struct scn_csv *csv, struct scn_tree *item, const struct column *column,
                      size_t cell)
{
    struct scn_ctx *ctx = csv->ctx;
    struct scn_place place = scn_csv_place(csv, cell);
    const char *path = column->end ? "ends" : column->path;
    struct scn_tree *here = item;
    while (here != NULL && path[0] != '\0') {
        size_t len = strcspn(path, ".");
        const char *key = scn_ctx_copy(ctx, path, len);
        here = key == NULL ? NULL : child_make(ctx, here, key, place);
        path += path[len] == '.' ? len + 1 : len;
    }
    if (here != NULL && column->end) {
        here->kind = SCN_TREE_LIST;
        here->text = NULL;
        here = scn_tree_add(ctx, here, NULL, place);
    }
    size_t room = strlen(csv->cells[cell]) + strlen(column->unit) + 2;
    char *text = scn_ctx_new(ctx, room);
    if (here == NULL || text == NULL) {
        return;
    }
    (void)snprintf(text, room, "%s%s%s", csv->cells[cell], column->unit[0] == '\0' ? "" : " ",
                   column->unit);
    here->text = text;
    here->plain = true; /* as if it stood in the scenario without quotes */
}

static void rows_read(struct scn_csv *csv, struct scn_tree *list, const struct column *columns,
                      size_t column_count)
{
    while (scn_csv_next(csv)) {
        if (csv->count != column_count) {
            scn_mistake(csv->ctx, csv->place, "%zu cells, but the header has %zu columns",
                        csv->count, column_count);
            continue;
        }
        struct scn_tree *item = scn_tree_add(csv->ctx, list, NULL, csv->place);
        if (item == NULL) {
            return;
        }
        item->kind = SCN_TREE_MAP;
        item->text = NULL;
        for (size_t i = 0; i < column_count; i++) {
            if (csv->cells[i][0] != '\0') {
                cell_take(csv, item, &columns[i], i);
            }
        }
    }
}

bool scn_tree_is_table(const struct scn_tree *scalar)
{
    return scalar->kind == SCN_TREE_SCALAR && !scn_tree_is_null(scalar) && scalar->key != NULL &&
           (strcmp(scalar->key, "nodes") == 0 || strcmp(scalar->key, "links") == 0 ||
            strcmp(scalar->key, "applications") == 0);
}

void scn_tree_table(struct scn_ctx *ctx, struct scn_tree *list)
{
    struct scn_place at = list->place;
    char *text = scn_csv_read(ctx, list->text, &at);
    list->kind = SCN_TREE_LIST;
    list->text = NULL;
    list->plain = false;
    if (text == NULL) {
        return;
    }
    struct scn_csv csv;
    scn_csv_init(&csv, ctx, text, at);
    struct column columns[SCN_CSV_COLUMNS];
    if (scn_csv_next(&csv)) {
        size_t count = csv.count;
        if (header_read(&csv, columns)) {
            rows_read(&csv, list, columns, count);
        }
    } else if (!csv.failed) {
        scn_mistake(ctx, at, "the table is empty: expected a header line with the names of keys");
    }
}
