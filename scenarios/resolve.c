/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What depends on more than one key: defaults taken from elsewhere, and checks across keys, items
 * and sections. Runs after decoding, also when decoding found mistakes: indices may then be
 * UINT32_MAX, and values their defaults. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/field.h"

#define NS_PER_M 5            /* light in fibre: 5 us per km */
#define LATENCY_LEAST_NS 5000 /* of a link however short */
#define LOSS_DB_PER_M 0.0002  /* 0.2 dB/km: standard single-mode fibre at 1550 nm */
#define LEAST_PATHS 2         /* of multipath relay */
#define BLOCK_S 10            /* a block is by default what this time makes, ... */
#define BLOCK_OF_STORE 4      /* ... at most this part of the store */
#define TAG_BITS 128          /* of the frame that confirms a block; each end sends one */

struct scn_place scn_place_of(const struct scn_ctx *ctx, enum scn_kind kind, size_t index,
                              const char *path)
{
    const struct scn_tree *here = ctx->items[kind].trees[index];
    char key[SCN_ID_SIZE];
    while (path[0] != '\0') {
        size_t len = strcspn(path, ".");
        memcpy(key, path, len);
        key[len] = '\0';
        const struct scn_tree *child = scn_tree_find(here, key);
        if (child == NULL) {
            return here->place;
        }
        here = child;
        path += path[len] == '.' ? len + 1 : len;
    }
    return here->place;
}

bool scn_given(const struct scn_ctx *ctx, enum scn_kind kind, size_t index, const char *key)
{
    return scn_tree_find(ctx->items[kind].trees[index], key) != NULL;
}

enum scn_relay scn_relay_of(const struct scn_scenario *scenario, const struct scn_application *app)
{
    return app->relay < 0 ? scenario->key_management.relay : (enum scn_relay)app->relay;
}

uint32_t scn_paths_of(const struct scn_scenario *scenario, const struct scn_application *app)
{
    if (scn_relay_of(scenario, app) != SCN_RELAY_MULTIPATH) {
        return 1;
    }
    uint32_t paths = app->paths == 0 ? scenario->key_management.paths : app->paths;
    return paths == 0 ? LEAST_PATHS : paths;
}

static struct scn_place root_place(const struct scn_ctx *ctx, const char *key)
{
    const struct scn_tree *found = scn_tree_find(ctx->root, key);
    return found == NULL ? ctx->root->place : found->place;
}

static void nodes_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->node_count; i++) {
        struct scn_node *node = &s->nodes[i];
        bool lat = node->lat > -999;
        bool lon = node->lon > -999;
        if (scn_given(ctx, SCN_KIND_NODE, i, "lat") != scn_given(ctx, SCN_KIND_NODE, i, "lon")) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_NODE, i, lat ? "lat" : "lon"),
                        "lat and lon go together: one of them is missing");
        }
        node->has_geo = lat && lon;
        if (node->name[0] == '\0') {
            memcpy(node->name, node->id, sizeof node->id);
        }
    }
}

static void roles_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    const int unset = -1;
    for (size_t i = 0; i < s->application_count; i++) {
        uint32_t ends[2] = {s->applications[i].from, s->applications[i].to};
        for (size_t j = 0; j < 2; j++) {
            if (ends[j] < s->node_count && (int)s->nodes[ends[j]].role == unset) {
                s->nodes[ends[j]].role = SCN_ROLE_USER;
            }
        }
    }
    for (size_t i = 0; i < s->node_count; i++) {
        if ((int)s->nodes[i].role == unset) {
            s->nodes[i].role = SCN_ROLE_RELAY;
        }
    }
}

/* The mean key rate of a trace over the run, rounded. */
static uint64_t mean_rate(const struct scn_qkd *qkd, int64_t duration_ns)
{
    struct mdl_link_params params = {.points = qkd->trace, .count = qkd->trace_count};
    uint64_t bits = mdl_link_bits(&params, (struct qkd_time){0}, (struct qkd_time){duration_ns});
    return (uint64_t)((double)bits / ((double)duration_ns / 1e9) + 0.5);
}

