/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Platform file. Routes are written out because SimGrid's own routing minimises the number of links,
 * not latency. */
#include "sim/platform.h"

#include <inttypes.h>

#include "core/base/err.h"

static void link_write(FILE *file, const char *id, uint64_t bandwidth_bps, int64_t latency_ns)
{
    (void)fprintf(file,
                  "    <link id=\"%s\" bandwidth=\"%" PRIu64 "bps\" latency=\"%" PRId64
                  "ns\" sharing_policy=\"SPLITDUPLEX\"/>\n",
                  id, bandwidth_bps, latency_ns);
}

/* Does something for each pair of nodes with a route in the platform, once; stops at an error. */
static int pairs_visit(const struct sim_engine_config *config,
                       int (*visit)(void *ctx, struct sim_channel *channel), void *ctx)
{
    const struct sim_net_config *net = sim_net_config(config->net);
    bool all = net->node_count <= SIM_SIMGRID_ALL_PAIRS;
    size_t count = all ? (size_t)net->node_count * net->node_count
                       : (size_t)net->link_count + config->pair_count;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct sim_pair pair;
        if (all) {
            pair = (struct sim_pair){(uint32_t)(i / net->node_count),
                                     (uint32_t)(i % net->node_count)};
        } else if (i < net->link_count) {
            const struct host_cable *link = sim_net_link_at(config->net, (uint32_t)i);
            pair = (struct sim_pair){link->a, link->b};
        } else {
            pair = config->pairs[i - net->link_count];
        }
        if (pair.a != pair.b && pair.a < net->node_count && pair.b < net->node_count) {
            struct sim_channel *channel = sim_net_channel(config->net, pair.a, pair.b,
                                                          SIM_PLANE_DATA);
            rc = channel == NULL ? QKD_ERR_NOMEM : visit(ctx, channel);
        }
    }
    return rc;
}

/* The same channel in the other direction. */
static struct sim_channel *back_of(const struct sim_engine_config *config,
                                   const struct sim_channel *channel)
{
    return sim_net_channel(config->net, channel->to, channel->from, channel->plane);
}

struct visit {
    const struct sim_engine_config *config;
    FILE *file;
    uint64_t links; /* in all routes so far */
};

static int route_count(void *ctx, struct sim_channel *channel)
{
    struct visit *visit = ctx;
    visit->links += channel->route_len;
    return visit->links > SIM_SIMGRID_ROUTE_LIMIT ? QKD_ERR_LIMIT : 0;
}

static int route_write(void *ctx, struct sim_channel *channel)
{
    const struct visit *visit = ctx;
    struct sim_channel *back = back_of(visit->config, channel);
    if (back == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (!channel->routed || channel->in_platform) {
        return 0;
    }
    channel->in_platform = back->in_platform = true;
    (void)fprintf(visit->file, "    <route src=\"n%u\" dst=\"n%u\" symmetrical=\"YES\">",
                  channel->from, channel->to);
    uint32_t node = channel->from;
    for (uint32_t i = 0; i < channel->route_len; i++) {
        uint32_t number = channel->route[i];
        const struct host_cable *link = sim_net_link_at(visit->config->net, number);
        bool up = link->a == node;
        (void)fprintf(visit->file, "<link_ctn id=\"l%u\" direction=\"%s\"/>", number,
                      up ? "UP" : "DOWN");
        node = up ? link->b : link->a;
    }
    (void)fputs("</route>\n", visit->file);
    return 0;
}

static int data_write(const struct sim_engine_config *config, FILE *file)
{
    const struct sim_net_config *net = sim_net_config(config->net);
    struct visit visit = {config, file, 0};
    char id[24];
    for (uint32_t i = 0; i < net->link_count; i++) {
        const struct host_cable *link = sim_net_link_at(config->net, i);
        (void)snprintf(id, sizeof(id), "l%u", i);
        link_write(file, id, link->bandwidth_bps, link->latency_ns);
    }
    int rc = pairs_visit(config, route_count, &visit);
    return rc == 0 ? pairs_visit(config, route_write, &visit) : rc;
}

/* Whether what joins hub k with this node is written with an earlier hub, or is nothing. */
static bool is_written(const struct sim_net_config *net, uint32_t k, uint32_t node)
{
    bool is_done = net->hubs[k] == node;
    for (uint32_t i = 0; i < k; i++) {
        is_done = is_done || net->hubs[i] == node || net->hubs[i] == net->hubs[k];
    }
    return is_done || net->hubs[k] >= net->node_count;
}

static void hub_links_write(const struct sim_net_config *net, FILE *file, uint32_t k)
{
    char id[48];
    for (uint32_t i = 0; i < net->node_count; i++) {
        if (!is_written(net, k, i)) {
            (void)snprintf(id, sizeof(id), "g%u_%u", net->hubs[k], i);
            link_write(file, id, net->management_bandwidth_bps, net->management_latency_ns);
        }
    }
}

static int hub_routes_write(const struct sim_engine_config *config, FILE *file, uint32_t k)
{
    const struct sim_net_config *net = sim_net_config(config->net);
    uint32_t hub = net->hubs[k];
    for (uint32_t i = 0; i < net->node_count; i++) {
        if (is_written(net, k, i)) {
            continue;
        }
        struct sim_channel *there = sim_net_channel(config->net, hub, i, SIM_PLANE_MANAGEMENT);
        struct sim_channel *back = sim_net_channel(config->net, i, hub, SIM_PLANE_MANAGEMENT);
        if (there == NULL || back == NULL) {
            return QKD_ERR_NOMEM;
        }
        there->in_platform = back->in_platform = true;
        (void)fprintf(file,
                      "    <route src=\"m%u\" dst=\"m%u\" symmetrical=\"YES\">"
                      "<link_ctn id=\"g%u_%u\" direction=\"UP\"/></route>\n",
                      hub, i, hub, i);
    }
    return 0;
}

int sim_platform_write(const struct sim_engine_config *config, FILE *file)
{
    const struct sim_net_config *net = sim_net_config(config->net);
    bool management = net->management_bandwidth_bps > 0;
    (void)fputs("<?xml version='1.0'?>\n"
                "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
                "<platform version=\"4.1\">\n"
                "  <zone id=\"qkdn\" routing=\"Full\">\n",
                file);
    for (uint32_t i = 0; i < net->node_count; i++) {
        (void)fprintf(file, "    <host id=\"n%u\" speed=\"1Gf\"/>\n", i);
        if (management) {
            (void)fprintf(file, "    <host id=\"m%u\" speed=\"1Gf\"/>\n", i);
        }
    }
    for (uint32_t k = 0; k < SIM_NET_HUBS && management; k++) {
        hub_links_write(net, file, k);
    }
    int rc = data_write(config, file);
    for (uint32_t k = 0; k < SIM_NET_HUBS && management && rc == 0; k++) {
        rc = hub_routes_write(config, file, k);
    }
    (void)fputs("  </zone>\n</platform>\n", file);
    return rc == 0 && ferror(file) != 0 ? QKD_ERR_IO : rc;
}
