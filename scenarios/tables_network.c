/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of a scenario file under `network`: nodes, QKD links, the classical network. The order is
 * the order of decoding: what is referred to comes before what refers to it. */
#include "scenarios/expand.h"
#include "scenarios/risk.h"
#include "scenarios/rows.h"

static const struct scn_word words_model[] = {{"rate", SCN_QKD_RATE},    {"trace", SCN_QKD_TRACE},
                                              {"decoy-bb84", SCN_LATER}, {"cv", SCN_LATER},
                                              {"mdi", SCN_LATER},        {"tf", SCN_LATER},
                                              {"bbm92", SCN_LATER},      {NULL, 0}};

static const struct scn_word words_blocks[] = {{"regular", SCN_BLOCKS_REGULAR},
                                               {"poisson", SCN_BLOCKS_POISSON},
                                               {NULL, 0}};

static const struct scn_word words_key_form[] = {{"seed", SCN_KEY_SEED},
                                                 {"bits", SCN_KEY_BITS},
                                                 {NULL, 0}};

static const struct scn_word words_management_net[] = {{"separate", SCN_MANAGEMENT_SEPARATE},
                                                       {"in-band", SCN_MANAGEMENT_IN_BAND},
                                                       {NULL, 0}};

static const struct scn_word words_switching[] = {{"schedule", SCN_BY_SCHEDULE},
                                                  {"demand", SCN_BY_DEMAND},
                                                  {NULL, 0}};

static const struct scn_word words_boundary[] = {{"inside", SCN_BOUNDARY_INSIDE},
                                                 {"outside", SCN_BOUNDARY_OUTSIDE},
                                                 {NULL, 0}};

#define STRUCT scn_node
static const struct scn_field clock_fields[] = {
    TIME("offset", clock_offset_ns, -LONGEST_NS, .fallback = "0",
         .doc = "what the node's UTC clock shows more than true UTC at time 0"),
    NUM("drift", clock_drift_ppm, SCN_T_REAL, SCN_DIM_PPM, -100000, 100000, .fallback = "0",
        .doc = "how much faster the node's clocks run"),
};
static TABLE(clock_table, "clock", clock_fields, scn_node, SCN_KIND_NONE);

static const struct scn_field node_fields[] = {
    ID("id", id, "a unique name for the node"),
    {.key = "name", .doc = "what people call it; default: the id", .type = SCN_T_TEXT, AT(name)},
    NUM("lat", lat, SCN_T_REAL, SCN_DIM_REAL, -90, 90, .unset = -1000,
        .doc = "latitude in degrees (WGS 84)"),
    NUM("lon", lon, SCN_T_REAL, SCN_DIM_REAL, -180, 180, .unset = -1000,
        .doc = "longitude in degrees (WGS 84)"),
    {.key = "role",
     .doc = "default: user if an application ends here, else relay",
     .type = SCN_T_WORD,
     AT(role),
     .words = scn_words_role,
     .unset = -1},
    {.key = "operator",
     .doc = "who runs the node",
     .type = SCN_T_TEXT,
     AT(operator_id),
     .room = SCN_ID_SIZE,
     .fallback = "default"},
    {.key = "community",
     .doc = "whose users it serves; access rules may name it",
     .type = SCN_T_TEXT,
     AT(community),
     .room = SCN_ID_SIZE,
     .fallback = "default"},
    {.key = "address", .doc = "location or network address", .type = SCN_T_TEXT, AT(address)},
    {.key = "mac",
     .doc = "hardware address, such as 02:00:00:00:00:01",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_mac},
    {.key = "clock", .doc = "the node's clocks", .type = SCN_T_SECTION, .table = &clock_table},
    {.key = "user_networks",
     .doc = "names or prefixes of the user networks that the node serves",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_user_networks},
    {.key = "ksa_address",
     .doc = "address of its key supply agent; a prefix: dynamic, drawn in it at each start",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_ksa_address},
    WORD("boundary", boundary, words_boundary, "inside",
         "whether the node is inside the security demarcation boundary"),
    {.key = "compromised",
     .doc = "an attacker reads all key that the node holds; it does its work all the same",
     .type = SCN_T_BOOL,
     AT(compromised),
     .fallback = "false"},
};
static TABLE(node_table, "node", node_fields, scn_node, SCN_KIND_NODE);
#undef STRUCT

