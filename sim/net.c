/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The classical network: the table of channels, what faults block, what chance does. Routes come
 * from host/routes.h. */
#include "sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "host/routes.h"

enum {
    CHUNK = 256,        /* channels per allocation */
    TREES_ALWAYS = 1024 /* up to so many nodes every root's routes are kept */
};

#define NS_PER_BYTE_AT_1BPS INT64_C(8000000000)
#define LATENCY_MOST_NS (INT64_MAX / 4) /* of a route: an instant in a run plus this is one too */

/* An impairment that lasts. */
struct impairment {
    uint32_t link;
    struct sim_impairment how;
};

/* A node that is cut off on the management plane. */
struct cut {
    uint32_t number, node;
};

/* Of the table of channels: with the hash beside it, only the right channel is looked at. */
struct cell {
    uint32_t number; /* of the channel, + 1; 0: free */
    uint32_t hash;
};

struct sim_net {
    struct sim_net_config config;
    struct host_cable *links;
    struct host_routes *routes;
    struct sim_channel **chunks;
    uint32_t chunk_count;
    uint32_t channel_count;
    struct cell *table; /* open addressing */
    uint32_t table_cap;
    uint32_t *link_down; /* how many faults hold it down */
    uint32_t *node_down;
    uint32_t down_total;
    bool calm;         /* chance does nothing any more */
    uint32_t *scratch; /* a route as it is found, as long as there are nodes and switches */
    struct sim_impairment *impaired; /* what each link does now; NULL until one is impaired */
    struct impairment *impairments;
    uint32_t impairment_count, impairment_cap;
    struct cut *cuts;
    uint32_t cut_count, cut_cap;
};

void sim_net_free(struct sim_net *net)
{
    if (net == NULL) {
        return;
    }
    for (uint32_t i = 0; i < net->channel_count; i++) {
        struct sim_channel *channel = sim_net_channel_at(net, i);
        free(channel->route);
        free(channel->rng);
        free(channel->bad);
    }
    for (uint32_t i = 0; i < net->chunk_count; i++) {
        free(net->chunks[i]);
    }
    free(net->chunks);
    free(net->table);
    free(net->link_down);
    free(net->node_down);
    free(net->scratch);
    free(net->impaired);
    free(net->impairments);
    free(net->cuts);
    free(net->links);
    host_routes_free(net->routes);
    free(net);
}

int sim_net_new(const struct sim_net_config *config, struct sim_net **net_out)
{
    *net_out = NULL;
    uint32_t ends = config->node_count + config->switch_count;
    for (uint32_t i = 0; i < config->link_count; i++) {
        const struct host_cable *link = &config->links[i];
        if (link->a >= ends || link->b >= ends || link->a == link->b || link->latency_ns < 0 ||
            link->bandwidth_bps == 0) {
            return QKD_ERR_INVALID;
        }
    }
    struct sim_net *net = calloc(1, sizeof(*net));
    if (net == NULL) {
        return QKD_ERR_NOMEM;
    }
    net->config = *config;
    net->config.links = NULL;
    size_t links = config->link_count > 0 ? config->link_count : 1;
    size_t nodes = ends > 0 ? ends : 1;
    net->links = calloc(links, sizeof(*net->links));
    net->link_down = calloc(links, sizeof(*net->link_down));
    net->node_down = calloc(nodes, sizeof(*net->node_down));
    net->scratch = calloc(nodes, sizeof(*net->scratch));
    if (net->links == NULL || net->link_down == NULL || net->node_down == NULL ||
        net->scratch == NULL) {
        sim_net_free(net);
        return QKD_ERR_NOMEM;
    }
    if (config->link_count > 0) {
        memcpy(net->links, config->links, config->link_count * sizeof(*net->links));
    }
    net->routes = host_routes_new(ends, net->links, config->link_count);
    if (net->routes == NULL) {
        sim_net_free(net);
        return QKD_ERR_NOMEM;
    }
    *net_out = net;
    return 0;
}

