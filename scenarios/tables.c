/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every key of a scenario file: type, place in the struct, unit, default, range, meaning. The order
 * is the order of decoding: what is referred to comes before what refers to it. */
#include <math.h>

#include "scenarios/field.h"

#define YEAR_NS 31536000e9 /* 365 days */
#define LONGEST_NS (10 * YEAR_NS)
#define MOST_BPS 1e15
#define MOST_BITS 1e15
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const struct scn_word scn_words_engine[] = {{"simgrid", SCN_ENGINE_SIMGRID},
                                            {"fast", SCN_ENGINE_FAST},
                                            {NULL, 0}};

const struct scn_word scn_words_role[] = {
    {"user", SCN_ROLE_USER}, {"relay", SCN_ROLE_RELAY}, {"border", SCN_ROLE_BORDER}, {NULL, 0}};

const struct scn_word scn_words_routing[] = {{"fewest-hops", SCN_ROUTING_FEWEST_HOPS},
                                             {"widest", SCN_ROUTING_WIDEST},
                                             {"key-aware", SCN_ROUTING_WIDEST},
                                             {"lowest-delay", SCN_LATER},
                                             {"refill-time", SCN_LATER},
                                             {"least-loaded", SCN_LATER},
                                             {"k-shortest", SCN_LATER},
                                             {"disjoint", SCN_LATER},
                                             {NULL, 0}};

const struct scn_word scn_words_level[] = {{"any", SCN_LEVEL_ANY},
                                           {"otp-preferred", SCN_LEVEL_OTP_PREFERRED},
                                           {"otp-only", SCN_LEVEL_OTP_ONLY},
                                           {NULL, 0}};

const struct scn_word scn_words_fault[] = {
    {"both", SCN_FAULT_BOTH},   {"quantum", SCN_FAULT_QUANTUM}, {"classical", SCN_FAULT_CLASSICAL},
    {"crash", SCN_FAULT_CRASH}, {"down", SCN_FAULT_DOWN},       {NULL, 0}};

const struct scn_word scn_words_compare[] = {{"<", SCN_LT},  {"<=", SCN_LE}, {"==", SCN_EQ},
                                             {"!=", SCN_NE}, {">=", SCN_GE}, {">", SCN_GT},
                                             {NULL, 0}};

static const struct scn_word words_model[] = {{"rate", SCN_QKD_RATE},    {"trace", SCN_QKD_TRACE},
                                              {"decoy-bb84", SCN_LATER}, {"cv", SCN_LATER},
                                              {"mdi", SCN_LATER},        {"tf", SCN_LATER},
                                              {"bbm92", SCN_LATER},      {NULL, 0}};

static const struct scn_word words_key_form[] = {{"seed", SCN_KEY_SEED},
                                                 {"bits", SCN_KEY_BITS},
                                                 {NULL, 0}};

static const struct scn_word words_management_net[] = {{"separate", SCN_MANAGEMENT_SEPARATE},
                                                       {"in-band", SCN_MANAGEMENT_IN_BAND},
                                                       {NULL, 0}};

static const struct scn_word words_relay[] = {{"hop-by-hop", SCN_RELAY_HOP_BY_HOP},
                                              {"hop-by-hop-first-key", SCN_LATER},
                                              {"destination", SCN_LATER},
                                              {"multipath", SCN_LATER},
                                              {NULL, 0}};

static const struct scn_word words_fallback[] = {{"none", SCN_FALLBACK_NONE},
                                                 {"aes-256", SCN_LATER},
                                                 {NULL, 0}};

static const struct scn_word words_retention[] = {{"delete", SCN_RETENTION_DELETE},
                                                  {"preserve", SCN_RETENTION_PRESERVE},
                                                  {NULL, 0}};

static const struct scn_word words_metadata[] = {{"otp", SCN_METADATA_OTP},
                                                 {"clear", SCN_LATER},
                                                 {NULL, 0}};

static const struct scn_word words_deployment[] = {{"one", SCN_DEPLOYMENT_ONE},
                                                   {"two", SCN_DEPLOYMENT_TWO},
                                                   {NULL, 0}};

static const struct scn_word words_mode[] = {{"on-request", SCN_MODE_ON_REQUEST},
                                             {"proactive", SCN_LATER},
                                             {"distributed", SCN_LATER},
                                             {NULL, 0}};