#define STRUCT scn_qkd
static const struct scn_field qkd_fields[] = {
    WORD("model", model, words_model, "rate", "how much key is made when"),
    RATE("rate", rate_bps, .unset = 0, .doc = "model rate: key rate"),
    NUM("qber", qber, SCN_T_REAL, SCN_DIM_FRACTION, 0, 0.5, .fallback = "0",
        .doc = "model rate: quantum bit error ratio"),
    {.key = "trace",
     .doc = "model trace: a CSV file, or a list of [time, rate, QBER]",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_trace},
    BITS(
        "block", block_bits, 8, .unset = 0, .multiple = 8,
        .doc =
            "bits of one QKD-key file, at least what pays for its confirmation; default: what 10 s "
            "of key make, in whole bytes, at most a quarter of the store"),
    WORD("blocks", blocks, words_blocks, "regular",
         "when blocks are complete: at multiples of block / rate, or as a Poisson process of the "
         "same mean rate"),
    WORD("key_form", key_form, words_key_form, "seed",
         "a key file carries a 32-byte seed that both ends expand, or the bits"),
};
static const struct scn_table qkd_table = {
    .name = "qkd",
    .fields = qkd_fields,
    .field_count = COUNT_OF(qkd_fields),
    .item_bytes = sizeof(struct scn_qkd),
    .needs =
        "\"type\": \"object\", \"if\": {\"required\": [\"model\"], \"properties\": {\"model\": "
        "{\"const\": \"trace\"}}}, \"then\": {\"required\": [\"trace\"]}, \"else\": "
        "{\"required\": [\"rate\"]}"};
#undef STRUCT

#define STRUCT scn_link
static const struct scn_field link_classical_fields[] = {
    TIME("latency", classical_latency_ns, 0, .unset = SCN_AUTO, .word = "auto",
         .doc = "one way; default: network.classical.latency"),
    RATE("bandwidth", classical_bandwidth_bps, .unset = 0,
         .doc = "each direction; default: network.classical.bandwidth"),
};
static TABLE(link_classical_table, "classical channel of a link", link_classical_fields, scn_link,
             SCN_KIND_NONE);

static const struct scn_field link_fields[] = {
    ID("id", id, "a unique name for the QKD link"),
    {.key = "ends",
     .doc = "the two nodes",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_ends,
     .required = true},
    NUM("length", length_m, SCN_T_I64, SCN_DIM_LENGTH, 0, 1e9, .fallback = "0",
        .doc = "length of the fibre"),
    NUM("loss", loss_db, SCN_T_REAL, SCN_DIM_LOSS, 0, 200, .unset = -1,
        .doc = "optical loss; default: 0.2 dB/km of length"),
    {.key = "qkd",
     .doc = "the QKD modules",
     .type = SCN_T_SECTION,
     AT(qkd),
     .table = &qkd_table,
     .required = true},
    BITS("store", store_bits, 8, .unset = 0,
         .doc = "limit of the key store at each end; default: key_management.store"),
    BITS("initial", initial_bits, 0, .fallback = "0", .multiple = 8,
         .doc = "key that both ends hold at the start"),
    {.key = "classical",
     .doc = "the classical channel beside the link",
     .type = SCN_T_SECTION,
     .table = &link_classical_table},
    SEED("seed", seed, "of this link's key; default: seeds.links"),
};
static TABLE(link_table, "link", link_fields, scn_link, SCN_KIND_LINK);

