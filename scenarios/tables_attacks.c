/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of attackers and of security measures in a scenario file. */
#include "scenarios/rows.h"

static const struct scn_word words_surface[] = {{"K1", SCN_SURFACE_K1},
                                                {"K2-1", SCN_SURFACE_K2_1},
                                                {"K3", SCN_SURFACE_K3},
                                                {"A1", SCN_SURFACE_A1},
                                                {"K2-2", SCN_SURFACE_K2_2},
                                                {"C", SCN_SURFACE_C},
                                                {"M", SCN_SURFACE_M},
                                                {"C&M", SCN_SURFACE_CM},
                                                {"KMA", SCN_SURFACE_KMA},
                                                {"KSA", SCN_SURFACE_KSA},
                                                {NULL, 0}};

static const struct scn_word words_class[] = {{"P", SCN_CAPABILITY_P}, {"A", SCN_CAPABILITY_A},
                                              {"F", SCN_CAPABILITY_F}, {"Q", SCN_CAPABILITY_Q},
                                              {"X", SCN_CAPABILITY_X}, {NULL, 0}};

static const struct scn_word words_what[] = {{"listen", SCN_ATTACK_LISTEN},
                                             {"flip", SCN_ATTACK_FLIP},
                                             {"drop", SCN_ATTACK_DROP},
                                             {"delay", SCN_ATTACK_DELAY},
                                             {"replay", SCN_ATTACK_REPLAY},
                                             {"splice", SCN_ATTACK_SPLICE},
                                             {"forge", SCN_ATTACK_FORGE},
                                             {"pose", SCN_ATTACK_POSE},
                                             {"steal", SCN_ATTACK_STEAL},
                                             {"usurp", SCN_ATTACK_USURP},
                                             {"probe", SCN_ATTACK_PROBE},
                                             {"delete", SCN_ATTACK_DELETE},
                                             {"reflect", SCN_ATTACK_REFLECT},
                                             {"truncate", SCN_ATTACK_TRUNCATE},
                                             {"image", SCN_ATTACK_IMAGE},
                                             {"rot", SCN_ATTACK_ROT},
                                             {"destroy", SCN_ATTACK_DESTROY},
                                             {"flood", SCN_ATTACK_FLOOD},
                                             {NULL, 0}};

static const struct scn_word words_flood[] = {
    {"junk", SCN_FLOOD_JUNK},         {"forged", SCN_FLOOD_FORGED},
    {"replayed", SCN_FLOOD_REPLAYED}, {"strangers", SCN_FLOOD_STRANGERS},
    {"requests", SCN_FLOOD_REQUESTS}, {NULL, 0}};

static const struct scn_word words_message[] = {{"any", SCN_MESSAGE_ANY},
                                                {"relay", SCN_MESSAGE_RELAY},
                                                {"take", SCN_MESSAGE_TAKE},
                                                {"key-file", SCN_MESSAGE_KEY_FILE},
                                                {"key-supply", SCN_MESSAGE_KEY_SUPPLY},
                                                {"hand-over", SCN_MESSAGE_HAND_OVER},
                                                {"compare", SCN_MESSAGE_COMPARE},
                                                {"route", SCN_MESSAGE_ROUTE},
                                                {"status", SCN_MESSAGE_STATUS},
                                                {"report", SCN_MESSAGE_REPORT},
                                                {"request", SCN_MESSAGE_REQUEST},
                                                {"handshake", SCN_MESSAGE_HANDSHAKE},
                                                {NULL, 0}};

static const struct scn_word words_part[] = {{"any", SCN_PART_ANY},   {"head", SCN_PART_HEAD},
                                             {"body", SCN_PART_BODY}, {"keys", SCN_PART_KEYS},
                                             {"tag", SCN_PART_TAG},   {NULL, 0}};

/* A word that a cell gives where the scenario does not. */
#define OF_CELL(name, member, list, text)                                                          \
    {                                                                                              \
        .key = name, .doc = text, .type = SCN_T_WORD, AT(member), .words = list, .unset = -1       \
    }

