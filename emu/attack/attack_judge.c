/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What attackers of a live run gained, by comparison with the flight records of the daemons: nothing is believed of
 * what they say themselves. Does what a listener saw contain a piece of any message that went his way, before or
 * after the seal of the record layer? Did an element receive what nobody had sent it, or more often than it was
 * sent? When did a daemon first write into its log that a connection was wrong? */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "core/base/err.h"
#include "core/base/map.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/attack/attack_internal.h"
#include "emu/attack/find.h"
#include "emu/deploy/folder.h"
#include "emu/deploy/tap.h"
#include "emu/flight/flight.h"
#include "host/plan.h"

enum { SORTS_MAX = 1 << 22, LINE_MOST = 4096 };

struct judge {
    const struct emu_attack_options *options;
    const char *const *flights;
    struct scn_summary *summary;
    struct host_plan *plan;
    struct emu_find **finds; /* by attacker; NULL: does not listen */
    struct qkd_map sorts;    /* hash of a message -> index of `left` */
    int32_t *left;           /* how often it was sent and not received */
    uint32_t sort_count, sort_cap;
    bool receives; /* second pass: what is received is taken off */
};

/* ---- the report ---- */

static uint64_t number_of(const json_t *item, const char *member)
{
    json_int_t n = json_integer_value(json_object_get(item, member));
    return n < 0 ? 0 : (uint64_t)n;
}

static void item_take(struct scn_attack_summary *to, const json_t *item)
{
    const json_t *first = json_object_get(item, "first_s");
    to->seen = number_of(item, "seen");
    to->touched = number_of(item, "touched");
    to->forged = number_of(item, "forged");
    to->accepted = number_of(item, "let_in");
    to->sent = number_of(item, "sent");
    to->first_s = json_is_number(first) ? json_number_value(first) : (double)NAN;
}

static int report_take(struct judge *judge, struct emu_why *why)
{
    char path[EMU_PATH_SIZE];
    json_error_t error;
    int err = emu_path_join(path, judge->options->folder, EMU_ATTACK_REPORT, why);
    if (err != QKD_OK) {
        return err;
    }
    json_t *list = json_load_file(path, 0, &error);
    if (list == NULL) {
        err = json_error_code(&error) == json_error_cannot_open_file ? QKD_ERR_UNKNOWN
                                                                     : QKD_ERR_FORMAT;
        return emu_fail(why, err, "%s: %s", path, error.text);
    }
    if (json_array_size(list) != judge->summary->attack_count) {
        err = emu_fail(why, QKD_ERR_FORMAT, "%s: not of this scenario", path);
    }
    for (size_t i = 0; i < judge->summary->attack_count && err == QKD_OK; i++) {
        item_take(&judge->summary->attacks[i], json_array_get(list, i));
    }
    json_decref(list);
    return err;
}

/* ---- messages ---- */

/* Whether the attacker stands where this message goes: at his reference point, between the two daemons. */
static bool passes(const struct judge *judge, size_t attacker, const struct emu_flight_entry *entry)
{
    const struct scn_attack *plan = &judge->options->scenario->attacks[attacker];
    uint32_t from = emu_place_of(judge->plan, entry->u.message.from);
    uint32_t to = emu_place_of(judge->plan, entry->u.message.to);
    return from != EMU_NOWHERE && to != EMU_NOWHERE && from != to &&
           emu_attack_stands(judge->options->scenario, plan, from, to);
}

static struct qkd_id sort_of(const struct emu_flight_entry *entry)
{
    static const uint8_t keys[2][16] = {{1}, {2}};
    uint8_t ends[17] = {entry->u.message.rp};
    struct qkd_id hash;
    wire_put_u64(ends + 1, entry->u.message.from.v);
    wire_put_u64(ends + 9, entry->u.message.to.v);
    for (unsigned k = 0; k < 2; k++) {
        wire_put_u64(hash.b + 8 * (size_t)k, crypto_hash64(keys[k], ends, sizeof ends) ^
                                                 crypto_hash64(keys[k], entry->u.message.bytes.at,
                                                               entry->u.message.bytes.len));
    }
    return hash;
}

