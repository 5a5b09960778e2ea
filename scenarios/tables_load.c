/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of a scenario file under `applications` and `faults`: what happens to the network. */
#include "scenarios/multicast.h"
#include "scenarios/risk.h"
#include "scenarios/rows.h"

const struct scn_word scn_words_arrivals[] = {
    {"poisson", SCN_ARRIVALS_POISSON}, {"periodic", SCN_ARRIVALS_PERIODIC},
    {"trace", SCN_ARRIVALS_TRACE},     {"on-off", SCN_ARRIVALS_ON_OFF},
    {"diurnal", SCN_ARRIVALS_DIURNAL}, {NULL, 0}};

static const struct scn_word words_periods[] = {{"exponential", SCN_PERIODS_EXPONENTIAL},
                                                {"fixed", SCN_PERIODS_FIXED},
                                                {NULL, 0}};

static const struct scn_word words_session_keys[] = {{"at-rate", SCN_SESSION_AT_RATE},
                                                     {"none", SCN_SESSION_NO_KEYS},
                                                     {NULL, 0}};

#define STRUCT scn_session
static const struct scn_field session_fields[] = {
    NUM("rate", rate_bps, SCN_T_I64, SCN_DIM_RATE, 1, MOST_BPS, .unset = 0,
        .doc = "bits of key per second that each session is guaranteed; default: the min_rate of "
               "the application's class"),
    TIME("hold", hold_ns, 1e6, .unset = 0, .required = true,
         .doc = "(mean) time that an admitted session lasts"),
    WORD("hold_law", hold_law, words_periods, "exponential", "law of that time"),
    WORD("keys", keys, words_session_keys, "at-rate",
         "whether an open session asks for keys at its rate, or none"),
    TIME("timeout", timeout_ns, 1e9, .fallback = "60 s",
         .doc = "a session whose application is silent for so long is ended"),
};
static TABLE(session_table, "session", session_fields, scn_session, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_class
static const struct scn_field class_fields[] = {
    ID("id", id, "a unique name for the class"),
    NUM("priority", priority, SCN_T_U32, SCN_DIM_NUMBER, 0, 7, .fallback = "0",
        .doc = "0 is the most important; whoever is less important gets what is left"),
    BITS("reserve", reserve_bits, 0, .fallback = "4096 bit",
         .doc = "key of each link that is left to the class by all less important ones"),
    RATE("min_rate", min_bps, .unset = 0, .doc = "guaranteed to each session, or it is refused"),
    RATE("max_rate", max_bps, .unset = 0,
         .doc = "the most key per second that each of its applications may ask for outside "
                "sessions"),
    TIME("timeout", timeout_ns, 1000, .unset = 0, .doc = "patience of one request"),
    {.key = "wait",
     .doc = "queue up to the time-out when there is not enough key",
     .type = SCN_T_BOOL,
     AT(wait),
     .fallback = "false"},
};
TABLE(scn_table_class, "class", class_fields, scn_class, SCN_KIND_CLASS);
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
    {.key = "also",
     .doc = "multicast: nodes of further slave applications, which get the same keys",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_also,
     .early = true},
    {.key = "of",
     .doc = "multicast: the application whose keys it gets (what `also` makes)",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_of},
    {.key = "address",
     .doc = "of the slave in a user network of its node: the master names it by that",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_address},
    NUM("key", key_bits, SCN_T_U32, SCN_DIM_BITS, 64, 4096, .fallback = "256 bit", .multiple = 8,
        .doc = "length of one key"),
    NUM("count", count, SCN_T_U32, SCN_DIM_NUMBER, 1, 128, .fallback = "1",
        .doc = "keys per request"),
    WORD("arrivals", arrivals, scn_words_arrivals, "poisson", "when requests come"),
    NUM("rate", rate_per_s, SCN_T_REAL, SCN_DIM_FREQUENCY, 1e-9, 1e9, .unset = 0,
        .doc = "requests per time; on-off: while on; diurnal: at the peak"),
    NUM("key_rate", key_rate_bps, SCN_T_REAL, SCN_DIM_RATE, 1e-6, MOST_BPS, .unset = 0,
        .doc = "instead of rate: the mean rate of key that is asked for"),
    BITS("volume", volume_bits, 1, .unset = 0,
         .doc = "poisson, periodic: instead of rate: the mean amount of key that is asked for from "
                "start to stop"),
    TIME("offset", offset_ns, 0, .unset = SCN_AUTO,
         .doc = "after start: periodic: the first request, default one period; on-off with fixed "
                "periods: the first on period, default 0"),
    {.key = "times",
     .doc = "trace: a CSV file, or a list of times",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_times},
    TIME("on_time", on_ns, 1, .unset = 0, .doc = "on-off: (mean) length of the on periods"),
    TIME("off_time", off_ns, 1, .unset = 0, .doc = "on-off: (mean) length of the off periods"),
    {.key = "periods",
     .doc = "on-off: law of the lengths of the periods; default: exponential",
     .type = SCN_T_WORD,
     AT(periods),
     .words = words_periods,
     .unset = -1},
    NUM("trough", trough_per_s, SCN_T_REAL, SCN_DIM_FREQUENCY, 0, 1e9, .unset = -1,
        .doc = "diurnal: the least rate; default: 0"),
    TIME("peak", peak_ns, 0, .unset = SCN_AUTO,
         .doc = "diurnal: when the rate is highest, since the start of each day; default: 14 h"),
    TIME("day", day_ns, 1, .unset = 0,
         .doc = "diurnal: length of a day (the run begins with one); default: 24 h"),
    {.key = "profile",
     .doc = "diurnal: instead of a sinusoid, a CSV file or a list of [time of day, rate]",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_profile},
    WORD("level", level, scn_words_level, "otp-preferred",
         "whether AES-256 hops are acceptable to the application"),
    {.key = "relay",
     .doc = "how its keys cross more than one link; default: key_management.relay",
     .type = SCN_T_WORD,
     AT(relay),
     .words = scn_words_relay,
     .unset = -1},
    NUM("paths", paths, SCN_T_U32, SCN_DIM_NUMBER, 2, 4, .unset = 0,
        .doc = "multipath: routes without a common node; default: key_management.paths"),
    RATE("max_rate", max_bps, .unset = 0,
         .doc = "the most key per second that it may ask for outside sessions; beyond: refused"),
    {.key = "class",
     .doc = "its class: how important it is, and defaults of max_rate, timeout, wait, session.rate",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_application_class},
    TIME("timeout", timeout_ns, 1000, .fallback = "5 s", .doc = "patience of one request"),
    {.key = "wait",
     .doc = "queue up to the time-out when there is not enough key",
     .type = SCN_T_BOOL,
     AT(wait),
     .fallback = "false"},
    {.key = "session",
     .doc = "each arrival opens a session with a guaranteed rate instead of one request",
     .type = SCN_T_SECTION,
     AT(session),
     .table = &session_table},
    TIME("start", start_ns, 0, .fallback = "0", .doc = "no request before"),
    TIME("stop", stop_ns, 1, .unset = SCN_AUTO,
         .doc = "no request at or after; default: the end of the run"),
    SEED("seed", seed, "of its arrivals; default: seeds.arrivals"),
};
TABLE(scn_table_application, "application", application_fields, scn_application,
      SCN_KIND_APPLICATION);

