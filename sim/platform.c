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

static int route_write(const struct sim_engine_config *config, FILE *file, uint32_t a, uint32_t b)
{
    const struct sim_channel *channel = sim_net_channel(config->net, a, b, SIM_PLANE_DATA);
    if (channel == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (!channel->routed) {
        return 0;
    }
    (void)fprintf(file, "    <route src=\"n%u\" dst=\"n%u\" symmetrical=\"YES\">", a, b);
    uint32_t node = a;
    for (uint32_t i = 0; i < channel->route_len; i++) {
        uint32_t number = channel->route[i];
        const struct sim_net_link *link = sim_net_link_at(config->net, number);
        bool up = link->a == node;
        (void)fprintf(file, "<link_ctn id=\"l%u\" direction=\"%s\"/>", number, up ? "UP" : "DOWN");
        node = up ? link->b : link->a;
    }
    (void)fputs("</route>\n", file);
    return 0;
}

static bool beside(const struct sim_engine_config *config, uint32_t a, uint32_t b)
{
    const struct sim_channel *channel = sim_net_channel(config->net, a, b, SIM_PLANE_DATA);
    return channel != NULL && channel->routed && channel->route_len == 1;
}

/* Whether two nodes may talk on the data plane. */
static bool may_talk(const struct sim_engine_config *config, uint32_t a, uint32_t b)
{
    uint32_t nodes = sim_net_config(config->net)->node_count;
    if (nodes <= SIM_SIMGRID_ALL_PAIRS || config->far == NULL) {
        return true;
    }
    return config->far[a] || config->far[b] || beside(config, a, b);
}

static int data_write(const struct sim_engine_config *config, FILE *file)
{
    const struct sim_net_config *net = sim_net_config(config->net);
    char id[24];
    for (uint32_t i = 0; i < net->link_count; i++) {
        const struct sim_net_link *link = sim_net_link_at(config->net, i);
        (void)snprintf(id, sizeof(id), "l%u", i);
        link_write(file, id, link->bandwidth_bps, link->latency_ns);
    }
    uint32_t routes = 0;
    for (uint32_t a = 0; a < net->node_count; a++) {
        for (uint32_t b = a + 1; b < net->node_count; b++) {
            if (!may_talk(config, a, b)) {
                continue;
            }
            routes += 2;
            if (routes > SIM_SIMGRID_ROUTE_LIMIT) {
                return QKD_ERR_LIMIT;
            }
            int rc = route_write(config, file, a, b);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static void hub_links_write(const struct sim_net_config *net, FILE *file, uint32_t hub,
                            uint32_t other_hub)
{
    char id[48];
    for (uint32_t i = 0; i < net->node_count; i++) {
        if (i == hub || i == other_hub) {
            continue;
        }
        (void)snprintf(id, sizeof(id), "g%u_%u", hub, i);
        link_write(file, id, net->management_bandwidth_bps, net->management_latency_ns);
    }
}

static void hub_routes_write(const struct sim_net_config *net, FILE *file, uint32_t hub,
                             uint32_t other_hub)
{
    for (uint32_t i = 0; i < net->node_count; i++) {
        if (i == hub || i == other_hub) {
            continue;
        }
        (void)fprintf(file,
                      "    <route src=\"m%u\" dst=\"m%u\" symmetrical=\"YES\">"
                      "<link_ctn id=\"g%u_%u\" direction=\"UP\"/></route>\n",
                      hub, i, hub, i);
    }
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
    uint32_t first = net->hubs[0];
    uint32_t second = net->hubs[1] != first ? net->hubs[1] : SIM_NET_NONE;
    if (management && first < net->node_count) {
        hub_links_write(net, file, first, SIM_NET_NONE);
    }
    if (management && second < net->node_count) {
        hub_links_write(net, file, second, first);
    }
    int rc = data_write(config, file);
    if (management && first < net->node_count) {
        hub_routes_write(net, file, first, SIM_NET_NONE);
    }
    if (management && second < net->node_count) {
        hub_routes_write(net, file, second, first);
    }
    (void)fputs("  </zone>\n</platform>\n", file);
    return rc == 0 && ferror(file) != 0 ? QKD_ERR_IO : rc;
}