#define STRUCT scn_attack
static const struct scn_field attack_fields[] = {
    {.key = "id", .doc = "a unique name; default: attack-N", .type = SCN_T_ID, AT(id)},
    {.key = "cell",
     .doc = "a threat of X.1712, such as D-K2-1: says surface, class, what, message and part",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_attack_cell},
    {.key = "variant",
     .doc = "which attack of the cell; default: its first",
     .type = SCN_T_ID,
     AT(variant)},
    OF_CELL("surface", surface, words_surface, "attack surface of X.1712 where it is"),
    OF_CELL("class", class, words_class,
            "what it can: P listens, A is in the middle, Q breaks ciphers, X reaches a machine"),
    OF_CELL("what", what, words_what, "what it does with a message that it meets"),
    OF_CELL("message", message, words_message, "which messages it goes for; default: any"),
    OF_CELL("part", part, words_part, "flip: which part of them; default: any"),
    {.key = "link",
     .doc = "between the two ends of this QKD link, or at its modules; default: anywhere",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_attack_link},
    {.key = "node",
     .doc = "what this node sends and receives; default: any",
     .type = SCN_T_NODE,
     AT(node),
     .unset = UINT32_MAX},
    {.key = "application",
     .doc = "surface A1: at the agents of this application; default: any",
     .type = SCN_T_SPECIAL,
     .special = &scn_special_attack_application},
    TIME("at", at_ns, 0, .fallback = "0", .doc = "when it begins"),
    TIME("for", for_ns, 1, .unset = SCN_FOREVER, .word = "forever",
         .doc = "how long it lasts; default: to the end"),
    NUM("probability", probability, SCN_T_REAL, SCN_DIM_FRACTION, 0, 1, .unset = -1,
        .doc =
            "of each message that it could touch, that it does; default: 1, or as the cell says"),
    TIME("delay", delay_ns, 1e6, .unset = 0,
         .doc = "delay, replay: how much later; default: 100 ms"),
    NUM("mask", mask, SCN_T_U32, SCN_DIM_NUMBER, 1, 255, .unset = 0,
        .doc = "flip: the bits of each byte that it flips; default: 1"),
    NUM("bytes", bytes, SCN_T_U32, SCN_DIM_NUMBER, 1, 65536, .unset = 0,
        .doc = "flip: bytes in a row, at a random place of the part; default: 1"),
    OF_CELL("flood", flood, words_flood, "flood: what it is made of; default: junk"),
    NUM("rate", rate, SCN_T_U32, SCN_DIM_NUMBER, 1, 1e7, .unset = 0,
        .doc = "flood: messages a second; default: ten times what its victim gets, and 1,000 at "
               "least"),
};
const struct scn_table scn_table_attack = {
    .name = "attack",
    .fields = attack_fields,
    .field_count = COUNT_OF(attack_fields),
    .item_bytes = sizeof(struct scn_attack),
    .kind = SCN_KIND_ATTACK,
    .needs = "\"anyOf\": [{\"required\": [\"cell\"]}, {\"required\": [\"surface\", \"what\"]}]"};
#undef STRUCT

static const struct scn_word words_switch[] = {{"on", 1}, {"off", 0}, {NULL, 0}};

#define MEASURE(name, word, text)                                                                  \
    {.key = word,                                                                                  \
     .doc = text,                                                                                  \
     .type = SCN_T_WORD,                                                                           \
     .offset = sizeof(int) * QKD_MEASURE_##name,                                                   \
     .words = words_switch,                                                                        \
     .fallback = "on",                                                                             \
     .quiet = true},
static const struct scn_field measures_fields[] = {QKD_MEASURES(MEASURE)};
const struct scn_table scn_table_measures = {.name = "measures",
                                             .fields = measures_fields,
                                             .field_count = COUNT_OF(measures_fields),
                                             .item_bytes = sizeof(int) * QKD_MEASURE_COUNT};
