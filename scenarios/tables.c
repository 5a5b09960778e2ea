/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of a scenario file: type, place in the struct, unit, default, range, meaning. Here the top
 * level, key management, control and management, and the words that others print. The order is the
 * order of decoding: what is referred to comes before what refers to it. */
#include "scenarios/expand.h"
#include "scenarios/rows.h"

const struct scn_word scn_words_engine[] = {{"simgrid", SCN_ENGINE_SIMGRID},
                                            {"fast", SCN_ENGINE_FAST},
                                            {NULL, 0}};

const struct scn_word scn_words_role[] = {
    {"user", SCN_ROLE_USER}, {"relay", SCN_ROLE_RELAY}, {"border", SCN_ROLE_BORDER}, {NULL, 0}};

const struct scn_word scn_words_routing[] = {{"fewest-hops", SCN_ROUTING_FEWEST_HOPS},
                                             {"widest", SCN_ROUTING_WIDEST},
                                             {"key-aware", SCN_ROUTING_WIDEST},
                                             {"lowest-delay", SCN_ROUTING_LOWEST_DELAY},
                                             {"refill-time", SCN_ROUTING_REFILL_TIME},
                                             {"least-loaded", SCN_ROUTING_LEAST_LOADED},
                                             {"k-shortest", SCN_ROUTING_K_SHORTEST},
                                             {"disjoint", SCN_ROUTING_DISJOINT},
                                             {NULL, 0}};

const struct scn_word scn_words_level[] = {{"any", SCN_LEVEL_ANY},
                                           {"otp-preferred", SCN_LEVEL_OTP_PREFERRED},
                                           {"otp-only", SCN_LEVEL_OTP_ONLY},
                                           {NULL, 0}};

const struct scn_word scn_words_fault[] = {{"both", SCN_FAULT_BOTH},
                                           {"quantum", SCN_FAULT_QUANTUM},
                                           {"classical", SCN_FAULT_CLASSICAL},
                                           {"crash", SCN_FAULT_CRASH},
                                           {"down", SCN_FAULT_DOWN},
                                           {"torn-commit", SCN_FAULT_TORN},
                                           {"disk-full", SCN_FAULT_DISK_FULL},
                                           {"degraded", SCN_FAULT_DEGRADED},
                                           {"module", SCN_FAULT_MODULE},
                                           {"impaired", SCN_FAULT_IMPAIRED},
                                           {"partition", SCN_FAULT_PARTITION},
                                           {"store-lost", SCN_FAULT_STORE_LOST},
                                           {"optical-switch", SCN_FAULT_SWITCH},
                                           {"relay-point", SCN_FAULT_POINT},
                                           {"maintenance", SCN_FAULT_MAINTENANCE},
                                           {NULL, 0}};

const struct scn_word scn_words_compare[] = {{"<", SCN_LT},  {"<=", SCN_LE}, {"==", SCN_EQ},
                                             {"!=", SCN_NE}, {">=", SCN_GE}, {">", SCN_GT},
                                             {NULL, 0}};

const struct scn_word scn_words_relay[] = {{"hop-by-hop", SCN_RELAY_HOP_BY_HOP},
                                           {"hop-by-hop-first-key", SCN_RELAY_FIRST_KEY},
                                           {"destination", SCN_RELAY_DESTINATION},
                                           {"multipath", SCN_RELAY_MULTIPATH},
                                           {NULL, 0}};

static const struct scn_word words_supply[] = {{"on-demand", SCN_SUPPLY_ON_DEMAND},
                                               {"pooled", SCN_SUPPLY_POOLED},
                                               {NULL, 0}};

static const struct scn_word words_fallback[] = {{"none", SCN_FALLBACK_NONE},
                                                 {"aes-256", SCN_FALLBACK_AES256},
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
                                             {"proactive", SCN_MODE_PROACTIVE},
                                             {"distributed", SCN_MODE_DISTRIBUTED},
                                             {NULL, 0}};