const struct sim_net_config *sim_net_config(const struct sim_net *net)
{
    return &net->config;
}

struct sim_channel *sim_net_channel_at(struct sim_net *net, uint32_t number)
{
    return &net->chunks[number / CHUNK][number % CHUNK];
}

const struct host_cable *sim_net_link_at(const struct sim_net *net, uint32_t link)
{
    return &net->links[link];
}

/* ---- the table ---- */

static uint32_t key_hash(uint32_t from, uint32_t to, enum sim_plane plane)
{
    uint64_t key = ((uint64_t)from << 33) ^ ((uint64_t)to << 1) ^ (uint64_t)plane;
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 32);
}

static void table_insert(struct sim_net *net, uint32_t number)
{
    const struct sim_channel *channel = sim_net_channel_at(net, number);
    uint32_t hash = key_hash(channel->from, channel->to, channel->plane);
    uint32_t mask = net->table_cap - 1;
    uint32_t at = hash & mask;
    while (net->table[at].number != 0) {
        at = (at + 1) & mask;
    }
    net->table[at] = (struct cell){number + 1, hash};
}

static int table_reserve(struct sim_net *net)
{
    if ((net->channel_count + 1) * 2 <= net->table_cap) {
        return 0;
    }
    uint32_t cap = net->table_cap == 0 ? CHUNK : net->table_cap * 2;
    struct cell *table = calloc(cap, sizeof(*table));
    if (table == NULL) {
        return QKD_ERR_NOMEM;
    }
    free(net->table);
    net->table = table;
    net->table_cap = cap;
    for (uint32_t i = 0; i < net->channel_count; i++) {
        table_insert(net, i);
    }
    return 0;
}

static struct sim_channel *table_find(struct sim_net *net, uint32_t from, uint32_t to,
                                      enum sim_plane plane)
{
    if (net->table_cap == 0) {
        return NULL;
    }
    uint32_t mask = net->table_cap - 1;
    uint32_t hash = key_hash(from, to, plane);
    for (uint32_t at = hash & mask; net->table[at].number != 0; at = (at + 1) & mask) {
        if (net->table[at].hash != hash) {
            continue;
        }
        struct sim_channel *channel = sim_net_channel_at(net, net->table[at].number - 1);
        if (channel->from == from && channel->to == to && channel->plane == plane) {
            return channel;
        }
    }
    return NULL;
}

/* ---- making a channel ---- */

/* How long `bytes` take at `bps`, rounded up; saturates. */
static int64_t sending_ns(uint64_t bytes, uint64_t bps)
{
    if (bytes > (uint64_t)(INT64_MAX / NS_PER_BYTE_AT_1BPS) - 1) {
        double ns = (double)bytes * 8e9 / (double)bps;
        return ns < 9e18 ? (int64_t)ns : INT64_MAX;
    }
    uint64_t bits_ns = bytes * (uint64_t)NS_PER_BYTE_AT_1BPS;
    return (int64_t)((bits_ns + bps - 1) / bps);
}

bool sim_net_is_hub(const struct sim_net_config *config, uint32_t node)
{
    bool is_one = false;
    for (size_t i = 0; i < SIM_NET_HUBS; i++) {
        is_one = is_one || node == config->hubs[i];
    }
    return is_one;
}