static const struct scn_word words_arrivals[] = {{"poisson", SCN_ARRIVALS_POISSON},
                                                 {"periodic", SCN_ARRIVALS_PERIODIC},
                                                 {"trace", SCN_ARRIVALS_TRACE},
                                                 {NULL, 0}};

/* Rows. The struct that a table describes is its STRUCT. */
#define AT(member) .offset = offsetof(struct STRUCT, member)
#define ID(name, member, text)                                                                     \
    {                                                                                              \
        .key = name, .doc = text, .type = SCN_T_ID, AT(member), .required = true                   \
    }
#define WORD(name, member, list, deflt, text)                                                      \
    {                                                                                              \
        .key = name, .doc = text, .type = SCN_T_WORD, AT(member), .words = list, .fallback = deflt \
    }
#define NUM(name, member, kind, dim, low, high, ...)                                               \
    {                                                                                              \
        .key = name, .type = kind, AT(member), .dimension = dim, .min = low, .max = high,          \
        __VA_ARGS__                                                                                \
    }
#define TIME(name, member, low, ...)                                                               \
    NUM(name, member, SCN_T_I64, SCN_DIM_TIME, low, LONGEST_NS, __VA_ARGS__)
#define RATE(name, member, ...) NUM(name, member, SCN_T_I64, SCN_DIM_RATE, 1, MOST_BPS, __VA_ARGS__)
#define BITS(name, member, low, ...)                                                               \
    NUM(name, member, SCN_T_I64, SCN_DIM_BITS, low, MOST_BITS, __VA_ARGS__)
#define LATER(name)                                                                                \
    {                                                                                              \
        .key = name, .type = SCN_T_LATER, .doc = "not available in this version"                   \
    }
#define TABLE(symbol, text, array, structure, items)                                               \
    static const struct scn_table symbol = {.name = text,                                          \
                                            .fields = array,                                       \
                                            .field_count = COUNT_OF(array),                        \
                                            .item_bytes = sizeof(struct structure),                \
                                            .kind = items}

