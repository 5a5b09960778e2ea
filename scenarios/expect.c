/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expectations as they are written:
 *
 *   FIGURE [from TIME] [to TIME] OPERATOR NUMBER [+- NUMBER]
 *   FIGURE: name, link[ID].name, application[ID].name, or min(...), max(...), mean(...), sum(...)
 *   of link[PATTERN].name or application[PATTERN].name
 *
 * Here they are taken apart; expect_resolve.c finds what they name. Whether there is a figure of
 * that name is known to analysis alone, which has the tables of figures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"

#define FORM                                                                                       \
    "expected 'figure operator number', such as 'served_fraction >= 0.99' or "                     \
    "'link[AB].pool_min_bits from 1 min to 5 min > 0'"

static const struct scn_word words_aggregate[] = {{"min", SCN_OF_MIN},
                                                  {"max", SCN_OF_MAX},
                                                  {"mean", SCN_OF_MEAN},
                                                  {"sum", SCN_OF_SUM},
                                                  {NULL, 0}};

static const struct scn_word words_scope[] = {{"link", SCN_SCOPE_LINK},
                                              {"application", SCN_SCOPE_APPLICATION},
                                              {"event", SCN_SCOPE_EVENT},
                                              {"attack", SCN_SCOPE_ATTACK},
                                              {NULL, 0}};

/* An expectation under construction; each step below returns what is wrong with it, or NULL. */
struct parts {
    struct scn_expect *expect;
    char left[SCN_EXPECT_SIZE]; /* before the operator; cut into pieces */
    char *figure, *from, *to;   /* pieces of it; from and to may be NULL */
    const char *right;          /* the number and what follows */
    char number[SCN_EXPECT_SIZE];
    char tolerance[SCN_EXPECT_SIZE]; /* "" if there is none */
};

/* Takes "<", "<=", "==", "!=", ">=" or ">" at the start of the text; its length, 0 if none. */
static size_t compare_read(const char *text, enum scn_compare *compare)
{
    size_t best = 0;
    for (const struct scn_word *w = scn_words_compare; w->word != NULL; w++) {
        size_t len = strlen(w->word);
        if (len > best && strncmp(text, w->word, len) == 0) {
            best = len;
            *compare = (enum scn_compare)w->value;
        }
    }
    return best;
}

/* Removes blanks at both ends, in place. */
static char *trim(char *text)
{
    text += strspn(text, " ");
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == ' ') {
        text[--len] = '\0';
    }
    return text;
}

/* Finds the operator: the first one that is not in brackets. */
static const char *sides_split(struct parts *parts, const char *text)
{
    size_t len = 0;
    for (bool inside = false; text[len] != '\0'; len++) {
        inside = text[len] == '[' || (inside && text[len] != ']');
        if (!inside && strchr("<>=!", text[len]) != NULL) {
            break;
        }
    }
    size_t compare_len = compare_read(text + len, &parts->expect->compare);
    if (len == 0 || compare_len == 0) {
        return FORM;
    }
    memcpy(parts->left, text, len);
    parts->left[len] = '\0';
    parts->right = text + len + compare_len;
    return NULL;
}

/* Cuts the left side into figure, from and to. */
static void left_split(struct parts *parts)
{
    char *to = strstr(parts->left, " to ");
    if (to != NULL) {
        *to = '\0';
        parts->to = trim(to + 4);
    }
    char *from = strstr(parts->left, " from ");
    if (from != NULL) {
        *from = '\0';
        parts->from = trim(from + 6);
    }
    parts->figure = trim(parts->left);
}

/* ---- the figure ---- */

static const char *figure_name_check(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '[') {
            c += strcspn(c, "]");
            if (*c == '\0') {
                return "a bracket is not closed";
            }
        } else if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", *c) == NULL) {
            return FORM;
        }
    }
    return name[0] == '\0' ? FORM : NULL;
}

static const char *via_read(struct scn_expect *expect, const char *id)
{
    size_t len = strcspn(id, "]");
    if (len == 0 || len >= sizeof expect->via || strcmp(id + len, "]") != 0) {
        return "expected via[LINK], with the id of a link";
    }
    memcpy(expect->via, id, len);
    expect->via[len] = '\0';
    memcpy(expect->figure, "via", sizeof "via");
    return NULL;
}