/* Fills route, latency and bandwidth; both directions of a pair take the same links. */
static int channel_route(struct sim_net *net, struct sim_channel *channel)
{
    uint32_t low = channel->from < channel->to ? channel->from : channel->to;
    uint32_t high = channel->from < channel->to ? channel->to : channel->from;
    uint32_t root = low;
    if (sim_net_is_hub(&net->config, high) && !sim_net_is_hub(&net->config, low)) {
        root = high;
    }
    uint32_t leaf = root == low ? high : low;
    uint32_t count = 0;
    struct host_route_query query = {
        .root = root,
        .leaf = leaf,
        .keep = sim_net_is_hub(&net->config, root) || net->config.node_count <= TREES_ALWAYS,
        .shortest = net->config.shortest,
    };
    int rc = host_routes_find(net->routes, &query, net->scratch, &count);
    if (rc == QKD_ERR_UNKNOWN) {
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    channel->route = malloc(count * sizeof(*channel->route));
    if (channel->route == NULL) {
        return QKD_ERR_NOMEM;
    }
    channel->routed = true;
    channel->route_len = count;
    channel->bandwidth_bps = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = net->scratch[channel->from == root ? i : count - 1 - i];
        const struct host_cable *link = &net->links[number];
        channel->route[i] = number;
        bool far = link->latency_ns > LATENCY_MOST_NS - channel->latency_ns;
        channel->latency_ns = far ? LATENCY_MOST_NS : channel->latency_ns + link->latency_ns;
        if (link->bandwidth_bps < channel->bandwidth_bps) {
            channel->bandwidth_bps = link->bandwidth_bps;
        }
    }
    return 0;
}

static int channel_fill(struct sim_net *net, struct sim_channel *channel)
{
    const struct sim_net_config *config = &net->config;
    channel->tag = SIM_NET_NONE;
    if (channel->plane == SIM_PLANE_MANAGEMENT) {
        channel->routed = config->management_bandwidth_bps > 0;
        channel->latency_ns = config->management_latency_ns;
        channel->bandwidth_bps = config->management_bandwidth_bps;
    } else {
        int rc = channel_route(net, channel);
        if (rc != 0) {
            return rc;
        }
    }
    if (!channel->routed) {
        return 0;
    }
    channel->queue_ns = sending_ns(config->queue_bytes, channel->bandwidth_bps);
    double pipe = (double)channel->bandwidth_bps / 8e9 * (double)channel->latency_ns;
    channel->held_limit = config->queue_bytes + (pipe < 1e15 ? (uint64_t)pipe : (uint64_t)1e15);
    if (config->loss > 0 || config->duplicate > 0 || config->reorder > 0) {
        channel->rng = malloc(sizeof(*channel->rng));
        if (channel->rng == NULL) {
            return QKD_ERR_NOMEM;
        }
        uint64_t index = ((uint64_t)channel->plane << 62) | ((uint64_t)channel->from << 31) |
                         channel->to;
        qkd_rng_init_named(channel->rng, config->seed, "classical channel", index);
    }
    return 0;
}

struct sim_channel *sim_net_channel(struct sim_net *net, uint32_t from, uint32_t to,
                                    enum sim_plane plane)
{
    struct sim_channel *channel = table_find(net, from, to, plane);
    if (channel != NULL) {
        return channel;
    }
    if (table_reserve(net) != 0) {
        return NULL;
    }
    if (net->channel_count == net->chunk_count * CHUNK) {
        struct sim_channel **chunks = realloc(net->chunks,
                                              (net->chunk_count + 1) * sizeof(*chunks));
        if (chunks == NULL) {
            return NULL;
        }
        net->chunks = chunks;
        chunks[net->chunk_count] = calloc(CHUNK, sizeof(**chunks));
        if (chunks[net->chunk_count] == NULL) {
            return NULL;
        }
        net->chunk_count++;
    }
    channel = sim_net_channel_at(net, net->channel_count);
    *channel = (struct sim_channel){.from = from, .to = to, .plane = plane};
    if (channel_fill(net, channel) != 0) {
        free(channel->route);
        return NULL;
    }
    table_insert(net, net->channel_count++);
    return channel;
}

/* ---- faults and chance ---- */

static void down_count(struct sim_net *net, uint32_t *count, bool up)
{
    if (up && *count > 0) {
        (*count)--;
        net->down_total--;
    } else if (!up) {
        (*count)++;
        net->down_total++;
    }
}

void sim_net_link_set(struct sim_net *net, uint32_t link, bool up)
{
    down_count(net, &net->link_down[link], up);
}

void sim_net_node_set(struct sim_net *net, uint32_t node, bool up)
{
    down_count(net, &net->node_down[node], up);
}

