/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers of a scenario: what a cell of X.1712 says of one is filled in, and what does not go
 * together is refused. Measures that are off become the set that elements get. */
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"

enum { DELAY_NS = 100000000 };

/* ---- values with a form of their own ---- */

static bool is_name(struct scn_ctx *ctx, const struct scn_tree *value, const char *of)
{
    bool good = value->kind == SCN_TREE_SCALAR && !scn_tree_is_null(value);
    if (!good) {
        scn_mistake(ctx, value->place, "expected %s", of);
    }
    return good;
}

/* Whether an attack of this cell has been built. */
static bool is_built(size_t cell)
{
    return scn_variant_find(scn_cells[cell].id, NULL) != SIZE_MAX;
}

static void cell_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_attack *attack = base;
    attack->cell = SCN_CELLS;
    if (value == NULL || !is_name(ctx, value, "the id of a cell, such as D-K2-1")) {
        return;
    }
    const char *built[SCN_CELLS];
    size_t count = 0;
    for (size_t i = 0; i < SCN_CELLS; i++) {
        if (is_built(i)) {
            built[count++] = scn_cells[i].id;
        }
    }
    char hint[SCN_NAME_SIZE];
    size_t cell = scn_cell_find(value->text);
    if (cell == SCN_CELLS) {
        scn_mistake(ctx, value->place, "unknown cell '%.64s': expected one such as E-K2-1%s",
                    value->text, scn_hint(hint, scn_nearest(value->text, built, count)));
    } else if (!is_built(cell)) {
        scn_mistake(ctx, value->place, "no attack of cell %s is available in this version%s",
                    scn_cells[cell].id, scn_hint(hint, scn_nearest(value->text, built, count)));
    } else {
        attack->cell = (uint32_t)cell;
    }
}

static bool cell_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                       const void *base)
{
    const struct scn_attack *attack = base;
    (void)scenario;
    if (attack->cell < SCN_CELLS) {
        scn_buffer_quoted(out, scn_cells[attack->cell].id);
    }
    return attack->cell < SCN_CELLS;
}

static void link_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_attack *attack = base;
    attack->link = UINT32_MAX;
    if (value != NULL && is_name(ctx, value, "the id of a link")) {
        attack->link = scn_ref_find(ctx, SCN_KIND_LINK, value->text, value->place);
    }
}

static bool link_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                       const void *base)
{
    const struct scn_attack *attack = base;
    if (attack->link != UINT32_MAX) {
        scn_buffer_quoted(out, scenario->links[attack->link].id);
    }
    return attack->link != UINT32_MAX;
}

static void application_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_attack *attack = base;
    attack->application = UINT32_MAX;
    if (value != NULL && is_name(ctx, value, "the id of an application")) {
        attack->application = scn_ref_find(ctx, SCN_KIND_APPLICATION, value->text, value->place);
    }
}

static bool application_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                              const void *base)
{
    const struct scn_attack *attack = base;
    if (attack->application != UINT32_MAX) {
        scn_buffer_quoted(out, scenario->applications[attack->application].id);
    }
    return attack->application != UINT32_MAX;
}

const struct scn_special scn_special_attack_cell = {
    cell_decode, cell_print, "\"type\": \"string\", \"pattern\": \"^[ESDXO]-[A-Z0-9&-]{1,4}$\""};
const struct scn_special scn_special_attack_link = {link_decode, link_print, SCN_SCHEMA_ID};
const struct scn_special scn_special_attack_application = {application_decode, application_print,
                                                           SCN_SCHEMA_ID};

/* ---- what a cell says ---- */

static struct scn_place place(const struct scn_ctx *ctx, size_t i, const char *key)
{
    return scn_place_of(ctx, SCN_KIND_ATTACK, i, key);
}

/* A word of the attack that the cell gives too: the same, or a mistake. */
static int cell_word(struct scn_ctx *ctx, size_t i, const char *key, int given, int of_cell)
{
    if (given >= 0 && given != of_cell) {
        scn_mistake(ctx, place(ctx, i, key),
                    "%s is another one than that of the cell: expected it without, or without cell",
                    key);
    }
    return of_cell;
}