/* What stands after link[ID]. or alone: "latency_s.p95", "via[AB]". */
static const char *name_read(struct scn_expect *expect, const char *name)
{
    if (strncmp(name, "via[", 4) == 0) {
        return expect->scope == SCN_SCOPE_LINK ? "a link has no via[...]"
                                               : via_read(expect, name + 4);
    }
    const char *wrong = figure_name_check(name);
    if (wrong == NULL) {
        snprintf(expect->figure, sizeof expect->figure, "%s", name);
    }
    return wrong;
}

/* "link[AB].name": its length up to the name, 0 if there are no such brackets. */
static const char *scope_read(struct scn_expect *expect, const char *path, size_t *length)
{
    size_t len = strcspn(path, "[.");
    *length = 0;
    expect->scope = SCN_SCOPE_RUN;
    if (path[len] != '[' || strncmp(path, "via[", 4) == 0) {
        return NULL;
    }
    for (const struct scn_word *w = words_scope; w->word != NULL; w++) {
        if (strlen(w->word) == len && strncmp(path, w->word, len) == 0) {
            expect->scope = (enum scn_scope)w->value;
        }
    }
    if (expect->scope == SCN_SCOPE_RUN) {
        return "only link[ID], application[ID], event[NAME], attack[ID] and via[ID] have brackets";
    }
    const char *id = path + len + 1;
    size_t id_len = strcspn(id, "]");
    if (id_len == 0 || id_len >= sizeof expect->pattern || id[id_len] != ']' ||
        id[id_len + 1] != '.') {
        return "expected an id in brackets and the name of a figure, as in link[AB].up_end";
    }
    memcpy(expect->pattern, id, id_len);
    expect->pattern[id_len] = '\0';
    *length = len + id_len + 3;
    return NULL;
}

static const char *figure_read(struct scn_expect *expect, char *figure)
{
    size_t len = strcspn(figure, "([.");
    expect->aggregate = SCN_OF_ONE;
    char *path = figure;
    if (figure[len] == '(') {
        figure[len] = '\0';
        const char *word = trim(figure);
        for (const struct scn_word *w = words_aggregate; w->word != NULL; w++) {
            if (strcmp(w->word, word) == 0) {
                expect->aggregate = (enum scn_aggregate)w->value;
            }
        }
        path = figure + len + 1;
        size_t path_len = strlen(path);
        if (expect->aggregate == SCN_OF_ONE || path_len == 0 || path[path_len - 1] != ')') {
            return "expected min(...), max(...), mean(...) or sum(...)";
        }
        path[path_len - 1] = '\0';
        path = trim(path);
    }
    size_t scope_len = 0;
    const char *wrong = scope_read(expect, path, &scope_len);
    if (wrong != NULL) {
        return wrong;
    }
    if (expect->aggregate != SCN_OF_ONE && expect->scope == SCN_SCOPE_RUN) {
        return "min, max, mean and sum are over link[*], application[*], event[*] or attack[*]";
    }
    if (expect->aggregate == SCN_OF_ONE && strchr(expect->pattern, '*') != NULL) {
        return "with * say of which: min(link[*].up_end), max(...), mean(...) or sum(...)";
    }
    return name_read(expect, path + scope_len);
}

/* ---- the window ---- */

static const char *window_read(const struct scn_scenario *scenario, struct parts *parts)
{
    struct scn_expect *expect = parts->expect;
    expect->has_window = parts->from != NULL || parts->to != NULL;
    expect->from_ns = scenario->warmup_ns;
    expect->to_ns = SCN_FOREVER;
    if ((parts->from != NULL &&
         scn_integer_parse(SCN_DIM_TIME, parts->from, &expect->from_ns) != NULL) ||
        (parts->to != NULL && scn_integer_parse(SCN_DIM_TIME, parts->to, &expect->to_ns) != NULL)) {
        return "expected a window such as 'from 10 min to 15 min'";
    }
    if (expect->from_ns < 0 || expect->from_ns >= expect->to_ns) {
        return "the window is empty: expected a time after its beginning";
    }
    bool late = expect->from_ns >= scenario->duration_ns ||
                (parts->to != NULL && expect->to_ns > scenario->duration_ns);
    if (expect->has_window && expect->scope == SCN_SCOPE_EVENT) {
        return "an event has no window: its figures are of the whole run";
    }
    if (expect->has_window && expect->scope == SCN_SCOPE_ATTACK) {
        return "an attack has no window: its figures are of the whole run";
    }
    if (expect->has_window && scenario->duration_ns > 0 && late) {
        return "the window is longer than the run";
    }
    return NULL;
}