static bool is_cut(const struct sim_net *net, uint32_t number, uint32_t node)
{
    for (uint32_t i = 0; i < net->cut_count; i++) {
        if (net->cuts[i].number == number && net->cuts[i].node == node) {
            return true;
        }
    }
    return false;
}

/* Whether some partition separates the channel's ends. */
static bool separated(const struct sim_net *net, const struct sim_channel *channel)
{
    for (uint32_t i = 0; i < net->cut_count; i++) {
        const struct cut *cut = &net->cuts[i];
        uint32_t other = cut->node == channel->from ? channel->to : channel->from;
        if ((cut->node == channel->from || cut->node == channel->to) &&
            !is_cut(net, cut->number, other)) {
            return true;
        }
    }
    return false;
}

int sim_net_cut(struct sim_net *net, uint32_t number, uint32_t node, bool begin)
{
    if (begin) {
        if (net->cut_count == net->cut_cap) {
            uint32_t cap = 2 * net->cut_cap + 8;
            struct cut *grown = realloc(net->cuts, cap * sizeof(*grown));
            if (grown == NULL) {
                return QKD_ERR_NOMEM;
            }
            net->cuts = grown;
            net->cut_cap = cap;
        }
        net->cuts[net->cut_count++] = (struct cut){number, node};
        return 0;
    }
    for (uint32_t i = 0; i < net->cut_count; i++) {
        if (net->cuts[i].number == number && net->cuts[i].node == node) {
            net->cuts[i] = net->cuts[--net->cut_count];
            break;
        }
    }
    return 0;
}

bool sim_net_open(const struct sim_net *net, const struct sim_channel *channel)
{
    if (net->cut_count > 0 && channel->plane == SIM_PLANE_MANAGEMENT && separated(net, channel)) {
        return false;
    }
    if (net->down_total == 0) {
        return true;
    }
    if (net->node_down[channel->from] > 0 || net->node_down[channel->to] > 0) {
        return false;
    }
    for (uint32_t i = 0; i < channel->route_len; i++) {
        if (net->link_down[channel->route[i]] > 0) {
            return false;
        }
    }
    return true;
}

int64_t sim_net_schedule(struct sim_channel *channel, int64_t now_ns, uint32_t wire_len)
{
    int64_t took_ns = sending_ns(wire_len, channel->bandwidth_bps);
    int64_t start_ns = channel->free_ns > now_ns ? channel->free_ns : now_ns;
    bool waits = start_ns > now_ns;
    if (waits && start_ns - now_ns > channel->queue_ns - took_ns) {
        return -1;
    }
    channel->free_ns = start_ns + took_ns;
    return channel->free_ns + channel->latency_ns;
}

void sim_net_calm(struct sim_net *net)
{
    net->calm = true;
}

/* ---- impairments ---- */

bool sim_net_impaired(const struct sim_net *net)
{
    return net->impairment_count > 0;
}

/* What all impairments of a link come to. */
static void impairments_sum(struct sim_net *net, uint32_t link)
{
    struct sim_impairment *sum = &net->impaired[link];
    double kept = 1;
    double whole = 1;
    *sum = (struct sim_impairment){0};
    for (uint32_t i = 0; i < net->impairment_count; i++) {
        const struct impairment *one = &net->impairments[i];
        if (one->link == link) {
            bool far = one->how.delay_ns > LATENCY_MOST_NS - sum->delay_ns;
            sum->delay_ns = far ? LATENCY_MOST_NS : sum->delay_ns + one->how.delay_ns;
            kept *= 1 - one->how.loss;
            whole *= 1 - one->how.corruption;
        }
    }
    sum->loss = 1 - kept;
    sum->corruption = 1 - whole;
}

