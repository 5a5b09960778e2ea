/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two KSAs among puppets: see tests/lib/ksa_net.h. */
#include "tests/lib/ksa_net.h"

#include <check.h>
#include <string.h>

#include "core/wire/life.h"

PUMP_ELEMENT(ksa)

enum { CONFIG_BYTES = 256 };

void ksn_init(struct ksa_net *net, uint64_t seed)
{
    *net = (struct ksa_net){.step = pump_ksa_step};
    net->p = pump_new(&(struct pump_config){.seed = seed});
    for (int i = 0; i < 2; i++) {
        net->config[i] = (struct km_config){
            .node = i == 0 ? NET_A : NET_B,
            .parts = KM_KSA,
            .unit_bits = 256,
            .batch = 16,
            .retransmit = qkd_span_ms(100),
            .retries = 3,
            .expiry = qkd_span_s(100),
            .fetch_within = qkd_span_s(10),
            .status_period = qkd_span_s(1),
            .request_limit = 32,
            .key_limit = 1024,
        };
    }
}

void ksn_run(struct ksa_net *net, int64_t ms)
{
    pump_run(net->p, qkd_span_ms(ms));
}

void ksn_directory(struct ksa_net *net, int which, const struct wire_cfg_app *entry)
{
    uint8_t bytes[CONFIG_BYTES];
    int len = wire_cfg_app_encode(entry, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(net->p, NET_KSA(net->config[which].node), bytes, (size_t)len);
}

static void directory_entry(struct ksa_net *net, uint32_t node, struct qkd_eid app,
                            struct qkd_eid peer, const char *name)
{
    struct wire_cfg_app entry = {.head = {.message_id = 1},
                                 .app = app,
                                 .name = {(const uint8_t *)name, strlen(name)},
                                 .peer_app = peer};
    ksn_directory(net, node == NET_A ? 0 : 1, &entry);
}

static void ksa_up(struct ksa_net *net, int which)
{
    uint32_t node = net->config[which].node;
    ck_assert_int_eq(ksa_new(&net->config[which], &net->ksa[which]), 0);
    pump_add(net->p, NET_KSA(node),
             (struct pump_element){
                 .self = net->ksa[which], .step = net->step, .deadline = pump_ksa_deadline});
    pump_start(net->p, NET_KSA(node));
    directory_entry(net, node, NET_MASTER, NET_SLAVE, "video");
    directory_entry(net, node, NET_SLAVE, NET_MASTER, "video-end");
    directory_entry(net, node, NET_OTHER_MASTER, NET_OTHER_SLAVE, "bank");
    directory_entry(net, node, NET_OTHER_SLAVE, NET_OTHER_MASTER, "bank-end");
}

void ksn_start(struct ksa_net *net)
{
    for (int i = 0; i < 2; i++) {
        net->kma[i] = puppet_new(net->p, NET_KMA(net->config[i].node));
        net->kmc[i] = puppet_new(net->p, NET_KMC(net->config[i].node));
        ksa_up(net, i);
    }
    net->master = puppet_new(net->p, NET_MASTER);
    net->slave = puppet_new(net->p, NET_SLAVE);
    net->other_slave = puppet_new(net->p, NET_OTHER_SLAVE);
    net->unlisted = puppet_new(net->p, NET_UNLISTED);
    net->ksa_c = puppet_new(net->p, NET_KSA(NET_C));
    puppet_open(net->master, QKD_RP_AK, NET_KSA(NET_A));
    puppet_open(net->unlisted, QKD_RP_AK, NET_KSA(NET_A));
    puppet_open(net->slave, QKD_RP_AK, NET_KSA(NET_B));
    puppet_open(net->other_slave, QKD_RP_AK, NET_KSA(NET_B));
    puppet_open(net->ksa_c, QKD_RP_KX2, NET_KSA(NET_B));
    ksn_run(net, 500);
    ck_assert(puppet_is_up(net->kma[0], QKD_RP_KMI, NET_KSA(NET_A)));
    ck_assert(puppet_is_up(net->kmc[1], QKD_RP_KMI, NET_KSA(NET_B)));
    ck_assert(puppet_is_up(net->slave, QKD_RP_AK, NET_KSA(NET_B)));
}

void ksn_restart(struct ksa_net *net, int which)
{
    pump_crash(net->p, NET_KSA(net->config[which].node));
    ksa_free(net->ksa[which]);
    ksn_run(net, 50);
    ksa_up(net, which);
    ksn_run(net, 200);
    /* A record of the old session is lost, and makes the application open a new one. */
    struct puppet *app = which == 0 ? net->master : net->slave;
    struct wire_key_delete nothing = {.source_id = puppet_self(app),
                                      .application_code = WIRE_FOR_ENCRYPTION};
    PUPPET_SEND(app, key_delete, QKD_RP_AK, NET_KSA(net->config[which].node), &nothing);
    ksn_run(net, 300);
}

void ksn_free(struct ksa_net *net)
{
    for (int i = 0; i < 2; i++) {
        puppet_free(net->kma[i]);
        puppet_free(net->kmc[i]);
        ksa_free(net->ksa[i]);
    }
    puppet_free(net->master);
    puppet_free(net->slave);
    puppet_free(net->other_slave);
    puppet_free(net->unlisted);
    puppet_free(net->ksa_c);
    pump_free(net->p);
}

/* ---- applications ---- */

struct wire_key_supply ksn_command(const struct ksa_net *net, uint32_t amount, uint32_t key_size,
                                   uint64_t session)
{
    return (struct wire_key_supply){
        .head = {.message_id = puppet_id(net->master)},
        .source_id = NET_MASTER,
        .target_id = NET_SLAVE,
        .session_id = session,
        .application_code = WIRE_FOR_ENCRYPTION,
        .has_key_amount = true,
        .key_amount = amount,
        .has_key_size = key_size != 0,
        .key_size = key_size,
    };
}

uint64_t ksn_ask(struct ksa_net *net, uint32_t amount, uint32_t key_size, uint64_t session)
{
    struct wire_key_supply command = ksn_command(net, amount, key_size, session);
    PUPPET_SEND(net->master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(net, 10);
    return command.head.message_id;
}

uint64_t ksn_fetch(struct ksa_net *net, struct puppet *app, const struct qkd_id *key_id,
                   uint64_t session)
{
    struct wire_key_supply command = {
        .source_id = puppet_self(app),
        .target_id = NET_MASTER,
        .session_id = session,
        .application_code = WIRE_FOR_DECRYPTION,
        .has_key_id = true,
        .key_id = *key_id,
    };
    PUPPET_SEND(app, key_supply, QKD_RP_AK, NET_KSA(qkd_eid_node(puppet_self(app))), &command);
    ksn_run(net, 10);
    return command.head.message_id;
}

struct wire_key_supply_rsp ksn_answer(const struct puppet *app)
{
    size_t count = puppet_count(app, WIRE_CMD_KEY_SUPPLY_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(app, WIRE_CMD_KEY_SUPPLY_RSP, count - 1);
    struct wire_key_supply_rsp answer;
    ck_assert_int_eq(wire_key_supply_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
    return answer;
}

/* ---- KMAs ---- */

void ksn_pattern(uint8_t tag, uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)(tag * 31U + i * 7U + (i >> 8));
    }
}

void ksn_piece(struct ksa_net *net, int which, const struct ksn_piece *piece)
{
    static uint8_t keys[65536];
    size_t len = (size_t)piece->count * (piece->key_size / 8);
    struct wire_kmi_supply supply = {
        .head = {.orig_message_id = piece->orig},
        .code = WIRE_SUCCESS,
        .has_key_id = true,
        .has_key_size = true,
        .key_size = piece->key_size,
        .has_key_data = true,
        .key_data = {keys, len},
        .has_compare = true,
        .has_grade = true,
        .grade = piece->grade != 0 ? piece->grade : WIRE_METHOD_OTP,
        .has_destination_id = piece->to != 0,
        .destination_id = NET_KMA(piece->to),
        .has_place = piece->to != 0,
        .place = piece->place,
        .has_count_id = piece->count_id != 0,
        .count_id = piece->count_id,
        .has_last = piece->last,
        .last = piece->last,
    };
    ksn_pattern(piece->keys != 0 ? piece->keys : piece->tag, keys, len);
    keys[0] ^= piece->flip;
    ksn_pattern((uint8_t)(piece->tag + 100), supply.compare.b, sizeof supply.compare.b);
    ksn_pattern((uint8_t)(piece->tag + 50), supply.key_id.b, sizeof supply.key_id.b);
    uint32_t node = net->config[which].node;
    uint8_t meta[128];
    struct wire_key_metadata metadata = {.has_kma_key_id = true,
                                         .kma_key_id = supply.key_id,
                                         .has_matching_kma_id = !piece->bare,
                                         .matching_kma_id = NET_KMA(net->config[1 - which].node)};
    int meta_len = wire_key_metadata_encode(&metadata, meta, sizeof meta);
    ck_assert_int_gt(meta_len, 0);
    supply.has_metadata = true;
    supply.metadata = (struct wire_bytes){meta, (size_t)meta_len};
    PUPPET_SEND(net->kma[which], kmi_supply, QKD_RP_KMI, NET_KSA(node), &supply);
    ksn_run(net, 10);
}

void ksn_refuse(struct ksa_net *net, int which, uint64_t orig, uint8_t reason)
{
    struct wire_kmi_supply supply = {.head = {.orig_message_id = orig},
                                     .code = WIRE_FAILURE,
                                     .reason = reason,
                                     .has_last = true,
                                     .last = 1};
    uint32_t node = net->config[which].node;
    PUPPET_SEND(net->kma[which], kmi_supply, QKD_RP_KMI, NET_KSA(node), &supply);
    ksn_run(net, 10);
}

static uint64_t newest(const struct puppet *puppet, uint8_t command)
{
    size_t count = puppet_count(puppet, command);
    ck_assert_uint_gt(count, 0);
    return puppet_get(puppet, command, count - 1)->head.message_id;
}

uint64_t ksn_need(const struct ksa_net *net)
{
    return newest(net->kma[0], WIRE_CMD_KMI_NEED);
}

uint64_t ksn_fetch_of_kma(const struct ksa_net *net)
{
    return newest(net->kma[1], WIRE_CMD_KMI_FETCH);
}

void ksn_supply(struct ksa_net *net, uint8_t tag, uint32_t count, uint64_t session,
                struct qkd_id *ids)
{
    (void)ksn_ask(net, count, 256, session);
    struct ksn_piece piece = {
        .orig = ksn_need(net), .tag = tag, .count = count, .key_size = 256, .last = true};
    size_t fetches = puppet_count(net->kma[1], WIRE_CMD_KMI_FETCH);
    ksn_piece(net, 0, &piece);
    if (puppet_count(net->kma[1], WIRE_CMD_KMI_FETCH) == fetches) {
        ksn_run(net, 300); /* after a restart the channel between the KSAs must open first */
    }
    piece.orig = ksn_fetch_of_kma(net);
    ksn_piece(net, 1, &piece);
    struct wire_key_supply_rsp answer = ksn_answer(net->master);
    ck_assert_uint_eq(answer.code, WIRE_SUFFICIENT);
    ck_assert_uint_eq(answer.key_ids.len, (size_t)count * 16);
    memcpy(ids, answer.key_ids.at, answer.key_ids.len);
}

/* ---- what the KMCs heard ---- */

/* Calls visit for the records blob of each report of a kind. */
static void for_reports(const struct puppet *kmc, uint8_t command,
                        void (*visit)(struct wire_bytes records, void *ctx), void *ctx)
{
    for (size_t i = 0; i < puppet_count(kmc, command); i++) {
        struct wire_bytes bytes = puppet_get(kmc, command, i)->bytes;
        struct wire_metadata report; /* all reports have the same fields */
        struct wire_security security;
        if (command == WIRE_CMD_METADATA) {
            ck_assert_int_eq(wire_metadata_decode(&report, bytes.at, bytes.len), 0);
            visit(report.records, ctx);
        } else {
            ck_assert_int_eq(wire_security_decode(&security, bytes.at, bytes.len), 0);
            visit(security.records, ctx);
        }
    }
}

struct life_search {
    uint8_t action;
    size_t count, wanted;
    struct wire_life found;
};

static void life_visit(struct wire_bytes records, void *ctx)
{
    struct life_search *search = ctx;
    while (records.len > 0) {
        struct wire_life life;
        int len = wire_life_decode(&life, records.at, records.len);
        ck_assert_int_gt(len, 0);
        records.at += len;
        records.len -= (size_t)len;
        size_t rows = wire_life_rows(&life);
        ck_assert_uint_gt(rows, 0);
        for (size_t i = 0; i < rows; i++) {
            struct wire_life row = wire_life_row(&life, i);
            if (row.action == search->action && search->count++ == search->wanted) {
                search->found = row;
            }
        }
    }
}

size_t ksn_life_count(const struct ksa_net *net, int which, uint8_t action)
{
    struct life_search search = {.action = action, .wanted = SIZE_MAX};
    for_reports(net->kmc[which], WIRE_CMD_METADATA, life_visit, &search);
    return search.count;
}

struct wire_life ksn_life(const struct ksa_net *net, int which, uint8_t action, size_t n)
{
    struct life_search search = {.action = action, .wanted = n};
    for_reports(net->kmc[which], WIRE_CMD_METADATA, life_visit, &search);
    ck_assert_uint_gt(search.count, n);
    return search.found;
}

struct fault_sum {
    uint8_t fault;
    uint64_t count;
};

static void fault_visit(struct wire_bytes records, void *ctx)
{
    struct fault_sum *sum = ctx;
    while (records.len > 0) {
        struct wire_fault_record record;
        int len = wire_fault_record_decode(&record, records.at, records.len);
        ck_assert_int_gt(len, 0);
        records.at += len;
        records.len -= (size_t)len;
        if (record.fault == sum->fault) {
            sum->count += record.count;
        }
    }
}

uint64_t ksn_security(const struct ksa_net *net, int which, uint8_t fault)
{
    struct fault_sum sum = {.fault = fault};
    for_reports(net->kmc[which], WIRE_CMD_SECURITY, fault_visit, &sum);
    return sum.count;
}