/* ---- the number ---- */

static bool names(const char *figure, const char *unit)
{
    const char *found = strstr(figure, unit);
    const char *end = found == NULL ? NULL : found + strlen(unit);
    return end != NULL && (*end == '\0' || *end == '.');
}

/* The unit in which a number may be written is that of the figure's name. */
static enum scn_dimension dimension_of(const char *figure)
{
    if (names(figure, "_s")) {
        return SCN_DIM_TIME;
    }
    if (names(figure, "_bits") || strncmp(figure, "bits.", 5) == 0 ||
        strncmp(figure, "keys.", 5) == 0 || strncmp(figure, "supplied_by_grade.", 18) == 0) {
        return SCN_DIM_BITS;
    }
    if (names(figure, "_bps")) {
        return SCN_DIM_RATE;
    }
    bool fraction = names(figure, "_fraction") || strcmp(figure, "via") == 0;
    return fraction ? SCN_DIM_FRACTION : SCN_DIM_REAL;
}

static bool number_parse(const char *figure, const char *text, double *value)
{
    enum scn_dimension dimension = dimension_of(figure);
    int64_t whole = 0;
    if (scn_real_parse(SCN_DIM_REAL, text, value) == NULL) {
        return true;
    }
    if (dimension == SCN_DIM_FRACTION) {
        return scn_real_parse(dimension, text, value) == NULL;
    }
    if (dimension == SCN_DIM_REAL || scn_integer_parse(dimension, text, &whole) != NULL) {
        return false;
    }
    *value = (double)whole / (dimension == SCN_DIM_TIME ? 1e9 : 1);
    return true;
}

static const char *number_read(struct parts *parts)
{
    struct scn_expect *expect = parts->expect;
    snprintf(parts->number, sizeof parts->number, "%s", parts->right);
    char *sign = strstr(parts->number, "+-");
    const char *tolerance = "";
    if (sign != NULL) {
        *sign = '\0';
        tolerance = trim(sign + 2);
    }
    snprintf(parts->tolerance, sizeof parts->tolerance, "%s", tolerance);
    const char *number = trim(parts->number);
    memmove(parts->number, number, strlen(number) + 1);
    if (!number_parse(expect->figure, parts->number, &expect->number)) {
        return FORM;
    }
    expect->tolerance = 0;
    if (sign == NULL) {
        return NULL;
    }
    if (expect->compare != SCN_EQ && expect->compare != SCN_NE) {
        return "only == and != have a tolerance";
    }
    if (strchr(tolerance, '%') != NULL && dimension_of(expect->figure) != SCN_DIM_FRACTION) {
        if (scn_real_parse(SCN_DIM_FRACTION, tolerance, &expect->tolerance) != NULL) {
            return FORM;
        }
        expect->tolerance *= fabs(expect->number);
    } else if (!number_parse(expect->figure, tolerance, &expect->tolerance)) {
        return FORM;
    }
    return expect->tolerance < 0 ? "the tolerance is below zero" : NULL;
}

/* ---- all of it ---- */

/* The expectation as it is printed: one form for what is the same. */
static bool text_make(struct parts *parts)
{
    static const char *const opening[] = {"", "min(", "max(", "mean(", "sum("};
    static const char *const scopes[] = {"", "link[", "application[", "event[", "attack["};
    struct scn_expect *e = parts->expect;
    char from[SCN_QUANTITY_SIZE], to[SCN_QUANTITY_SIZE];
    scn_integer_print(SCN_DIM_TIME, e->from_ns, from);
    scn_integer_print(SCN_DIM_TIME, e->to_ns, to);
    bool run = e->scope == SCN_SCOPE_RUN;
    bool via = e->via[0] != '\0';
    int len = snprintf(e->text, sizeof e->text, "%s%s%s%s%s%s%s%s%s%s%s%s%s %s %s%s%s",
                       opening[e->aggregate], scopes[e->scope], e->pattern, run ? "" : "].",
                       e->figure, via ? "[" : "", e->via, via ? "]" : "",
                       e->aggregate == SCN_OF_ONE ? "" : ")", parts->from == NULL ? "" : " from ",
                       parts->from == NULL ? "" : from, parts->to == NULL ? "" : " to ",
                       parts->to == NULL ? "" : to, scn_word_of(scn_words_compare, (int)e->compare),
                       parts->number, parts->tolerance[0] == '\0' ? "" : " +- ", parts->tolerance);
    return len >= 0 && (size_t)len < sizeof e->text;
}

