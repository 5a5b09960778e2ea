/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `demands`: many applications from a table, a matrix, all pairs of nodes, or the gravity model.
 * They are added to the tree of `applications` before it is decoded, so that what is decoded,
 * printed and run are applications like any other: <demand>:<from>-<to>. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/csv.h"
#include "scenarios/demands.h"
#include "scenarios/rows.h"

/* ---- keys ---- */

/* Read from the tree: the values name nodes or files. */
static void kept_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    (void)ctx;
    (void)value;
    (void)base;
}

static bool kept_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                       const void *base)
{
    (void)out;
    (void)scenario;
    (void)base;
    return false;
}

static const struct scn_special special_file = {kept_decode, kept_print,
                                                "\"type\": \"string\", \"minLength\": 1"};
static const struct scn_special special_nodes = {
    kept_decode, kept_print,
    "\"type\": \"array\", \"minItems\": 1, \"items\": {" SCN_SCHEMA_ID "}"};
static const struct scn_special special_weights = {
    kept_decode, kept_print,
    "\"anyOf\": [{\"type\": \"string\", \"minLength\": 1}, {\"type\": \"object\", "
    "\"minProperties\": 1, \"additionalProperties\": {\"type\": \"number\", \"minimum\": 0, "
    "\"maximum\": 1e+15}}]"};

static const struct scn_word words_pairs[] = {{"all", SCN_PAIRS_ALL},
                                              {"once", SCN_PAIRS_ONCE},
                                              {NULL, 0}};

#define STRUCT scn_demand
static const struct scn_field demand_fields[] = {
    ID("id", id, "begins the ids of its applications"),
    {.key = "table",
     .doc = "a CSV file with one application per line: columns from, to and other keys",
     .type = SCN_T_SPECIAL,
     .special = &special_file},
    {.key = "matrix",
     .doc = "a CSV file with one number per pair of nodes; its first cell names the key and unit",
     .type = SCN_T_SPECIAL,
     .special = &special_file},
    {.key = "pairs",
     .doc = "one application per ordered pair of nodes (all), or per two nodes (once)",
     .type = SCN_T_WORD,
     AT(pairs),
     .words = words_pairs,
     .unset = -1},
    {.key = "nodes",
     .doc = "pairs: of these nodes; default: all",
     .type = SCN_T_SPECIAL,
     .special = &special_nodes},
    NUM("gravity", gravity_bps, SCN_T_REAL, SCN_DIM_RATE, 1, MOST_BPS, .unset = 0,
        .doc = "key rate of all pairs together, shared in proportion to the product of weights"),
    {.key = "weights",
     .doc = "gravity: the weight of each node, or a CSV file with columns node,weight",
     .type = SCN_T_SPECIAL,
     .special = &special_weights},
    {.key = "application",
     .doc = "what every application has besides id, from and to",
     .type = SCN_T_SECTION,
     AT(every),
     .table = &scn_table_application_template},
};
const struct scn_table scn_table_demand = {
    .name = "demand",
    .fields = demand_fields,
    .field_count = COUNT_OF(demand_fields),
    .item_bytes = sizeof(struct scn_demand),
    .kind = SCN_KIND_DEMAND,
    .needs =
        "\"anyOf\": [{\"required\": [\"table\"]}, {\"required\": [\"matrix\"]}, {\"required\": "
        "[\"pairs\"]}, {\"required\": [\"gravity\", \"weights\"]}]"};
#undef STRUCT

/* ---- applications ---- */

static struct scn_tree *text_put(struct scn_ctx *ctx, struct scn_tree *map, const char *key,
                                 const struct scn_tree *value)
{
    struct scn_tree *child = scn_tree_add(ctx, map, key, value->place);
    if (child != NULL) {
        child->plain = true;
        child->text = value->text;
        child->place = value->place;
    }
    return child;
}

/* Appends what the template says and the application does not. The chain of the template's keys is
 * shared by all applications that have none of them. */