/* The first rows are id, from, to, also, of and address: every application has its own. */
#define OWN_ROWS 6
const struct scn_table scn_table_application_template = {
    .name = "application of a demand",
    .fields = application_fields + OWN_ROWS,
    .field_count = COUNT_OF(application_fields) - OWN_ROWS,
    .item_bytes = sizeof(struct scn_application)};
#undef STRUCT

static const struct scn_word words_verb[] = {{"allow", SCN_ALLOW}, {"deny", SCN_DENY}, {NULL, 0}};

#define STRUCT scn_access_side
static const struct scn_field side_fields[] = {
    {.key = "node",
     .doc = "the application is at this node",
     .type = SCN_T_NODE,
     AT(node),
     .unset = UINT32_MAX},
    {.key = "operator",
     .doc = "the application's node belongs to this operator",
     .type = SCN_T_TEXT,
     AT(operator_id),
     .room = SCN_ID_SIZE},
    {.key = "community",
     .doc = "the application's node serves this community",
     .type = SCN_T_TEXT,
     AT(community),
     .room = SCN_ID_SIZE},
    {.key = "role",
     .doc = "the application's node has this role",
     .type = SCN_T_WORD,
     AT(role),
     .words = scn_words_role,
     .unset = -1},
};
static TABLE(side_table, "side of an access rule", side_fields, scn_access_side, SCN_KIND_NONE);
#undef STRUCT

#define STRUCT scn_access
static const struct scn_field access_fields[] = {
    {.key = "rule",
     .doc = "what it says",
     .type = SCN_T_WORD,
     AT(verb),
     .words = words_verb,
     .required = true,
     .unset = -1},
    {.key = "from",
     .doc = "the application that asks; default: any",
     .type = SCN_T_SECTION,
     AT(from),
     .table = &side_table},
    {.key = "to",
     .doc = "its partner; default: any",
     .type = SCN_T_SECTION,
     AT(to),
     .table = &side_table},
    {.key = "application",
     .doc = "the application pair with this id; default: any",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_access_application},
    {.key = "level",
     .doc = "applications of this level; default: any",
     .type = SCN_T_WORD,
     AT(level),
     .words = scn_words_level,
     .unset = -1},
};
TABLE(scn_table_access, "access rule", access_fields, scn_access, SCN_KIND_ACCESS);
#undef STRUCT