static const char *expect_parse(struct parts *parts, const struct scn_scenario *scenario,
                                const char *text)
{
    if (strlen(text) >= sizeof parts->left) {
        return "too long";
    }
    const char *wrong = sides_split(parts, text + strspn(text, " "));
    if (wrong == NULL) {
        left_split(parts);
        wrong = figure_read(parts->expect, parts->figure);
    }
    if (wrong == NULL) {
        wrong = window_read(scenario, parts);
    }
    if (wrong == NULL) {
        wrong = number_read(parts);
    }
    return wrong == NULL && !text_make(parts) ? "too long" : wrong;
}

static char *where_make(struct scn_ctx *ctx, struct scn_place place)
{
    const char *source = ctx->source_count > place.source ? ctx->sources[place.source] : "";
    size_t size = strlen(source) + 32;
    char *where = scn_mem_new(size, 1);
    if (where == NULL) {
        ctx->no_memory = true;
    } else if (place.line == 0) {
        snprintf(where, size, "%s", source);
    } else {
        snprintf(where, size, "%s:%u:%u", source, (unsigned)place.line, (unsigned)place.column);
    }
    return where;
}

static bool expect_read(struct scn_ctx *ctx, const struct scn_tree *value,
                        struct scn_expect *expect)
{
    if (value->kind != SCN_TREE_SCALAR) {
        scn_mistake(ctx, value->place, "%s", FORM);
        return false;
    }
    struct parts parts = {.expect = expect};
    const char *wrong = expect_parse(&parts, ctx->scenario, value->text);
    if (wrong != NULL) {
        scn_mistake(ctx, value->place, "'%.160s': %s", value->text, wrong);
        return false;
    }
    expect->where = where_make(ctx, value->place);
    return expect->where != NULL;
}

static void expect_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_scenario *scenario = base;
    if (value == NULL || scn_tree_is_null(value)) {
        return;
    }
    if (value->kind != SCN_TREE_LIST || value->count > SCN_MAX_EXPECTS) {
        scn_mistake(ctx, value->place, "expect: expected a list of at most %d texts",
                    SCN_MAX_EXPECTS);
        return;
    }
    scenario->expects = scn_mem_new(value->count, sizeof *scenario->expects);
    ctx->expect_places = scn_ctx_new(ctx, (value->count + 1) * sizeof *ctx->expect_places);
    if (scenario->expects == NULL || ctx->expect_places == NULL) {
        ctx->no_memory = true;
        return;
    }
    for (const struct scn_tree *item = value->first; item != NULL; item = item->next) {
        ctx->expect_places[scenario->expect_count] = item->place;
        if (expect_read(ctx, item, &scenario->expects[scenario->expect_count])) {
            scenario->expect_count++;
        }
    }
}

static bool expect_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                         const void *base)
{
    (void)base;
    for (size_t i = 0; i < scenario->expect_count; i++) {
        scn_buffer_text(out, "\n  - ");
        scn_buffer_quoted(out, scenario->expects[i].text);
    }
    return scenario->expect_count > 0;
}

#define PATTERN_TIME "-?[0-9.]+([eE][+-]?[0-9]+)? ?(ns|us|µs|ms|s|min|h|d)?"
#define PATTERN_NUMBER "-?[0-9.]+([eE][+-]?[0-9]+)?( *[a-zA-Zµ%/]+)?"

const struct scn_special scn_special_expect = {
    expect_decode, expect_print,
    "\"type\": [\"array\", \"null\"], \"maxItems\": 1000, \"items\": {\"type\": \"string\", "
    "\"pattern\": "
    "\"^ *((min|max|mean|sum) *\\\\( *)?([a-z0-9_.-]|\\\\[[^\\\\] ]+\\\\])+ *\\\\)?"
    "( +from +" PATTERN_TIME ")?( +to +" PATTERN_TIME ")? *(<|<=|==|!=|>=|>) *" PATTERN_NUMBER
    "( *\\\\+- *" PATTERN_NUMBER ")? *$\"}"};