static void rate_model(struct scn_ctx *ctx, size_t i)
{
    struct scn_qkd *qkd = &ctx->scenario->links[i].qkd;
    const struct scn_tree *written = scn_tree_find(ctx->items[SCN_KIND_LINK].trees[i], "qkd");
    if (written != NULL && scn_tree_find(written, "rate") == NULL) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_LINK, i, "qkd"),
                    "the key 'rate' is missing in qkd: expected a rate such as '304 kbit/s'");
    }
    if (scn_tree_find(written, "trace") != NULL) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_LINK, i, "qkd.trace"),
                    "trace is given, but the model is rate: expected 'model: trace'");
    }
    if (qkd->qber >= MDL_QBER_LIMIT) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_LINK, i, "qkd.qber"),
                    "no key at this QBER: expected less than 11 %%");
    }
    qkd->mean_bps = qkd->rate_bps;
}

static void trace_model(struct scn_ctx *ctx, size_t i)
{
    static const char *const others[] = {"rate", "qber"};
    struct scn_qkd *qkd = &ctx->scenario->links[i].qkd;
    const struct scn_tree *written = scn_tree_find(ctx->items[SCN_KIND_LINK].trees[i], "qkd");
    if (scn_tree_find(written, "trace") == NULL) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_LINK, i, "qkd"),
                    "the key 'trace' is missing in qkd: expected a CSV file or a list of points");
    }
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        const struct scn_tree *other = scn_tree_find(written, others[k]);
        if (other != NULL) {
            scn_mistake(ctx, other->place, "%s is given, but the model is trace: it says both",
                        others[k]);
        }
    }
    qkd->rate_bps = 0;
    qkd->qber = 0;
    if (qkd->trace_count > 0 && ctx->scenario->duration_ns > 0) {
        qkd->mean_bps = mean_rate(qkd, ctx->scenario->duration_ns);
    }
}

/* The least block that leaves key to both ends: half of it, in whole units, is more than a tag. */
static uint64_t block_least(const struct scn_scenario *s)
{
    uint64_t unit = s->key_management.unit_bits;
    return 2 * unit * (TAG_BITS / unit + 1);
}

/* A QKD-key file that a link will hand over. */
struct file {
    const char *what, *path; /* in a message; of its key in the link */
    uint64_t bits, least;
};

static void file_check(struct scn_ctx *ctx, size_t i, const struct file *file)
{
    const struct scn_link *link = &ctx->scenario->links[i];
    struct scn_place place = scn_place_of(ctx, SCN_KIND_LINK, i, file->path);
    if (link->qkd.key_form == SCN_KEY_BITS && file->bits > SCN_MAX_FILE_BITS) {
        scn_mistake(ctx, place,
                    "%s of %" PRIu64 " bit does not fit in a message with key_form bits: "
                    "expected at most %d bit, or key_form seed",
                    file->what, file->bits, SCN_MAX_FILE_BITS);
    }
    if (file->bits > SCN_MAX_SEED_BITS) {
        scn_mistake(ctx, place,
                    "%s of %" PRIu64 " bit is too long for one QKD-key file: expected at most "
                    "%" PRIu64 " bit",
                    file->what, file->bits, SCN_MAX_SEED_BITS);
    }
    if (file->bits < file->least) {
        scn_mistake(ctx, place,
                    "%s of %" PRIu64 " bit does not pay for its own confirmation (%d bit at "
                    "each end): expected at least %" PRIu64 " bit with units of %" PRIu32 " bit",
                    file->what, file->bits, TAG_BITS, file->least,
                    ctx->scenario->key_management.unit_bits);
    }
    if (file->bits > link->store_bits) {
        scn_mistake(ctx, place, "%s of %" PRIu64 " bit never fits in the store of %" PRIu64 " bit",
                    file->what, file->bits, link->store_bits);
    }
}