void scn_demand_template(const struct scn_made *made, struct scn_tree *application)
{
    const struct scn_tree *every = made->every;
    if (every == NULL || every->kind != SCN_TREE_MAP || every->count == 0) {
        return;
    }
    bool shared = true;
    for (const struct scn_tree *key = every->first; key != NULL && shared; key = key->next) {
        shared = scn_tree_find(application, key->key) == NULL;
    }
    if (shared && application->last != NULL) {
        application->last->next = every->first;
        application->last = every->last;
        application->count += every->count;
        return;
    }
    for (const struct scn_tree *key = every->first; key != NULL; key = key->next) {
        if (scn_tree_find(application, key->key) == NULL) {
            (void)scn_tree_share(made->ctx, application, key);
        }
    }
}

/* <demand>:<from>-<to>, with .2, .3 ... for further ones of the same pair. */
static void id_add(const struct scn_made *made, struct scn_tree *application, const char *from,
                   const char *to, size_t again)
{
    char number[24] = "";
    if (again > 1) {
        (void)snprintf(number, sizeof number, ".%zu", again);
    }
    size_t len = strlen(made->id) + strlen(from) + strlen(to) + strlen(number) + 2;
    struct scn_tree *id = scn_tree_add(made->ctx, application, "id", made->item->place);
    if (id == NULL) {
        return;
    }
    id->plain = true;
    id->text = "";
    if (len >= SCN_ID_SIZE) {
        scn_mistake(made->ctx, made->item->place,
                    "the id '%s:%s-%s' is longer than %d letters: expected a shorter id of the "
                    "demand or of these nodes",
                    made->id, from, to, SCN_ID_SIZE - 1);
        id->text = "-"; /* said already */
        return;
    }
    id->text = scn_expand_text(made->ctx, "%s:%s-%s%s", made->id, from, to, number);
}

/* An application between two nodes; the key that says how much is added by the caller. */
struct scn_tree *scn_demand_pair(const struct scn_made *made, const struct scn_tree *from,
                                 const struct scn_tree *to)
{
    struct scn_tree *application = scn_tree_add(made->ctx, made->list, NULL, made->item->place);
    if (application == NULL) {
        return NULL;
    }
    application->kind = SCN_TREE_MAP;
    application->text = NULL;
    id_add(made, application, from->text, to->text, 1);
    (void)text_put(made->ctx, application, "from", from);
    (void)text_put(made->ctx, application, "to", to);
    return application;
}

/* Whether so many more applications fit; a mistake if not. */
bool scn_demand_room(const struct scn_made *made, double more, struct scn_place at)
{
    bool room = (double)made->list->count + more <= SCN_MAX_APPLICATIONS;
    if (!room) {
        scn_mistake(made->ctx, at, "%.0f applications: at most %d are read in all", more,
                    SCN_MAX_APPLICATIONS);
    }
    return room;
}

/* ---- table ---- */

/* A row of the table, to be sorted by its pair. */
struct row {
    const char *from, *to;
    struct scn_tree *application;
    size_t number;
};

static int row_compare(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    int order = strcmp(x->from, y->from);
    order = order != 0 ? order : strcmp(x->to, y->to);
    return order != 0 ? order : (x->number < y->number ? -1 : 1);
}

static const char *text_of(const struct scn_tree *map, const char *key)
{
    const struct scn_tree *value = scn_tree_find(map, key);
    return value == NULL || value->text == NULL ? "" : value->text;
}

/* Ids for the rows that have none, in the order of the table within each pair. */
static void rows_name(const struct scn_made *made, struct row *rows, size_t count)
{
    qsort(rows, count, sizeof *rows, row_compare);
    size_t again = 0;
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && strcmp(rows[i - 1].from, rows[i].from) == 0 &&
                    strcmp(rows[i - 1].to, rows[i].to) == 0;
        again = same ? again + 1 : 1;
        if (scn_tree_find(rows[i].application, "id") == NULL) {
            id_add(made, rows[i].application, rows[i].from, rows[i].to, again);
        }
    }
}