#define STRUCT scn_key_management
static const struct scn_field key_management_fields[] = {
    NUM("unit", unit_bits, SCN_T_U32, SCN_DIM_BITS, 64, 4096, .fallback = "256 bit", .multiple = 8,
        .doc = "size of a KMA-key unit"),
    BITS("store", store_bits, 8, .fallback = "64 Mbit",
         .doc = "default limit of a link's key store at each end"),
    WORD("relay", relay, scn_words_relay, "hop-by-hop", "how keys cross more than one link"),
    NUM("paths", paths, SCN_T_U32, SCN_DIM_NUMBER, 2, 4, .unset = 0,
        .doc =
            "multipath: routes without a common node, each of which carries a share; default: 2"),
    WORD("supply", supply, words_supply, "on-demand",
         "keys are relayed when asked for, or ahead of need into a pool of each pair"),
    NUM("pool_low", pool_low, SCN_T_U32, SCN_DIM_NUMBER, 1, 10000, .fallback = "16",
        .doc = "pooled: keys below which a pool is filled up"),
    NUM("pool_high", pool_high, SCN_T_U32, SCN_DIM_NUMBER, 1, 10000, .fallback = "64",
        .doc = "pooled: keys up to which it is"),
    NUM("pool_batch", pool_batch, SCN_T_U32, SCN_DIM_NUMBER, 1, 32, .fallback = "16",
        .doc = "pooled: most keys in one frame that fills it"),
    WORD("fallback", fallback, words_fallback, "none", "what replaces a pad that is not there"),
    NUM("fallback_reserve", fallback_reserve_bits, SCN_T_I64, SCN_DIM_BITS, 1024, 1e9,
        .fallback = "8 kbit", .multiple = 8,
        .doc =
            "key of each link and side that payload leaves to AES-256 frames, for tags and keys"),
    TIME("fallback_rekey", fallback_rekey_ns, 1e9, .fallback = "10 min",
         .doc = "longest use of a key of AES-256"),
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
    TIME("processing", processing_ns, 0, .fallback = "0",
         .doc = "how late every output of a key manager leaves, its commit included"),
};
static TABLE(key_management_table, "key_management", key_management_fields, scn_key_management,
             SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_control
static const struct scn_field control_fields[] = {
    WORD("routing", routing, scn_words_routing, "widest", "how the QKDN controller chooses routes"),
    NUM("paths", paths, SCN_T_U32, SCN_DIM_NUMBER, 2, 8, .fallback = "3",
        .doc = "routes among which k-shortest and disjoint choose"),
    WORD("mode", mode, words_mode, "on-request", "when routes are computed"),
    TIME("route_validity", route_validity_ns, 0, .fallback = "10 s",
         .doc = "how long a KM may use a route without asking again"),
    TIME("status_period", status_period_ns, 1e6, .fallback = "1 s",
         .doc = "time between two status reports"),
    BITS("low_mark", low_mark_bits, 0, .fallback = "0",
         .doc = "no route leads over a link that has less unused key than this"),
    NUM("reservable", reservable, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .fallback = "0.9",
        .doc = "share of a link's key rate that sessions may reserve"),
    {.key = "keep_route",
     .doc = "two key managers keep their route while all its links can pay",
     .type = SCN_T_BOOL,
     AT(keep_route),
     .fallback = "false"},
    {.key = "at",
     .doc = "node of the QKDN controller; default: the first node",
     .type = SCN_T_NODE,
     AT(at),
     .unset = UINT32_MAX},
    {.key = "controller",
     .doc = "whether there is a controller; false needs mode distributed",
     .type = SCN_T_BOOL,
     AT(is_there),
     .fallback = "true"},
    TIME("forecast", forecast_ns, 1e6, .unset = 0,
         .doc = "a link whose store will be full so soon makes no key until it will not"),
    {.key = "standby",
     .doc = "another node, whose controller takes over when the first one is gone; default: none",
     .type = SCN_T_NODE,
     AT(standby),
     .unset = UINT32_MAX},
};
static TABLE(control_table, "control", control_fields, scn_control, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_management
static const struct scn_field management_fields[] = {
    {.key = "at",
     .doc = "node of the QKDN manager; default: the controller's node",
     .type = SCN_T_NODE,
     AT(at),
     .unset = UINT32_MAX},
};
static TABLE(management_table, "management", management_fields, scn_management, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_security
static const struct scn_field security_fields[] = {
    NUM("bad_frames", bad_frames, SCN_T_U32, SCN_DIM_NUMBER, 1, 1e6, .fallback = "32",
        .doc = "bad frames of one source in a second; with more it goes into quarantine"),
    TIME("quarantine", quarantine_ns, 1e6, .fallback = "10 s", .doc = "how long"),
    NUM("checks", checks, SCN_T_U32, SCN_DIM_NUMBER, 1, 1e6, .fallback = "4096",
        .doc = "failing checks of tags of one source in a second, beside 16 for each good message"),
    NUM("requests", requests, SCN_T_U32, SCN_DIM_NUMBER, 1, 1e6, .unset = 0, .word = "any",
        .doc = "most requests of an application in a second; default: any number"),
    TIME("retry", retry_ns, 0, .fallback = "0",
         .doc = "applications ask again after this, in the same bytes, if nothing is answered; 0: "
                "never"),
    TIME("work", work_ns, 0, .fallback = "0",
         .doc = "virtual worlds: processor time of a message that leads to a commit, message or "
                "report"),
    TIME("check", check_ns, 0, .unset = SCN_AUTO, .word = "auto",
         .doc = "processor time of a check of a tag; auto: a 50th of work"),
    TIME("screen", screen_ns, 0, .unset = SCN_AUTO, .word = "auto",
         .doc = "processor time of any message; auto: a 1000th of work"),
    NUM("backlog", backlog, SCN_T_U32, SCN_DIM_NUMBER, 1, 1e6, .fallback = "1000",
        .doc = "messages that may wait for a processor; what comes then is lost"),
};
static TABLE(security_table, "security", security_fields, scn_security, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_seeds
static const struct scn_field seeds_fields[] = {
    SEED("arrivals", arrivals, "when requests come, of all applications"),
    SEED("links", links, "key of all QKD links, and when random blocks are complete"),
    SEED("losses", losses, "which frames are lost, doubled, held back"),
    SEED("elements", elements, "what key managers and other elements draw, and their secrets"),
    SEED("faults", faults, "when what fails at random fails"),
};
static TABLE(seeds_table, "seeds", seeds_fields, scn_seeds, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_scenario
static const struct scn_field scenario_fields[] = {
    {.key = "scenario",
     .doc = "a name for the scenario",
     .type = SCN_T_TEXT,
     AT(name),
     .required = true},
    NUM("seed", seed, SCN_T_I64, SCN_DIM_NUMBER, 0, MOST_SEED, .fallback = "1",
        .doc = "of all chance"),
    {.key = "seeds",
     .doc = "of single streams of chance; default of each: seed",
     .type = SCN_T_SECTION,
     AT(seeds),
     .table = &seeds_table},
    TIME("duration", duration_ns, 1, .required = true, .doc = "the simulated time"),
    TIME("warmup", warmup_ns, 0, .fallback = "0",
         .doc = "requests before this time run but are not counted"),
    WORD("engine", engine, scn_words_engine, "simgrid", "which virtual world"),
    {.key = "network",
     .doc = "nodes, QKD links, classical network",
     .type = SCN_T_SECTION,
     .table = &scn_table_network,
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
    {.key = "security",
     .doc = "what others may cost an element, and what messages cost",
     .type = SCN_T_SECTION,
     AT(security),
     .table = &security_table},
    {.key = "classes",
     .doc = "classes of applications: who gets the key of a link when there is too little",
     .type = SCN_T_LIST,
     AT(classes),
     .count_offset = offsetof(struct scn_scenario, class_count),
     .table = &scn_table_class,
     .limit = SCN_MAX_CLASSES},
    {.key = "applications",
     .doc = "pairs of cryptographic applications",
     .type = SCN_T_LIST,
     AT(applications),
     .count_offset = offsetof(struct scn_scenario, application_count),
     .table = &scn_table_application,
     .limit = SCN_MAX_APPLICATIONS},
#undef STRUCT
#define STRUCT scn_demands
    {.key = "demands",
     .doc = "further application pairs: by tables, matrices, all pairs, gravity",
     .type = SCN_T_LIST,
     AT(items),
     .count_offset = offsetof(struct scn_demands, count),
     .table = &scn_table_demand,
     .limit = SCN_MAX_DEMANDS,
     .early = true},
#undef STRUCT
#define STRUCT scn_scenario
    {.key = "access",
     .doc = "who may ask for keys with whom: the first rule that fits decides; none: allowed",
     .type = SCN_T_LIST,
     AT(access),
     .count_offset = offsetof(struct scn_scenario, access_count),
     .table = &scn_table_access,
     .limit = SCN_MAX_ACCESS},
    {.key = "faults",
     .doc = "failures by time",
     .type = SCN_T_LIST,
     AT(faults),
     .count_offset = offsetof(struct scn_scenario, fault_count),
     .table = &scn_table_fault,
     .limit = SCN_MAX_FAULTS},
    {.key = "attacks",
     .doc = "attackers at reference points",
     .type = SCN_T_LIST,
     AT(attacks),
     .count_offset = offsetof(struct scn_scenario, attack_count),
     .table = &scn_table_attack,
     .limit = SCN_MAX_ATTACKS,
     .quiet = true},
    {.key = "measures",
     .doc = "single security measures, to be switched off for experiments",
     .type = SCN_T_SECTION,
     AT(measures),
     .table = &scn_table_measures,
     .quiet = true},
    {.key = "expect",
     .doc = "what the results must satisfy: a list of 'path operator number'",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_expect},
    {.key = "extends",
     .doc = "the scenario file under this one, beside it",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_extends,
     .early = true},
    {.key = "include",
     .doc = "scenario files between `extends` and this one, each over the one before",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_include,
     .early = true},
    {.key = "remove",
     .doc = "what is taken out of the files under this one: a list of paths",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_remove,
     .early = true},
};
#undef STRUCT

const struct scn_table scn_table_scenario = {.name = "scenario",
                                             .fields = scenario_fields,
                                             .field_count = COUNT_OF(scenario_fields),
                                             .item_bytes = sizeof(struct scn_scenario)};