static void cell_fill(struct scn_ctx *ctx, size_t i)
{
    struct scn_attack *attack = &ctx->scenario->attacks[i];
    const struct scn_cell *cell = &scn_cells[attack->cell];
    size_t number = scn_variant_find(cell->id, attack->variant);
    if (number == SIZE_MAX) {
        const char *names[SCN_CELLS] = {""};
        size_t count = 0;
        for (size_t k = 0; k < scn_variant_count && count < SCN_CELLS; k++) {
            if (strcmp(scn_variants[k].cell, cell->id) == 0) {
                names[count++] = scn_variants[k].name;
            }
        }
        char hint[SCN_NAME_SIZE];
        scn_mistake(ctx, place(ctx, i, "variant"),
                    "cell %s has no variant '%s': expected one such as '%s'%s", cell->id,
                    attack->variant, names[0],
                    scn_hint(hint, scn_nearest(attack->variant, names, count)));
        return;
    }
    const struct scn_variant *v = &scn_variants[number];
    (void)snprintf(attack->variant, sizeof attack->variant, "%s", v->name);
    attack->surface = (enum scn_surface)cell_word(ctx, i, "surface", (int)attack->surface,
                                                  (int)cell->surface);
    attack->class = (enum scn_capability)cell_word(ctx, i, "class", (int)attack->class,
                                                   (int)v->class);
    attack->what = (enum scn_attack_what)cell_word(ctx, i, "what", (int)attack->what, (int)v->what);
    attack->message = (enum scn_message_kind)cell_word(ctx, i, "message", (int)attack->message,
                                                       (int)v->message);
    attack->probability = attack->probability < 0 ? v->percent / 100.0 : attack->probability;
    attack->part = (enum scn_part)cell_word(ctx, i, "part", (int)attack->part, (int)v->part);
    if (v->what == SCN_ATTACK_FLOOD) {
        attack->flood = (enum scn_flood)cell_word(ctx, i, "flood", (int)attack->flood,
                                                  (int)v->flood);
    }
}

/* ---- checks ---- */

/* Without a cell: what must be said, and what follows from it. */
static void plain_fill(struct scn_ctx *ctx, size_t i)
{
    struct scn_attack *attack = &ctx->scenario->attacks[i];
    bool listens = attack->what == SCN_ATTACK_LISTEN;
    bool at_disk = attack->what == SCN_ATTACK_IMAGE || attack->what == SCN_ATTACK_ROT ||
                   attack->what == SCN_ATTACK_DESTROY;
    bool floods = attack->what == SCN_ATTACK_FLOOD;
    if ((int)attack->surface < 0 || (int)attack->what < 0) {
        if (!scn_given(ctx, SCN_KIND_ATTACK, i, "surface") ||
            !scn_given(ctx, SCN_KIND_ATTACK, i, "what")) {
            scn_mistake(ctx, place(ctx, i, ""), "expected a cell, or surface and what");
        }
        return;
    }
    if (attack->variant[0] != '\0') {
        scn_mistake(ctx, place(ctx, i, "variant"), "variant: expected with a cell only");
    }
    if ((int)attack->class < 0) {
        attack->class = listens   ? SCN_CAPABILITY_P
                        : at_disk ? SCN_CAPABILITY_X
                        : floods  ? SCN_CAPABILITY_F
                                  : SCN_CAPABILITY_A;
    }
    bool passive = attack->class == SCN_CAPABILITY_P || attack->class == SCN_CAPABILITY_Q;
    if (listens != passive || at_disk != (attack->class == SCN_CAPABILITY_X) ||
        floods != (attack->class == SCN_CAPABILITY_F)) {
        scn_mistake(ctx, place(ctx, i, "class"), "class: expected %s",
                    listens   ? "P or Q, as it listens"
                    : at_disk ? "X, as it reaches a machine"
                    : floods  ? "F, as it floods"
                              : "A, as it does more than listen");
    }
    attack->flood = floods && (int)attack->flood < 0 ? SCN_FLOOD_JUNK : attack->flood;
    attack->probability = attack->probability < 0 ? 1 : attack->probability;
    attack->message = (int)attack->message < 0 ? SCN_MESSAGE_ANY : attack->message;
    attack->part = (int)attack->part < 0 ? SCN_PART_ANY : attack->part;
}