static int impairment_add(struct sim_net *net, uint32_t link, const struct sim_impairment *how)
{
    if (net->impairment_count == net->impairment_cap) {
        uint32_t cap = 2 * net->impairment_cap + 8;
        struct impairment *grown = realloc(net->impairments, cap * sizeof(*grown));
        if (grown == NULL) {
            return QKD_ERR_NOMEM;
        }
        net->impairments = grown;
        net->impairment_cap = cap;
    }
    if (net->impaired == NULL) {
        net->impaired = calloc(net->config.link_count, sizeof(*net->impaired));
        if (net->impaired == NULL) {
            return QKD_ERR_NOMEM;
        }
    }
    net->impairments[net->impairment_count++] = (struct impairment){link, *how};
    return 0;
}

static bool impairment_is(const struct impairment *one, uint32_t link,
                          const struct sim_impairment *how)
{
    return one->link == link && one->how.delay_ns == how->delay_ns && one->how.loss == how->loss &&
           one->how.corruption == how->corruption; /* as it began, to the bit */
}

int sim_net_impair(struct sim_net *net, uint32_t link, const struct sim_impairment *how, bool begin)
{
    if (begin) {
        int rc = impairment_add(net, link, how);
        if (rc != 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < net->impairment_count && !begin; i++) {
        if (impairment_is(&net->impairments[i], link, how)) {
            net->impairments[i] = net->impairments[--net->impairment_count];
            break;
        }
    }
    impairments_sum(net, link);
    return 0;
}

/* The impaired links of a channel's route do to a frame what they do. */
static void impair(struct sim_net *net, struct sim_channel *channel, struct sim_fate *fate)
{
    int64_t delay_ns = 0;
    double kept = 1;
    double whole = 1;
    for (uint32_t i = 0; i < channel->route_len; i++) {
        const struct sim_impairment *one = &net->impaired[channel->route[i]];
        bool far = one->delay_ns > LATENCY_MOST_NS - delay_ns;
        delay_ns = far ? LATENCY_MOST_NS : delay_ns + one->delay_ns;
        kept *= 1 - one->loss;
        whole *= 1 - one->corruption;
    }
    if ((kept < 1 || whole < 1) && channel->bad == NULL) {
        channel->bad = malloc(sizeof(*channel->bad));
        if (channel->bad == NULL) {
            fate->copies = 0; /* as good as lost */
            return;
        }
        uint64_t index = (uint64_t)channel->from << 31 | channel->to;
        qkd_rng_init_named(channel->bad, net->config.seed, "impaired channel", index);
    }
    fate->extra_ns[0] += delay_ns;
    fate->extra_ns[1] += delay_ns;
    if (kept < 1 && qkd_rng_unit(channel->bad) >= kept) {
        fate->copies = 0;
    } else if (whole < 1 && qkd_rng_unit(channel->bad) >= whole) {
        fate->damaged = true;
        fate->bit = qkd_rng_u64(channel->bad);
    }
}

/* ---- chance ---- */

static void chance(struct sim_net *net, struct sim_channel *channel, struct sim_fate *fate)
{
    const struct sim_net_config *config = &net->config;
    if (config->loss > 0 && qkd_rng_unit(channel->rng) < config->loss) {
        fate->copies = 0;
        return;
    }
    if (config->duplicate > 0 && qkd_rng_unit(channel->rng) < config->duplicate) {
        fate->copies = 2;
    }
    for (uint32_t i = 0; i < fate->copies && config->reorder > 0; i++) {
        if (qkd_rng_unit(channel->rng) < config->reorder && config->reorder_jitter_ns > 0) {
            fate->extra_ns[i] = (int64_t)qkd_rng_below(channel->rng,
                                                       (uint64_t)config->reorder_jitter_ns + 1);
        }
    }
}

struct sim_fate sim_net_fate(struct sim_net *net, struct sim_channel *channel)
{
    struct sim_fate fate = {.copies = 1};
    if (channel->rng != NULL && !net->calm) {
        chance(net, channel, &fate);
    }
    if (net->impairment_count > 0 && channel->plane == SIM_PLANE_DATA && fate.copies > 0) {
        impair(net, channel, &fate);
    }
    return fate;
}