const struct scn_word scn_words_element[] = {{"controller", SCN_ELEMENT_CONTROLLER},
                                             {"manager", SCN_ELEMENT_MANAGER},
                                             {"standby", SCN_ELEMENT_STANDBY},
                                             {NULL, 0}};

#define STRUCT scn_fault
static const struct scn_field fault_fields[] = {
    TIME("at", at_ns, 0, .unset = SCN_AUTO, .doc = "when it begins; with mtbf: not before this"),
    {.key = "link",
     .doc = "the QKD link that fails, or a list of links",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_fault_link},
    {.key = "node",
     .doc = "the node that fails, or a list of nodes",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_fault_node},
    {.key = "classical_link",
     .doc = "the link of network.classical.links that fails, or a list of them",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_fault_classical},
    {.key = "element",
     .doc = "the QKDN controller, the QKDN manager or the standby controller fails",
     .type = SCN_T_WORD,
     AT(element),
     .words = scn_words_element,
     .unset = -1},
    {.key = "group",
     .doc = "all of a group of network.risk_groups fail at once",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_fault_group},
    {.key = "what",
     .doc = "link: both (default), quantum, classical, degraded, module, impaired, optical-switch, "
            "relay-point, maintenance; node: crash (default), down, torn-commit, store-lost, "
            "disk-full, partition; element: crash",
     .type = SCN_T_WORD,
     AT(what),
     .words = scn_words_fault,
     .unset = -1},
    TIME("for", for_ns, 1, .unset = SCN_FOREVER, .word = "forever",
         .doc = "how long it lasts; default: to the end"),
    NUM("output", output, SCN_T_I64, SCN_DIM_NUMBER, 1, 1e12, .unset = 0,
        .doc = "crash: after so many outputs of the node (commits, messages) from `at` on; "
               "torn-commit: in this commit, by default the first"),
    {.key = "event",
     .doc = "faults with the same name count as one event",
     .type = SCN_T_ID,
     AT(event)},
    {.key = "end",
     .doc = "module: the node at which the module of the link is",
     .type = SCN_T_NODE,
     AT(end),
     .unset = UINT32_MAX},
    NUM("loss", loss_db, SCN_T_REAL, SCN_DIM_LOSS, 0, 200, .unset = 0,
        .doc =
            "degraded: added to the loss; the key rate falls in proportion to the transmittance"),
    NUM("qber", qber, SCN_T_REAL, SCN_DIM_FRACTION, 0, 0.5, .unset = 0,
        .doc = "degraded: added to the QBER"),
    NUM("rate", rate, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .unset = 1,
        .doc = "degraded: share of the key rate that is left"),
    TIME("delay", delay_ns, 0, .unset = 0, .doc = "impaired: added to the latency, one way"),
    NUM("frame_loss", frame_loss, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .unset = 0,
        .doc = "impaired: probability that a frame is lost"),
    NUM("frame_corruption", frame_corruption, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .unset = 0,
        .doc = "impaired: probability that a bit of a frame is flipped"),
    TIME("every", every_ns, 1, .unset = 0,
         .doc = "it comes again so long after each begin: maintenance windows"),
    TIME("until", until_ns, 1, .unset = SCN_FOREVER,
         .doc = "every, mtbf: none begins at or after; default: the end of the run"),
    TIME("mtbf", mtbf_ns, 1, .unset = 0,
         .doc = "it comes at random, after this (mean) time without it"),
    TIME("mttr", mttr_ns, 1, .unset = 0, .doc = "and is repaired after this (mean) time"),
};
const struct scn_table scn_table_fault = {
    .name = "fault",
    .fields = fault_fields,
    .field_count = COUNT_OF(fault_fields),
    .item_bytes = sizeof(struct scn_fault),
    .kind = SCN_KIND_FAULT,
    .needs = "\"anyOf\": [{\"required\": [\"at\"]}, {\"required\": [\"mtbf\"]}]"};
#undef STRUCT

#define STRUCT scn_risk_group
static const struct scn_field risk_group_fields[] = {
    ID("id", id, "a unique name for the group"),
    {.key = "links",
     .doc = "QKD links that fail together",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_risk_links},
    {.key = "nodes",
     .doc = "nodes that fail together",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_risk_nodes},
    {.key = "classical_links",
     .doc = "links of network.classical.links that fail together",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_risk_classical},
};
TABLE(scn_table_risk_group, "risk group", risk_group_fields, scn_risk_group, SCN_KIND_RISK);
#undef STRUCT
