/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables that define scenario files: one row per key. The decoder, the printer and the JSON
 * Schema all walk these tables, so that they cannot disagree. Internal to scenarios/. */
#ifndef SCN_FIELD_H
#define SCN_FIELD_H

#include "scenarios/context.h"
#include "scenarios/quantity.h"
#include "scenarios/tree.h"

enum scn_type {
    SCN_T_ID,      /* char[SCN_ID_SIZE]: letters, digits, "_", "-", ".", ":" */
    SCN_T_TEXT,    /* char[room] */
    SCN_T_BOOL,    /* bool */
    SCN_T_WORD,    /* an enum: `words` */
    SCN_T_I64,     /* int64_t (or uint64_t below 2^63), in `dimension` */
    SCN_T_U32,     /* uint32_t, in `dimension` */
    SCN_T_REAL,    /* double, in `dimension` */
    SCN_T_NODE,    /* uint32_t: index of the node whose id is given */
    SCN_T_SECTION, /* a mapping: `table`, relative to offset */
    SCN_T_LIST,    /* a list of mappings: pointer at offset, size_t at count_offset, `table` */
    SCN_T_SPECIAL, /* `special` */
    SCN_T_LATER    /* known, not available in this version: only an empty value is accepted */
};

/* A word of an enum; value SCN_LATER: known, not available in this version. */
#define SCN_LATER (-1000)
struct scn_word {
    const char *word; /* NULL ends the list */
    int value;
};

struct scn_buffer; /* growing text, scenarios/buffer.h */
struct scn_table;

/* JSON Schema of an identifier, which YAML may read as a number or a truth value. */
#define SCN_SCHEMA_ID                                                                              \
    "\"type\": [\"string\", \"number\", \"boolean\"], \"pattern\": \"^[A-Za-z0-9_.:-]{1,63}$\""

/* A value with a form of its own. `base` is the struct that the table describes. */
struct scn_special {
    void (*decode)(struct scn_ctx *ctx, const struct scn_tree *value, void *base);
    /* Prints the value, or nothing and returns false if it is not set. */
    bool (*print)(struct scn_buffer *out, const struct scn_scenario *scenario, const void *base);
    const char *schema; /* JSON Schema of the value, without braces; @time@, @rate@, @frequency@ and
                           @qber@ stand for that of a quantity */
};

struct scn_field {
    const char *key;
    const char *doc; /* one line: what it means */
    enum scn_type type;
    enum scn_dimension dimension;
    bool required;
    bool early;    /* used up before decoding (scn_expand); not a part of the scenario */
    bool quiet;    /* not printed where it is empty or has its default (word, list, section) */
    size_t room;   /* SCN_T_TEXT: bytes of the array; 0: SCN_NAME_SIZE */
    size_t offset; /* in the struct */
    size_t count_offset;  /* SCN_T_LIST: of the count */
    const char *fallback; /* default, as in a file; NULL: `unset` */
    int64_t unset;        /* value that stands for "not given" where there is no fallback */
    const char *word;     /* a word for `unset`, such as "auto"; may be NULL */
    double min, max;      /* of a number, in its base unit */
    uint32_t multiple;    /* the number is a multiple of this; 0: any */
    size_t limit;         /* SCN_T_LIST: most items */
    const struct scn_word *words;
    const struct scn_table *table;
    const struct scn_special *special;
};

struct scn_table {
    const char *name; /* of what it describes: "link" */
    const struct scn_field *fields;
    size_t field_count;
    size_t item_bytes;  /* of the struct, for lists */
    enum scn_kind kind; /* of its items, for lists */
    /* What must be there beyond `required`, as members of a JSON Schema; NULL: nothing. The loader
     * has its own checks for it. */
    const char *needs;
};

/* The whole file. */
extern const struct scn_table scn_table_scenario;

/* Its parts, one source file each. */
/* What a link has besides id, ends, length and loss. */
extern const struct scn_table scn_table_link_template;

extern const struct scn_table scn_table_network, scn_table_application, scn_table_fault,
    scn_table_access, scn_table_class, scn_table_demand, scn_table_risk_group, scn_table_attack,
    scn_table_measures;

/* What an application has besides id, from and to. */
extern const struct scn_table scn_table_application_template;