/* The first rows are id, ends, length and loss: every link has its own. */
#define OWN_ROWS 4
const struct scn_table scn_table_link_template = {.name = "link of generate",
                                                  .fields = link_fields + OWN_ROWS,
                                                  .field_count = COUNT_OF(link_fields) - OWN_ROWS,
                                                  .item_bytes = sizeof(struct scn_link)};
#undef STRUCT

#define STRUCT scn_optical
static const struct scn_field optical_switch_fields[] = {
    ID("id", id, "a unique name for the optical switch"),
    {.key = "at",
     .doc = "the node whose module the links share",
     .type = SCN_T_NODE,
     AT(at),
     .required = true},
    {.key = "links",
     .doc = "the links that share it",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_optical_links,
     .required = true},
    WORD("by", by, words_switching, "schedule",
         "one link after the other, or the one with the least key"),
    TIME("dwell", dwell_ns, 1e6, .fallback = "30 s", .doc = "least time on each link"),
    TIME("switching", switching_ns, 0, .fallback = "1 s",
         .doc = "time without light when it turns to another link"),
};
static TABLE(optical_switch_table, "optical switch", optical_switch_fields, scn_optical,
             SCN_KIND_OPTICAL_SWITCH);

static const struct scn_field relay_point_fields[] = {
    ID("id", id, "a unique name for the quantum relay point"),
    {.key = "link",
     .doc = "the link in whose middle it is",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_optical_link,
     .required = true},
    {.key = "at",
     .doc = "the node where its agent is; default: the first end of the link",
     .type = SCN_T_NODE,
     AT(at),
     .unset = UINT32_MAX},
};
static TABLE(relay_point_table, "relay point", relay_point_fields, scn_optical,
             SCN_KIND_RELAY_POINT);
#undef STRUCT

#define STRUCT scn_classical_link
static const struct scn_field classical_link_fields[] = {
    {.key = "id",
     .doc = "a unique name; default: the ids of its ends, such as A-hub",
     .type = SCN_T_ID,
     AT(id)},
    {.key = "ends",
     .doc = "two nodes or switches",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_classical_ends,
     .required = true},
    NUM("length", length_m, SCN_T_I64, SCN_DIM_LENGTH, 0, 1e9, .fallback = "0",
        .doc = "length of the cable, for latency: auto"),
    TIME("latency", latency_ns, 0, .unset = SCN_AUTO, .word = "auto",
         .doc = "one way; default: network.classical.latency"),
    RATE("bandwidth", bandwidth_bps, .unset = 0,
         .doc = "each direction; default: network.classical.bandwidth"),
};
static TABLE(classical_link_table, "classical link", classical_link_fields, scn_classical_link,
             SCN_KIND_CLASSICAL);
#undef STRUCT