static void block_resolve(struct scn_ctx *ctx, size_t i)
{
    struct scn_link *link = &ctx->scenario->links[i];
    uint64_t least = block_least(ctx->scenario);
    uint64_t most = link->store_bits / BLOCK_OF_STORE;
    uint64_t longest = link->qkd.key_form == SCN_KEY_BITS ? SCN_MAX_FILE_BITS : SCN_MAX_SEED_BITS;
    most = most > longest ? longest : most;
    if (link->qkd.block_bits == 0) {
        uint64_t block = link->qkd.mean_bps * BLOCK_S;
        block = block > most ? most : block;
        link->qkd.block_bits = block < least ? least : block / 8 * 8;
    }
    file_check(ctx, i, &(struct file){"a block", "qkd.block", link->qkd.block_bits, least});
    if (link->initial_bits > 0) {
        file_check(ctx, i, &(struct file){"an initial key", "initial", link->initial_bits, least});
    }
}

static void links_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->link_count; i++) {
        struct scn_link *link = &s->links[i];
        if (link->loss_db < 0) {
            link->loss_db = (double)link->length_m * LOSS_DB_PER_M;
        }
        if (link->classical_bandwidth_bps == 0) {
            link->classical_bandwidth_bps = s->classical.bandwidth_bps;
        }
        if (link->classical_latency_ns < 0) {
            int64_t light_ns = link->length_m * NS_PER_M;
            link->classical_latency_ns = light_ns > LATENCY_LEAST_NS ? light_ns : LATENCY_LEAST_NS;
            if (s->classical.latency_ns >= 0) {
                link->classical_latency_ns = s->classical.latency_ns;
            }
        }
        if (link->store_bits == 0) {
            link->store_bits = s->key_management.store_bits;
        }
        if (link->qkd.model == SCN_QKD_RATE) {
            rate_model(ctx, i);
        } else {
            trace_model(ctx, i);
        }
        block_resolve(ctx, i);
    }
}

/* Links by the nodes they end at: entry 2 i is end a of link i, entry 2 i + 1 its end b. */
struct ends {
    uint32_t *first;  /* newest entry of each node, UINT32_MAX for none */
    uint32_t *next;   /* the entry before, of the same node */
    uint32_t *degree; /* entries of each node */
};

static void end_add(struct ends *ends, uint32_t node, uint32_t entry)
{
    ends->next[entry] = ends->first[node];
    ends->first[node] = entry;
    ends->degree[node]++;
}

/* A link seen before that joins the same nodes, UINT32_MAX if there is none. Searches at the end
 * that has fewer links, so that a star is not quadratic. */
static uint32_t parallel_find(const struct scn_scenario *s, const struct ends *ends, uint32_t i)
{
    const struct scn_link *link = &s->links[i];
    bool at_a = ends->degree[link->a] <= ends->degree[link->b];
    uint32_t here = at_a ? link->a : link->b;
    uint32_t there = at_a ? link->b : link->a;
    for (uint32_t e = ends->first[here]; e != UINT32_MAX; e = ends->next[e]) {
        const struct scn_link *other = &s->links[e / 2];
        if ((e % 2 == 0 ? other->b : other->a) == there) {
            return e / 2;
        }
    }
    return UINT32_MAX;
}

/* Two links between the same nodes: key stores and channels are per pair of neighbours. */
static void parallel_check(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    struct ends ends = {
        .first = scn_ctx_new(ctx, (s->node_count + 1) * sizeof *ends.first),
        .next = scn_ctx_new(ctx, (2 * s->link_count + 1) * sizeof *ends.next),
        .degree = scn_ctx_new(ctx, (s->node_count + 1) * sizeof *ends.degree),
    };
    if (ctx->no_memory) {
        return;
    }
    for (size_t i = 0; i < s->node_count; i++) {
        ends.first[i] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < s->link_count; i++) {
        const struct scn_link *link = &s->links[i];
        if (link->a >= s->node_count || link->b >= s->node_count) {
            continue;
        }
        uint32_t other = parallel_find(s, &ends, i);
        if (other != UINT32_MAX) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_LINK, i, "ends"),
                        "link '%s' joins these nodes already: expected one link per pair",
                        s->links[other].id);
        }
        end_add(&ends, link->a, 2 * i);
        end_add(&ends, link->b, 2 * i + 1);
    }
}

static uint32_t root_of(uint32_t *parent, uint32_t node)
{
    while (parent[node] != node) {
        parent[node] = parent[parent[node]]; /* path halving */
        node = parent[node];
    }
    return node;
}