static void table_expand(const struct scn_made *made, const struct scn_tree *name)
{
    struct scn_tree *table = scn_ctx_new(made->ctx, sizeof *table);
    if (table == NULL) {
        return;
    }
    *table = *name;
    scn_tree_table(made->ctx, table);
    struct row *rows = scn_ctx_new(made->ctx, (table->count + 1) * sizeof *rows);
    if (rows == NULL || !scn_demand_room(made, (double)table->count, name->place)) {
        return;
    }
    size_t count = 0;
    for (const struct scn_tree *row = table->first; row != NULL; row = row->next) {
        struct scn_tree *application = scn_tree_share(made->ctx, made->list, row);
        if (application == NULL) {
            return;
        }
        rows[count] = (struct row){text_of(row, "from"), text_of(row, "to"), application, count};
        count++;
    }
    rows_name(made, rows, count);
    for (size_t i = 0; i < count; i++) {
        scn_demand_template(made, rows[i].application);
    }
}

/* ---- matrix ---- */

struct matrix {
    struct scn_csv csv;
    const char *key, *unit; /* of the first cell */
    struct scn_tree *to;    /* nodes of the columns */
    size_t columns;         /* with the first one */
};

static bool matrix_header(const struct scn_made *made, struct matrix *m)
{
    static const char *const keys[] = {"rate", "key_rate", "volume"};
    if (!scn_csv_heading(&m->csv, 0, &m->key, &m->unit)) {
        return false;
    }
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        known = known || strcmp(m->key, keys[i]) == 0;
    }
    if (!known) {
        scn_mistake(made->ctx, scn_csv_place(&m->csv, 0),
                    "the first cell of a matrix says what its numbers are: expected 'rate (/s)', "
                    "'key_rate (kbit/s)' or 'volume (Mbit)', say");
        return false;
    }
    m->columns = m->csv.count;
    m->to = scn_ctx_new(made->ctx, m->columns * sizeof *m->to);
    for (size_t i = 1; i < m->columns && m->to != NULL; i++) {
        m->to[i].text = m->csv.cells[i];
        m->to[i].place = scn_csv_place(&m->csv, i);
    }
    return m->to != NULL;
}

/* Whether a cell says that there is no demand: empty or 0. */
static bool cell_is_zero(const char *cell)
{
    char *end = NULL;
    double number = strtod(cell, &end);
    return *end == '\0' && (cell[0] == '\0' || (number >= 0 && number <= 0)); /* a NAN is not 0 */
}

static void matrix_row(const struct scn_made *made, struct matrix *m)
{
    struct scn_tree from = {.text = m->csv.cells[0], .place = scn_csv_place(&m->csv, 0)};
    for (size_t i = 1; i < m->columns; i++) {
        if (cell_is_zero(m->csv.cells[i])) {
            continue;
        }
        struct scn_place at = scn_csv_place(&m->csv, i);
        struct scn_tree to = m->to[i];
        if (strcmp(to.text, from.text) == 0) {
            scn_mistake(made->ctx, at, "a demand of node '%s' on itself: expected 0 or nothing",
                        from.text);
            continue;
        }
        struct scn_tree *application = scn_demand_room(made, 1, at)
                                           ? scn_demand_pair(made, &from, &to)
                                           : NULL;
        if (application == NULL) {
            return;
        }
        struct scn_tree *value = scn_tree_add(made->ctx, application, m->key, at);
        if (value != NULL) {
            value->plain = true;
            value->text = scn_expand_text(made->ctx, "%.60s%s%.30s", m->csv.cells[i],
                                          m->unit[0] == '\0' ? "" : " ", m->unit);
        }
        scn_demand_template(made, application);
    }
}