/* The count of a message's sort; NULL: no memory. */
static int32_t *left_of(struct judge *judge, const struct emu_flight_entry *entry)
{
    struct qkd_id sort = sort_of(entry);
    uint32_t at = qkd_map_get(&judge->sorts, &sort);
    if (at != QKD_MAP_NONE) {
        return &judge->left[at];
    }
    if (judge->sort_count == judge->sort_cap) {
        uint32_t cap = judge->sort_cap == 0 ? 1024 : 2 * judge->sort_cap;
        int32_t *grown = realloc(judge->left, cap * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        judge->left = grown;
        judge->sort_cap = cap;
    }
    if (qkd_map_put(&judge->sorts, &sort, judge->sort_count) != QKD_OK) {
        return NULL;
    }
    judge->left[judge->sort_count] = 0;
    return &judge->left[judge->sort_count++];
}

static int sent(struct judge *judge, const struct emu_flight_entry *entry)
{
    int32_t *left = left_of(judge, entry);
    int err = left == NULL ? QKD_ERR_NOMEM : QKD_OK;
    if (left != NULL) {
        (*left)++;
    }
    for (size_t i = 0; i < judge->summary->attack_count && err == QKD_OK; i++) {
        if (judge->finds[i] != NULL && passes(judge, i, entry)) {
            const struct emu_flight_bytes *said = &entry->u.message.observed;
            const struct emu_flight_bytes *sealed = &entry->u.message.bytes;
            err = emu_find_add(judge->finds[i], said->at, said->len);
            err = err == QKD_OK ? emu_find_add(judge->finds[i], sealed->at, sealed->len) : err;
        }
    }
    return err;
}

/* What nobody had sent was accepted from each attacker who makes something up on its way. */
static int received(struct judge *judge, const struct emu_flight_entry *entry)
{
    int32_t *left = left_of(judge, entry);
    if (left == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (--*left >= 0) {
        return QKD_OK;
    }
    for (size_t i = 0; i < judge->summary->attack_count; i++) {
        judge->summary->attacks[i].accepted += passes(judge, i, entry);
    }
    return QKD_OK;
}

/* Messages between daemons at the two reference points; what stays in a daemon meets nobody. */
static bool is_on_the_way(const struct judge *judge, const struct emu_flight_entry *entry)
{
    for (size_t i = 0; i < judge->summary->attack_count; i++) {
        if (passes(judge, i, entry)) {
            return true;
        }
    }
    return false;
}

static int flight_read(struct judge *judge, const char *path, struct emu_why *why)
{
    struct emu_flight_reader *reader = NULL;
    struct emu_flight_entry entry = {.type = EMU_FLIGHT_STOP};
    int err = emu_flight_reader_open(path, &reader, why);
    int got = err == QKD_OK ? emu_flight_next(reader, &entry, why) : err;
    while (got == 1) {
        bool message = entry.type == EMU_FLIGHT_SEND || entry.type == EMU_FLIGHT_RECV;
        err = QKD_OK;
        if (message && (entry.type == EMU_FLIGHT_RECV) == judge->receives &&
            is_on_the_way(judge, &entry)) {
            err = judge->receives ? received(judge, &entry) : sent(judge, &entry);
        }
        got = err == QKD_OK ? emu_flight_next(reader, &entry, why)
                            : emu_fail(why, err, "no memory");
    }
    emu_flight_reader_free(reader);
    return got;
}

/* All that was sent, then all that was received: instants of two daemons may be equal. */
static int flights_read(struct judge *judge, struct emu_why *why)
{
    int err = QKD_OK;
    for (unsigned pass = 0; pass < 2; pass++) {
        judge->receives = pass == 1;
        for (size_t i = 0; i < judge->options->deployment->count && err == QKD_OK; i++) {
            err = flight_read(judge, judge->flights[i], why);
        }
    }
    return err;
}

/* ---- what listeners saw ---- */

static int seen_search(struct judge *judge, size_t number, struct emu_why *why)
{
    char in[EMU_PATH_SIZE];
    char path[EMU_PATH_SIZE];
    struct stat about;
    int err = emu_path_join(in, judge->options->folder, EMU_ATTACK_FOLDER, why);
    err = err == QKD_OK ? emu_path_join(path, in, judge->options->scenario->attacks[number].id, why)
                        : err;
    if (err != QKD_OK) {
        return err;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        err = emu_fail(why, QKD_ERR_IO, "%s: cannot be read", path);
    } else if (about.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            err = emu_fail(why, QKD_ERR_IO, "%s: cannot be read", path);
        } else {
            judge->summary->attacks[number].read = emu_find_in(judge->finds[number], bytes,
                                                               (size_t)about.st_size);
            (void)munmap(bytes, (size_t)about.st_size);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return err;
}

/* ---- logs ---- */

/* Whether it is a fault of a kind that an honest peer does not make. */
static bool is_foul(const char *fault)
{
    static const char *const foul[] = {"tls",   "certificate", "name",    "slow",
                                       "crowd", "oversize",    "protocol"};
    for (size_t i = 0; fault != NULL && i < sizeof foul / sizeof foul[0]; i++) {
        if (strcmp(fault, foul[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A daemon has noticed something: at which instant of the run; NAN: this line is of something else. */
static double noticed_s(const struct judge *judge, const char *line)
{
    double at_s = NAN;
    int64_t wall_ns = 0;
    if (strstr(line, "connection_fault") == NULL) {
        return at_s;
    }
    json_t *fields = json_loads(line, 0, NULL);
    const char *time = json_string_value(json_object_get(fields, "time"));
    if (time != NULL && is_foul(json_string_value(json_object_get(fields, "fault"))) &&
        emu_epoch_parse(time, &wall_ns)) {
        at_s = (double)(wall_ns - judge->options->epoch_ns) / 1e9;
    }
    json_decref(fields);
    return at_s;
}

static void log_read(struct judge *judge, const struct emu_deployed *daemon)
{
    char in[EMU_PATH_SIZE];
    char path[EMU_PATH_SIZE];
    char line[LINE_MOST];
    FILE *file = emu_path_join(in, judge->options->folder, daemon->folder, NULL) == QKD_OK &&
                         emu_path_join(path, in, "log", NULL) == QKD_OK
                     ? fopen(path, "re")
                     : NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        double at_s = noticed_s(judge, line);
        for (size_t i = 0; i < judge->summary->attack_count && !isnan(at_s); i++) {
            struct scn_attack_summary *attack = &judge->summary->attacks[i];
            if (attack->touched + attack->forged > 0 && at_s >= attack->first_s) {
                attack->detect_s = fmin(attack->detect_s, at_s - attack->first_s);
            }
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* ---- all ---- */

static int prepare(struct judge *judge, struct emu_why *why)
{
    size_t count = judge->summary->attack_count;
    qkd_map_init(&judge->sorts, sizeof(struct qkd_id), SORTS_MAX, NULL);
    judge->finds = calloc(count + 1, sizeof(struct emu_find *));
    if (judge->finds == NULL || host_plan_new(judge->options->scenario, &judge->plan) != QKD_OK) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (judge->options->scenario->attacks[i].what == SCN_ATTACK_LISTEN) {
            judge->finds[i] = emu_find_new();
            if (judge->finds[i] == NULL) {
                return emu_fail(why, QKD_ERR_NOMEM, "no memory");
            }
        }
    }
    return QKD_OK;
}

static void conclude(struct judge *judge)
{
    for (size_t i = 0; i < judge->options->deployment->count; i++) {
        log_read(judge, &judge->options->deployment->daemons[i]);
    }
    for (size_t i = 0; i < judge->summary->attack_count; i++) {
        struct scn_attack_summary *attack = &judge->summary->attacks[i];
        attack->rejected = attack->forged > attack->accepted ? attack->forged - attack->accepted
                                                             : 0;
        judge->summary->security.forgeries_accepted += attack->accepted;
    }
}

int emu_attack_judge(const struct emu_attack_options *options, const char *const *flights,
                     struct scn_summary *summary, struct emu_why *why)
{
    struct judge judge = {.options = options, .flights = flights, .summary = summary};
    int err = prepare(&judge, why);
    err = err == QKD_OK ? report_take(&judge, why) : err;
    err = err == QKD_OK ? flights_read(&judge, why) : err;
    for (size_t i = 0; i < summary->attack_count && err == QKD_OK; i++) {
        err = judge.finds[i] == NULL ? QKD_OK : seen_search(&judge, i, why);
    }
    if (err == QKD_OK) {
        conclude(&judge);
    }
    for (size_t i = 0; judge.finds != NULL && i < summary->attack_count; i++) {
        emu_find_free(judge.finds[i]);
    }
    free(judge.finds);
    free(judge.left);
    qkd_map_fini(&judge.sorts);
    host_plan_free(judge.plan);
    return err;
}