/* Words of the enums that others print. */
extern const struct scn_word scn_words_engine[], scn_words_role[], scn_words_routing[],
    scn_words_level[], scn_words_relay[], scn_words_fault[], scn_words_element[],
    scn_words_compare[], scn_words_arrivals[];

extern const struct scn_special scn_special_ends, scn_special_trace, scn_special_times,
    scn_special_profile, scn_special_access_application, scn_special_application_class,
    scn_special_mac, scn_special_fault_link, scn_special_fault_node, scn_special_fault_classical,
    scn_special_fault_group, scn_special_risk_links, scn_special_risk_nodes,
    scn_special_risk_classical, scn_special_switches, scn_special_classical_ends,
    scn_special_user_networks, scn_special_address, scn_special_ksa_address,
    scn_special_attack_cell, scn_special_attack_link, scn_special_attack_application,
    scn_special_include, scn_special_extends, scn_special_remove, scn_special_expect,
    scn_special_optical_links, scn_special_optical_link;

/* Fills `base` from a mapping (NULL: all defaults); mistakes are recorded. `at` is where the
 * mapping is or should be. */
void scn_decode_section(struct scn_ctx *ctx, const struct scn_table *table,
                        const struct scn_tree *map, struct scn_place at, void *base);

/* Reads one row that is marked `early` into `base`. */
void scn_decode_early(struct scn_ctx *ctx, const struct scn_table *table,
                      const struct scn_tree *map, const char *key, void *base);

/* Index of the item with this id among the decoded items of a kind; UINT32_MAX and a mistake with
 * the nearest id if there is none. */
uint32_t scn_ref_find(struct scn_ctx *ctx, enum scn_kind kind, const char *id, struct scn_place at);

/* The same without a mistake. */
uint32_t scn_ref_look(const struct scn_ctx *ctx, enum scn_kind kind, const char *id);

/* Whether max_span made spans of the link that had this id. */
bool scn_link_was_cut(const struct scn_ctx *ctx, const char *id);

/* Makes the index of a decoded list, whose first id is `ids`, and reports ids used twice. */
void scn_items_index(struct scn_ctx *ctx, const struct scn_table *table, const char *ids);

/* ": did you mean 'near'?", or "" for NULL: for the end of a message. */
const char *scn_hint(char hint[SCN_NAME_SIZE], const char *near);

/* Whether a table has a row with this key that is available. */
bool scn_table_has(const struct scn_table *table, const char *key);

/* Whether a text can be an identifier. */
bool scn_id_valid(const char *text);

/* The tree with the files under it (`extends`, `include`, `remove`); NULL after a mistake. */
struct scn_tree *scn_merge(struct scn_ctx *ctx, struct scn_tree *root);

/* Puts the `network` of another file in the place of the scenario's own. */
void scn_merge_network(struct scn_ctx *ctx, struct scn_tree *root, const char *path);

/* Carries out what changes the network before it is decoded: CSV tables, generate, scale,
 * max_span. */
void scn_expand(struct scn_ctx *ctx, struct scn_tree *root);

/* Carries out `demands`: further applications. After scn_expand. */
void scn_demands_expand(struct scn_ctx *ctx, struct scn_tree *root);

/* Fills in what depends on more than one key, and checks it; the parts of applications and faults.
 */
void scn_resolve(struct scn_ctx *ctx);
void scn_classical_resolve(struct scn_ctx *ctx);
void scn_applications_resolve(struct scn_ctx *ctx);
void scn_faults_resolve(struct scn_ctx *ctx);
void scn_access_resolve(struct scn_ctx *ctx);
void scn_attacks_resolve(struct scn_ctx *ctx);
void scn_contradictions(struct scn_ctx *ctx);
void scn_opticals_resolve(struct scn_ctx *ctx);
void scn_address_resolve(struct scn_ctx *ctx, size_t application);

/* Finds what the expectations name, once all links and applications are there. */
void scn_expects_resolve(struct scn_ctx *ctx);

/* Where a key of an item was written; the item itself if the key was not. */
struct scn_place scn_place_of(const struct scn_ctx *ctx, enum scn_kind kind, size_t index,
                              const char *path);

/* Whether a key of an item was written. */
bool scn_given(const struct scn_ctx *ctx, enum scn_kind kind, size_t index, const char *key);

/* The word of an enum value; "?" if it has none. */
const char *scn_word_of(const struct scn_word *words, int value);

#endif