#define STRUCT scn_node
static const struct scn_field clock_fields[] = {
    TIME("offset", clock_offset_ns, -LONGEST_NS, .fallback = "0",
         .doc = "what the node's UTC clock shows more than true UTC at time 0"),
    NUM("drift", clock_drift_ppm, SCN_T_REAL, SCN_DIM_PPM, -100000, 100000, .fallback = "0",
        .doc = "how much faster the node's clocks run"),
};
TABLE(clock_table, "clock", clock_fields, scn_node, SCN_KIND_NONE);

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
     .narrow = true,
     .fallback = "default"},
    {.key = "address", .doc = "location or network address", .type = SCN_T_TEXT, AT(address)},
    {.key = "mac",
     .doc = "hardware address, such as 02:00:00:00:00:01",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_mac},
    {.key = "clock", .doc = "the node's clocks", .type = SCN_T_SECTION, .table = &clock_table},
    LATER("user_networks"),
    LATER("boundary"),
};
TABLE(node_table, "node", node_fields, scn_node, SCN_KIND_NODE);
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
    WORD("key_form", key_form, words_key_form, "seed",
         "a key file carries a 32-byte seed that both ends expand, or the bits"),
};
TABLE(qkd_table, "qkd", qkd_fields, scn_qkd, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_link
static const struct scn_field link_classical_fields[] = {
    TIME("latency", classical_latency_ns, 0, .unset = SCN_AUTO, .word = "auto",
         .doc = "one way; default: network.classical.latency"),
    RATE("bandwidth", classical_bandwidth_bps, .unset = 0,
         .doc = "each direction; default: network.classical.bandwidth"),
};
TABLE(link_classical_table, "classical channel of a link", link_classical_fields, scn_link,
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
    {.key = "classical",
     .doc = "the classical channel beside the link",
     .type = SCN_T_SECTION,
     .table = &link_classical_table},
};
TABLE(link_table, "link", link_fields, scn_link, SCN_KIND_LINK);
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
    LATER("links"),
};
TABLE(classical_table, "classical", classical_fields, scn_classical, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_scenario
static const struct scn_field network_fields[] = {
    {.key = "nodes",
     .doc = "the nodes, or a CSV file of them",
     .type = SCN_T_LIST,
     AT(nodes),
     .count_offset = offsetof(struct scn_scenario, node_count),
     .table = &node_table,
     .limit = SCN_MAX_NODES,
     .required = true},
    {.key = "links",
     .doc = "the QKD links, or a CSV file of them",
     .type = SCN_T_LIST,
     AT(links),
     .count_offset = offsetof(struct scn_scenario, link_count),
     .table = &link_table,
     .limit = SCN_MAX_LINKS},
    {.key = "classical",
     .doc = "the classical network",
     .type = SCN_T_SECTION,
     AT(classical),
     .table = &classical_table},
    LATER("generate"),
    LATER("scale"),
    LATER("max_span"),
};
TABLE(network_table, "network", network_fields, scn_scenario, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_key_management
static const struct scn_field key_management_fields[] = {
    NUM("unit", unit_bits, SCN_T_U32, SCN_DIM_BITS, 64, 4096, .fallback = "256 bit", .multiple = 8,
        .doc = "size of a KMA-key unit"),
    BITS("store", store_bits, 8, .fallback = "64 Mbit",
         .doc = "default limit of a link's key store at each end"),
    WORD("relay", relay, words_relay, "hop-by-hop", "how keys cross more than one link"),
    WORD("fallback", fallback, words_fallback, "none", "what replaces a pad that is not there"),
    NUM("bootstrap", bootstrap_bits, SCN_T_I64, SCN_DIM_BITS, 1000, 20480, .fallback = "4 kbit",
        .multiple = 8, .doc = "initial secret of each link: pays the first tags"),
    BITS("lease", lease_bits, 256, .fallback = "16 kbit", .multiple = 8,
         .doc = "pad bits reserved by one persisted record"),
    NUM("batch", batch, SCN_T_U32, SCN_DIM_NUMBER, 1, 64, .fallback = "1",
        .doc = "most keys in one relay frame"),
    TIME("retransmit", retransmit_ns, 1e6, .fallback = "200 ms",
         .doc = "time after which an unacknowledged frame is sent again"),
    NUM("retries", retries, SCN_T_U32, SCN_DIM_NUMBER, 0, 254, .fallback = "5",
        .doc = "most retransmissions of a frame"),
    TIME("expiry", expiry_ns, 1e6, .fallback = "1 h", .doc = "age at which unused key expires"),
    TIME("fetch_within", fetch_within_ns, 1e6, .fallback = "60 s",
         .doc = "how long a supplied key waits for the slave application"),
    WORD("retention", retention, words_retention, "delete",
         "supplied keys are deleted at once, or kept for `expiry`"),
    TIME("timer", timer_ns, 1e6, .fallback = "10 min",
         .doc = "life of a KMA-key ID (timer of the key metadata)"),
    WORD("relay_metadata", relay_metadata, words_metadata, "otp",
         "IDs and end points of relay frames under the pad, or in clear"),
    WORD("deployment", deployment, words_deployment, "one",
         "KMA and KSA of a node in one process, or in two"),
};
TABLE(key_management_table, "key_management", key_management_fields, scn_key_management,
      SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_control
static const struct scn_field control_fields[] = {
    WORD("routing", routing, scn_words_routing, "widest", "how the QKDN controller chooses routes"),
    WORD("mode", mode, words_mode, "on-request", "when routes are computed"),
    TIME("route_validity", route_validity_ns, 0, .fallback = "10 s",
         .doc = "how long a KM may use a route without asking again"),
    TIME("status_period", status_period_ns, 1e6, .fallback = "1 s",
         .doc = "time between two status reports"),
    {.key = "at",
     .doc = "node of the QKDN controller; default: the first node",
     .type = SCN_T_NODE,
     AT(at),
     .unset = UINT32_MAX},
};
TABLE(control_table, "control", control_fields, scn_control, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_management
static const struct scn_field management_fields[] = {
    {.key = "at",
     .doc = "node of the QKDN manager; default: the controller's node",
     .type = SCN_T_NODE,
     AT(at),
     .unset = UINT32_MAX},
};
TABLE(management_table, "management", management_fields, scn_management, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_application
static const struct scn_field application_fields[] = {
    ID("id", id, "a unique name for the application pair"),
    {.key = "from",
     .doc = "node of the master application",
     .type = SCN_T_NODE,
     AT(from),
     .required = true,
     .unset = UINT32_MAX},
    {.key = "to",
     .doc = "node of the slave application",
     .type = SCN_T_NODE,
     AT(to),
     .required = true,
     .unset = UINT32_MAX},
    NUM("key", key_bits, SCN_T_U32, SCN_DIM_BITS, 64, 4096, .fallback = "256 bit", .multiple = 8,
        .doc = "length of one key"),
    NUM("count", count, SCN_T_U32, SCN_DIM_NUMBER, 1, 128, .fallback = "1",
        .doc = "keys per request"),
    WORD("arrivals", arrivals, words_arrivals, "poisson", "when requests come"),
    NUM("rate", rate_per_s, SCN_T_REAL, SCN_DIM_FREQUENCY, 1e-9, 1e9, .unset = 0,
        .doc = "poisson, periodic: requests per time"),
    TIME("offset", offset_ns, 0, .unset = SCN_AUTO,
         .doc = "periodic: the first request, after start; default: one period"),
    {.key = "times",
     .doc = "trace: a CSV file, or a list of times",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_times},
    WORD("level", level, scn_words_level, "otp-preferred",
         "whether AES-256 hops are acceptable to the application"),
    TIME("timeout", timeout_ns, 1000, .fallback = "5 s", .doc = "patience of one request"),
    {.key = "wait",
     .doc = "queue up to the time-out when there is not enough key",
     .type = SCN_T_BOOL,
     AT(wait),
     .fallback = "false"},
    TIME("start", start_ns, 0, .fallback = "0", .doc = "no request before"),
    TIME("stop", stop_ns, 1, .unset = SCN_AUTO,
         .doc = "no request at or after; default: the end of the run"),
};
TABLE(application_table, "application", application_fields, scn_application, SCN_KIND_APPLICATION);
#undef STRUCT

#define STRUCT scn_fault
static const struct scn_field fault_fields[] = {
    TIME("at", at_ns, 0, .required = true, .doc = "when it begins"),
    {.key = "link",
     .doc = "the QKD link that fails (or `node`)",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_fault_link},
    {.key = "node",
     .doc = "the node that fails (or `link`)",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_fault_node},
    {.key = "what",
     .doc = "link: both (default), quantum, classical; node: crash (default), down",
     .type = SCN_T_WORD,
     AT(what),
     .words = scn_words_fault,
     .unset = -1},
    TIME("for", for_ns, 1, .unset = SCN_FOREVER, .word = "forever",
         .doc = "how long it lasts; default: to the end"),
};
TABLE(fault_table, "fault", fault_fields, scn_fault, SCN_KIND_FAULT);
#undef STRUCT

#define STRUCT scn_scenario
static const struct scn_field scenario_fields[] = {
    {.key = "scenario",
     .doc = "a name for the scenario",
     .type = SCN_T_TEXT,
     AT(name),
     .required = true},
    NUM("seed", seed, SCN_T_I64, SCN_DIM_NUMBER, 0, 9223372036854774784.0, .fallback = "1",
        .doc = "of all chance"),
    TIME("duration", duration_ns, 1, .required = true, .doc = "the simulated time"),
    TIME("warmup", warmup_ns, 0, .fallback = "0",
         .doc = "requests before this time run but are not counted"),
    WORD("engine", engine, scn_words_engine, "simgrid", "which virtual world"),
    {.key = "network",
     .doc = "nodes, QKD links, classical network",
     .type = SCN_T_SECTION,
     .table = &network_table,
     .required = true},
    {.key = "key_management",
     .doc = "the key managers",
     .type = SCN_T_SECTION,
     AT(key_management),
     .table = &key_management_table},
    {.key = "control",
     .doc = "the QKDN controller",
     .type = SCN_T_SECTION,
     AT(control),
     .table = &control_table},
    {.key = "management",
     .doc = "the QKDN manager",
     .type = SCN_T_SECTION,
     AT(management),
     .table = &management_table},
    {.key = "applications",
     .doc = "pairs of cryptographic applications",
     .type = SCN_T_LIST,
     AT(applications),
     .count_offset = offsetof(struct scn_scenario, application_count),
     .table = &application_table,
     .limit = SCN_MAX_APPLICATIONS},
    {.key = "faults",
     .doc = "failures by time",
     .type = SCN_T_LIST,
     AT(faults),
     .count_offset = offsetof(struct scn_scenario, fault_count),
     .table = &fault_table,
     .limit = SCN_MAX_FAULTS},
    {.key = "expect",
     .doc = "what the results must satisfy: a list of 'path operator number'",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_expect},
    LATER("attacks"),
    LATER("measures"),
    LATER("include"),
    LATER("extends"),
};
#undef STRUCT

const struct scn_table scn_table_scenario = {.name = "scenario",
                                             .fields = scenario_fields,
                                             .field_count = COUNT_OF(scenario_fields),
                                             .item_bytes = sizeof(struct scn_scenario)};