static void keys_check(struct scn_ctx *ctx, size_t i)
{
    static const struct {
        const char *key;
        uint32_t whats;
        const char *expected;
    } keys[] = {
        {"delay", 1U << SCN_ATTACK_DELAY | 1U << SCN_ATTACK_REPLAY, "with delay or replay only"},
        {"mask", 1U << SCN_ATTACK_FLIP, "with flip only"},
        {"bytes", 1U << SCN_ATTACK_FLIP, "with flip only"},
        {"flood", 1U << SCN_ATTACK_FLOOD, "with flood only"},
        {"rate", 1U << SCN_ATTACK_FLOOD, "with flood only"},
    };
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_attack *attack = &s->attacks[i];
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        if (scn_given(ctx, SCN_KIND_ATTACK, i, keys[k].key) &&
            (keys[k].whats >> attack->what & 1) == 0) {
            scn_mistake(ctx, place(ctx, i, keys[k].key), "%s is not for what it does: expected %s",
                        keys[k].key, keys[k].expected);
        }
    }
    if (attack->part != SCN_PART_ANY && attack->what != SCN_ATTACK_FLIP) {
        scn_mistake(ctx, place(ctx, i, "part"), "part: expected with flip only");
    }
    if (attack->what == SCN_ATTACK_FLOOD && attack->flood == SCN_FLOOD_REQUESTS &&
        attack->surface != SCN_SURFACE_A1) {
        scn_mistake(ctx, place(ctx, i, "surface"), "surface: expected A1, for a flood of requests");
    }
    bool at_ksa = attack->surface == SCN_SURFACE_A1 || attack->surface == SCN_SURFACE_KSA;
    bool asks = attack->what == SCN_ATTACK_STEAL || attack->what == SCN_ATTACK_PROBE ||
                attack->what == SCN_ATTACK_DELETE;
    if (asks && !at_ksa) {
        scn_mistake(ctx, place(ctx, i, "surface"),
                    "surface: expected A1 or KSA, for steal, probe and delete");
    }
    bool at_machine = attack->surface == SCN_SURFACE_KMA || attack->surface == SCN_SURFACE_KSA;
    if (attack->class == SCN_CAPABILITY_X && !at_machine) {
        scn_mistake(ctx, place(ctx, i, "surface"),
                    "surface: expected KMA or KSA, for image, rot and destroy");
    }
    bool elsewhere = attack->surface == SCN_SURFACE_K3 || attack->surface == SCN_SURFACE_C ||
                     attack->surface == SCN_SURFACE_M || attack->surface == SCN_SURFACE_CM ||
                     at_machine;
    if (attack->what == SCN_ATTACK_USURP && !elsewhere) {
        scn_mistake(ctx, place(ctx, i, "surface"),
                    "surface: expected K3, C, M, C&M, KMA or KSA, for usurp");
    }
    if (attack->at_ns >= s->duration_ns) {
        scn_mistake(ctx, place(ctx, i, "at"),
                    "the attack begins when the run is over: expected a time before its end");
    }
    if (attack->application != UINT32_MAX && !at_ksa) {
        scn_mistake(ctx, place(ctx, i, "application"),
                    "application: expected at surface A1 or KSA only");
    }
}

/* What was not said of how it does it. */
static void details_fill(struct scn_attack *attack)
{
    bool later = attack->what == SCN_ATTACK_DELAY || attack->what == SCN_ATTACK_REPLAY;
    bool flips = attack->what == SCN_ATTACK_FLIP;
    attack->delay_ns = later && attack->delay_ns == 0 ? DELAY_NS : attack->delay_ns;
    attack->mask = flips && attack->mask == 0 ? 1 : attack->mask;
    attack->bytes = flips && attack->bytes == 0 ? 1 : attack->bytes;
}

static void id_make(struct scn_ctx *ctx, size_t i)
{
    struct scn_scenario *s = ctx->scenario;
    struct scn_attack *attack = &s->attacks[i];
    if (attack->id[0] == '\0') {
        (void)snprintf(attack->id, sizeof attack->id, "attack-%zu", i + 1);
    }
    bool given = scn_given(ctx, SCN_KIND_ATTACK, i, "id");
    for (size_t k = 0; k < i; k++) { /* two that were written are a mistake already */
        if (strcmp(s->attacks[k].id, attack->id) == 0 &&
            !(given && scn_given(ctx, SCN_KIND_ATTACK, k, "id"))) {
            scn_mistake(ctx, place(ctx, i, "id"), "attack '%s' is there twice: expected unique ids",
                        attack->id);
            return;
        }
    }
}

void scn_attacks_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->attack_count; i++) {
        id_make(ctx, i);
        size_t before = ctx->mistake_count;
        if (s->attacks[i].cell < SCN_CELLS) {
            cell_fill(ctx, i);
        } else if (!scn_given(ctx, SCN_KIND_ATTACK, i, "cell")) {
            plain_fill(ctx, i);
        }
        if (ctx->mistake_count == before && (int)s->attacks[i].what >= 0) {
            keys_check(ctx, i);
            details_fill(&s->attacks[i]);
        }
    }
    for (uint32_t m = 0; m < QKD_MEASURE_COUNT; m++) {
        s->measures_off |= s->measures[m] != 0 ? 0 : UINT32_C(1) << m;
    }
}

uint32_t scn_attack_flooder(const struct scn_scenario *scenario)
{
    uint32_t count = (uint32_t)scenario->application_count;
    for (uint32_t i = count; i-- > 0;) {
        for (uint32_t k = 0; k < count; k++) {
            if (k != i && scenario->applications[k].from == scenario->applications[i].from) {
                return i;
            }
        }
    }
    return count - 1;
}

bool scn_attack_disturbs(const struct scn_attack *attack)
{
    switch (attack->what) {
    case SCN_ATTACK_LISTEN:
    case SCN_ATTACK_POSE:
    case SCN_ATTACK_USURP:
    case SCN_ATTACK_STEAL:
    case SCN_ATTACK_PROBE:
    case SCN_ATTACK_DELETE:
    case SCN_ATTACK_IMAGE:
        return false;
    default:
        return true;
    }
}

uint32_t scn_attack_find(const struct scn_scenario *scenario, const char *id)
{
    for (uint32_t i = 0; i < scenario->attack_count; i++) {
        if (strcmp(scenario->attacks[i].id, id) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}