/* Applications whose ends no chain of QKD links joins. */
static void connection_check(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    uint32_t *parent = scn_ctx_new(ctx, (s->node_count + 1) * sizeof *parent);
    if (parent == NULL) {
        return;
    }
    for (uint32_t i = 0; i < s->node_count; i++) {
        parent[i] = i;
    }
    for (size_t i = 0; i < s->link_count; i++) {
        if (s->links[i].a >= s->node_count || s->links[i].b >= s->node_count) {
            return; /* reported already; what it joins is not known */
        }
        parent[root_of(parent, s->links[i].a)] = root_of(parent, s->links[i].b);
    }
    for (size_t i = 0; i < s->application_count; i++) {
        const struct scn_application *a = &s->applications[i];
        if (a->from < s->node_count && a->to < s->node_count && a->from != a->to &&
            root_of(parent, a->from) != root_of(parent, a->to)) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "to"),
                        "no chain of QKD links joins '%s' and '%s'", s->nodes[a->from].id,
                        s->nodes[a->to].id);
        }
    }
}

static void top_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    const struct scn_tree *network = scn_tree_find(ctx->root, "network");
    const struct scn_tree *nodes = scn_tree_find(network, "nodes");
    const struct scn_tree *where = nodes == NULL ? network : nodes;
    if (s->node_count == 0 && where != NULL && !ctx->incomplete) {
        scn_mistake(ctx, where->place,
                    "no nodes: expected at least one, in 'nodes' or by 'generate'");
    }
    if (s->engine == SCN_ENGINE_SIMGRID && s->node_count > SCN_MAX_SIMGRID_NODES) {
        scn_mistake(ctx, root_place(ctx, "engine"),
                    "engine simgrid takes at most %d nodes, not %zu: expected 'engine: fast'",
                    SCN_MAX_SIMGRID_NODES, s->node_count);
    }
    if (s->duration_ns > 0 && s->warmup_ns >= s->duration_ns) {
        scn_mistake(ctx, root_place(ctx, "warmup"), "warmup is not shorter than duration");
    }
    if (s->key_management.pool_high < s->key_management.pool_low) {
        const struct scn_tree *km = scn_tree_find(ctx->root, "key_management");
        const struct scn_tree *high = km == NULL ? NULL : scn_tree_find(km, "pool_high");
        scn_mistake(ctx, high == NULL ? root_place(ctx, "key_management") : high->place,
                    "pool_high %u is less than pool_low %u: expected at least that",
                    s->key_management.pool_high, s->key_management.pool_low);
    }
    if (s->control.at == UINT32_MAX) {
        s->control.at = 0;
    }
    if (s->management.at == UINT32_MAX) {
        s->management.at = s->control.at;
    }
    const struct scn_tree *control = scn_tree_find(ctx->root, "control");
    bool is_alone = !s->control.is_there && s->control.standby != SCN_NO_NODE;
    if (!s->control.is_there && (s->control.mode != SCN_MODE_DISTRIBUTED || is_alone)) {
        const struct scn_tree *found = scn_tree_find(control, "controller");
        scn_mistake(ctx, found == NULL ? root_place(ctx, "control") : found->place,
                    "there is no controller: expected mode distributed, and no standby");
    }
    if (s->control.standby == s->control.at) {
        const struct scn_tree *standby = scn_tree_find(control, "standby");
        scn_mistake(ctx, standby == NULL ? root_place(ctx, "control") : standby->place,
                    "the standby controller is where the controller is: expected another node");
    }
}

void scn_resolve(struct scn_ctx *ctx)
{
    top_resolve(ctx);
    nodes_resolve(ctx);
    links_resolve(ctx);
    scn_opticals_resolve(ctx);
    scn_applications_resolve(ctx);
    roles_resolve(ctx);
    scn_access_resolve(ctx);
    scn_faults_resolve(ctx);
    scn_attacks_resolve(ctx);
    scn_classical_resolve(ctx);
    parallel_check(ctx);
    connection_check(ctx);
    scn_contradictions(ctx);
    struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->node_count; i++) {
        if (!s->nodes[i].has_geo) {
            s->nodes[i].lat = 0;
            s->nodes[i].lon = 0;
        }
    }
}