#define STRUCT scn_classical
static const struct scn_field classical_fields[] = {
    RATE("bandwidth", bandwidth_bps, .fallback = "1 Gbit/s",
         .doc = "of each channel, each direction"),
    TIME("latency", latency_ns, 0, .unset = SCN_AUTO, .word = "auto",
         .doc = "one way; auto: 5 us per km of link length, at least 5 us"),
    NUM("queue", queue_bytes, SCN_T_I64, SCN_DIM_BYTES, 1024, 1e12, .fallback = "1 MiB",
        .doc = "what a directed channel holds before it drops frames"),
    WORD("management", management, words_management_net, "separate",
         "Ck and Mk over a network of their own, or beside the QKD links"),
    TIME("management_latency", management_latency_ns, 0, .fallback = "1 ms",
         .doc = "separate: one way between any two nodes"),
    RATE("management_bandwidth", management_bandwidth_bps, .fallback = "1 Gbit/s",
         .doc = "separate: of each directed pair of nodes"),
    NUM("loss", loss, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .fallback = "0",
        .doc = "probability that a frame between nodes is lost"),
    NUM("duplicate", duplicate, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .fallback = "0",
        .doc = "probability that it arrives twice"),
    NUM("reorder", reorder, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .fallback = "0",
        .doc = "probability that it is held back"),
    TIME("reorder_jitter", reorder_jitter_ns, 0, .fallback = "1 ms",
         .doc = "longest time that a frame is held back"),
    TIME("disturbed_until", disturbed_until_ns, 0, .unset = SCN_AUTO,
         .doc = "loss, duplicate and reorder end here; default: never"),
    {.key = "switches",
     .doc = "ids of what forwards frames and is no node",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_switches},
    {.key = "links",
     .doc = "the classical network, where it is not beside the QKD links, or a CSV file of it",
     .type = SCN_T_LIST,
     AT(links),
     .count_offset = offsetof(struct scn_classical, link_count),
     .table = &classical_link_table,
     .limit = SCN_MAX_LINKS},
};
static TABLE(classical_table, "classical", classical_fields, scn_classical, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_scenario
static const struct scn_field network_fields[] = {
    {.key = "nodes",
     .doc = "the nodes, or a CSV file of them",
     .type = SCN_T_LIST,
     AT(nodes),
     .count_offset = offsetof(struct scn_scenario, node_count),
     .table = &node_table,
     .limit = SCN_MAX_NODES},
    {.key = "links",
     .doc = "the QKD links, or a CSV file of them",
     .type = SCN_T_LIST,
     AT(links),
     .count_offset = offsetof(struct scn_scenario, link_count),
     .table = &link_table,
     .limit = SCN_MAX_LINKS},
    {.key = "optical_switches",
     .doc = "which links share a QKD module through an optical switch",
     .type = SCN_T_LIST,
     AT(optical_switches),
     .count_offset = offsetof(struct scn_scenario, optical_switch_count),
     .table = &optical_switch_table,
     .limit = SCN_MAX_OPTICALS},
    {.key = "relay_points",
     .doc = "which links have an untrusted quantum relay point in the middle",
     .type = SCN_T_LIST,
     AT(relay_points),
     .count_offset = offsetof(struct scn_scenario, relay_point_count),
     .table = &relay_point_table,
     .limit = SCN_MAX_OPTICALS},
    {.key = "classical",
     .doc = "the classical network",
     .type = SCN_T_SECTION,
     AT(classical),
     .table = &classical_table},
    {.key = "generate",
     .doc = "further nodes and links: a network by rule or by chance",
     .type = SCN_T_SECTION,
     .table = &scn_table_generate,
     .early = true},
#undef STRUCT
#define STRUCT scn_risk_groups
    {.key = "risk_groups",
     .doc = "what shares a risk, such as a duct, for faults that name the group",
     .type = SCN_T_LIST,
     AT(items),
     .count_offset = offsetof(struct scn_risk_groups, count),
     .table = &scn_table_risk_group,
     .limit = SCN_MAX_RISK_GROUPS,
     .early = true},
#undef STRUCT
#define STRUCT scn_spans
    NUM("scale", scale, SCN_T_REAL, SCN_DIM_REAL, 1e-6, 1e6, .fallback = "1", .early = true,
        .doc = "every length and loss of a QKD link is multiplied by this"),
    NUM("max_span", max_span_m, SCN_T_I64, SCN_DIM_LENGTH, 1, 1e9, .unset = 0, .early = true,
        .doc = "longer QKD links are cut into even spans by trusted relay nodes"),
};
const struct scn_table scn_table_network = {
    .name = "network",
    .fields = network_fields,
    .field_count = COUNT_OF(network_fields),
    .item_bytes = sizeof(struct scn_scenario),
    .needs = "\"type\": \"object\", \"anyOf\": [{\"required\": [\"nodes\"], \"properties\": "
             "{\"nodes\": {\"type\": [\"array\", \"string\"], \"minItems\": 1}}}, {\"required\": "
             "[\"generate\"], \"properties\": {\"generate\": {\"type\": \"object\"}}}]"};
#undef STRUCT