static void matrix_expand(const struct scn_made *made, const struct scn_tree *name)
{
    struct scn_place at = name->place;
    char *text = scn_csv_read(made->ctx, name->text, &at);
    struct matrix *m = text == NULL ? NULL : scn_ctx_new(made->ctx, sizeof *m);
    if (m == NULL) {
        return;
    }
    scn_csv_init(&m->csv, made->ctx, text, at);
    if (!scn_csv_next(&m->csv)) {
        if (!m->csv.failed) {
            scn_mistake(made->ctx, at, "the matrix is empty: expected a header line with nodes");
        }
    } else if (matrix_header(made, m)) {
        while (scn_csv_next(&m->csv)) {
            if (m->csv.count == m->columns) {
                matrix_row(made, m);
            } else {
                scn_mistake(made->ctx, m->csv.place, "%zu cells, but the header has %zu columns",
                            m->csv.count, m->columns);
            }
        }
    }
}

/* ---- all of them ---- */

/* Which of the ways a demand goes; NULL and a mistake if it is not one. */
static const struct scn_tree *way_of(const struct scn_made *made)
{
    static const char *const ways[] = {"table", "matrix", "pairs", "gravity"};
    const struct scn_tree *way = NULL;
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const struct scn_tree *found = scn_tree_find(made->item, ways[i]);
        if (found != NULL) {
            way = found;
            count++;
        }
    }
    if (count != 1) {
        scn_mistake(made->ctx, made->item->place, "expected one of table, matrix, pairs, gravity%s",
                    count == 0 ? "" : ": several are given");
        return NULL;
    }
    static const char *const parts[][2] = {{"nodes", "pairs"}, {"weights", "gravity"}};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const struct scn_tree *part = scn_tree_find(made->item, parts[i][0]);
        if (part != NULL && strcmp(way->key, parts[i][1]) != 0) {
            scn_mistake(made->ctx, part->place, "%s has no meaning without %s", parts[i][0],
                        parts[i][1]);
        }
    }
    bool file = strcmp(way->key, "table") == 0 || strcmp(way->key, "matrix") == 0;
    if (file && (way->kind != SCN_TREE_SCALAR || scn_tree_is_null(way) || way->text[0] == '\0')) {
        scn_mistake(made->ctx, way->place, "%s: expected the name of a CSV file", way->key);
        return NULL;
    }
    return way;
}

static void demand_expand(const struct scn_made *made, const struct scn_demand *demand,
                          const struct scn_tree *network)
{
    const struct scn_tree *way = way_of(made);
    if (way == NULL || made->id[0] == '\0') {
        return; /* a mistake already */
    }
    if (strcmp(way->key, "table") == 0) {
        table_expand(made, way);
    } else if (strcmp(way->key, "matrix") == 0) {
        matrix_expand(made, way);
    } else if (demand->pairs >= 0) {
        scn_demand_pairs(made, demand, network);
    } else if (demand->gravity_bps > 0) {
        scn_demand_gravity(made, demand);
    }
}

void scn_demands_expand(struct scn_ctx *ctx, struct scn_tree *root)
{
    struct scn_demands demands = {NULL, 0};
    struct scn_tree *network = scn_tree_find(root, "network");
    if (scn_tree_find(root, "demands") == NULL) {
        return;
    }
    scn_decode_early(ctx, &scn_table_scenario, root, "demands", &demands);
    if (demands.count > 0 && network != NULL && network->kind == SCN_TREE_MAP) {
        (void)scn_expand_list(ctx, network, "nodes"); /* no CSV file any more */
    }
    struct scn_tree *list = demands.count > 0 ? scn_expand_list(ctx, root, "applications") : NULL;
    for (size_t i = 0; i < demands.count; i++) {
        const struct scn_tree *item = ctx->items[SCN_KIND_DEMAND].trees[i];
        struct scn_made made = {.ctx = ctx,
                                .item = item,
                                .every = scn_tree_find(item, "application"),
                                .list = list,
                                .id = demands.items[i].id};
        if (list != NULL && item->kind == SCN_TREE_MAP) {
            demand_expand(&made, &demands.items[i], network);
        }
        scn_mem_free(demands.items[i].every.times_ns);
        scn_mem_free(demands.items[i].every.profile);
    }
    scn_mem_free(demands.items);
}
