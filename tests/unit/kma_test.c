/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A key management agent (node 0) among played elements: its KMC, its module, a module of another
 * node, a neighbour KMA (node 1, link 3) and a far one (node 5). Key files at Kq-1 (FG QIT4N D2.3
 * clauses 7.1.1, 7.1.2, Table 7-1 group 1), HELLO, SESSION and UPDATE at Kx-1 (Tables 7-8 ... 7-10), and
 * the IDs of keys (clause 7.2.2). HMACs and hashes are computed here from docs/protocol.md. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "core/km/kma_internal.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(kma)

enum { LINK = 3, STORE_BYTES = 100000, BOOT_BYTES = 512, KMA_INCARNATION = 1, EPOCH = 4 };

#define EID(role, node) qkd_eid_make(QKD_ROLE_##role, 0, node)

static struct pump *pump;
static struct kma *kma;
static struct puppet *kmc, *module, *foreign, *neighbour, *far;
static uint8_t boot[BOOT_BYTES];

static const struct km_config config = {
    .parts = KM_KMA,
    .name = "A",
    .community = "ring",
    .ip = {[15] = 1},
    .unit_bits = 256,
    .batch = 1,
    .lease_bits = 16384,
    .retransmit = {200 * QKD_NS_PER_MS},
    .retries = 5,
    .expiry = {3600 * QKD_NS_PER_S},
    .fetch_within = {60 * QKD_NS_PER_S},
    .timer = {600 * QKD_NS_PER_S},
    .status_period = {QKD_NS_PER_S},
    .request_limit = 16,
    .key_limit = 16,
    .link_limit = 4,
};

static void run(int64_t ms)
{
    pump_run(pump, qkd_span_ms(ms));
}

static void setup(void)
{
    ck_assert_int_eq(crypto_init(), 0);
    crypto_expand(boot, (const uint8_t *)"0123456789abcdef0123456789abcdef", 0, sizeof boot);
    pump = pump_new(&(struct pump_config){.seed = 3});
    kmc = puppet_new(pump, EID(KMC, 0));
    module = puppet_new(pump, EID(MODULE, 0));
    foreign = puppet_new(pump, EID(MODULE, 9));
    neighbour = puppet_new(pump, EID(KMA, 1));
    far = puppet_new(pump, EID(KMA, 5));
    ck_assert_int_eq(kma_new(&config, &kma), 0);
    pump_add(
        pump, EID(KMA, 0),
        (struct pump_element){.self = kma, .step = pump_kma_step, .deadline = pump_kma_deadline});
    pump_start(pump, EID(KMA, 0));
    uint8_t bytes[1024];
    struct wire_cfg_link link = {.link = LINK,
                                 .peer = EID(KMA, 1),
                                 .peer_name = {(const uint8_t *)"B", 1},
                                 .peer_ip.b = {[15] = 2},
                                 .module = EID(MODULE, 0),
                                 .peer_module = EID(MODULE, 1),
                                 .bootstrap = {boot, sizeof boot},
                                 .store_bits = 8 * STORE_BYTES};
    int len = wire_cfg_link_encode(&link, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(pump, EID(KMA, 0), bytes, (size_t)len);
    run(100);
}

static void teardown(void)
{
    kma_free(kma);
    puppet_free(kmc);
    puppet_free(module);
    puppet_free(foreign);
    puppet_free(neighbour);
    puppet_free(far);
    pump_free(pump);
}

/* Security events of one kind that the KMA has reported. */
static uint64_t security(uint8_t fault, uint64_t object)
{
    uint64_t count = 0;
    run(1500);
    for (size_t i = 0; i < puppet_count(kmc, WIRE_CMD_SECURITY); i++) {
        const struct puppet_message *m = puppet_get(kmc, WIRE_CMD_SECURITY, i);
        struct wire_security report;
        struct wire_fault_record record;
        ck_assert_int_eq(wire_security_decode(&report, m->bytes.at, m->bytes.len), 0);
        for (size_t at = 0; at < report.records.len;) {
            int len = wire_fault_record_decode(&record, report.records.at + at,
                                               report.records.len - at);
            ck_assert_int_gt(len, 0);
            at += (size_t)len;
            count += record.fault == fault && record.object == object ? record.count : 0;
        }
    }
    return count;
}

/* ---- Kq-1 ---- */

static uint8_t key_bits[4096];

/* A complete file of `bytes` bytes with ID {id}. */
static struct wire_key_file file_of(uint8_t id, uint32_t bytes)
{
    struct wire_key_file file = {.has_qkd_key_id = true,
                                 .qkd_key_id.b = {id},
                                 .has_key_length = true,
                                 .key_length = 8 * bytes,
                                 .has_module_id = true,
                                 .module_id = EID(MODULE, 0),
                                 .has_matching_module_id = true,
                                 .matching_module_id = EID(MODULE, 1),
                                 .has_generated = true,
                                 .generated = {5},
                                 .has_hash = true,
                                 .link = LINK,
                                 .form = 0,
                                 .key = {key_bits, bytes}};
    struct crypto_part part = {key_bits, bytes};
    memset(key_bits, id, bytes);
    ck_assert_int_eq(crypto_sha256(&part, 1, file.hash.b), 0);
    return file;
}

/* How the KMA acknowledges a file of a module. */
static unsigned push(struct puppet *from, struct wire_key_file *file)
{
    puppet_forget(from);
    PUPPET_SEND(from, key_file, QKD_RP_KQ1, EID(KMA, 0), file);
    run(50);
    const struct puppet_message *m = puppet_get(from, WIRE_CMD_KEY_FILE_ACK, 0);
    struct wire_key_file_ack ack;
    ck_assert_uint_eq(puppet_count(from, WIRE_CMD_KEY_FILE_ACK), 1);
    ck_assert_int_eq(wire_key_file_ack_decode(&ack, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(ack.head.orig_message_id, file->head.message_id);
    return ack.code;
}

static size_t blocks_kept(void)
{
    size_t count = 0;
    for (size_t i = 0; i < pump_persisted_count(pump, EID(KMA, 0)); i++) {
        count += pump_persisted(pump, EID(KMA, 0), i)->kind == WIRE_PERSIST_BLOCK;
    }
    return count - 1; /* the bootstrap */
}

/* D23-OP-02, RP-05: files of any length, also again, from the node's own module. */
START_TEST(files_of_any_length_are_stored)
{
    static const uint32_t lengths[] = {1, 32, 33, 1000, 4096};
    for (uint8_t i = 0; i < (uint8_t)(sizeof lengths / sizeof lengths[0]); i++) {
        struct wire_key_file file = file_of((uint8_t)(i + 1), lengths[i]);
        ck_assert_uint_eq(push(module, &file), WIRE_FILE_STORED);
        file.head.message_id = 0;
        ck_assert_uint_eq(push(module, &file), WIRE_FILE_STORED);
        ck_assert_uint_eq(blocks_kept(), i + 1U);
    }
}
END_TEST

/* The last GENERATION of the KMA: 0 or 1, 2 if there was none. */
static unsigned commanded(void)
{
    struct wire_generation command = {.run = 2};
    size_t count = puppet_count(kmc, WIRE_CMD_GENERATION);
    if (count > 0) {
        const struct puppet_message *m = puppet_get(kmc, WIRE_CMD_GENERATION, count - 1);
        ck_assert_int_eq(wire_generation_decode(&command, m->bytes.at, m->bytes.len), 0);
        ck_assert(qkd_eid_eq(command.module_id, EID(MODULE, 0)));
    }
    return command.run;
}

/* Rule 1: 24 files of 4096 bytes fit beside the bootstrap (448 bytes of pads); then the module is to
 * pause, before it makes what would be refused. What comes nevertheless is FULL. */
START_TEST(full_store_pauses_the_module)
{
    for (uint8_t i = 1; i <= 24; i++) {
        ck_assert_uint_eq(commanded(), 2);
        struct wire_key_file file = file_of(i, 4096);
        ck_assert_uint_eq(push(module, &file), WIRE_FILE_STORED);
    }
    ck_assert_uint_eq(commanded(), 0);
    struct wire_key_file file = file_of(25, 4096);
    ck_assert_uint_eq(push(module, &file), WIRE_FILE_FULL);
    ck_assert_uint_eq(blocks_kept(), 24);
    run(5000);
    ck_assert_uint_eq(commanded(), 0);
}
END_TEST

/* D23-OP-02: the same file from a module that is registered elsewhere. */
START_TEST(file_of_a_foreign_module_is_refused)
{
    struct wire_key_file file = file_of(1, 1000);
    ck_assert_uint_eq(push(foreign, &file), WIRE_FILE_REFUSED);
    file = file_of(1, 1000);
    file.module_id = EID(MODULE, 9);
    ck_assert_uint_eq(push(foreign, &file), WIRE_FILE_REFUSED);
    ck_assert_uint_eq(blocks_kept(), 0);
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KQ1), 2);
}
END_TEST

/* D23-MD-T1: without its mandatory item, or with items that are not true, a file is refused and counted. */
START_TEST(untrue_files_are_refused)
{
    for (int i = 0; i < 8; i++) {
        struct wire_key_file file = file_of(1, 1000);
        switch (i) {
        case 0:
            file.has_qkd_key_id = false;
            break;
        case 1:
            file.module_id = EID(MODULE, 9);
            break;
        case 2:
            file.matching_module_id = EID(MODULE, 9);
            break;
        case 3:
            file.hash.b[31] ^= 1;
            break;
        case 4:
            file.key_length -= 8;
            break;
        case 5:
            file.link = LINK + 1;
            break;
        case 6:
            file.form = 2;
            break;
        default:
            file.form = 1; /* a seed has 32 bytes */
            break;
        }
        ck_assert_uint_eq(push(module, &file), WIRE_FILE_REFUSED);
    }
    ck_assert_uint_eq(blocks_kept(), 0);
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KQ1), 8);
}
END_TEST

/* D23-MD-T2: each optional item alone, and all of them, may be absent. */
START_TEST(optional_items_may_be_absent)
{
    for (uint8_t i = 0; i < 6; i++) {
        struct wire_key_file file = file_of((uint8_t)(i + 1), 1000);
        bool *const optional[] = {&file.has_key_length, &file.has_module_id,
                                  &file.has_matching_module_id, &file.has_generated,
                                  &file.has_hash};
        for (uint8_t k = 0; k < 5; k++) {
            *optional[k] = *optional[k] && k != i && i < 5;
        }
        ck_assert_uint_eq(push(module, &file), WIRE_FILE_STORED);
        ck_assert_uint_eq(blocks_kept(), i + 1U);
    }
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KQ1), 0);
}
END_TEST

START_TEST(known_id_with_another_length_is_refused)
{
    struct wire_key_file file = file_of(1, 1000);
    ck_assert_uint_eq(push(module, &file), WIRE_FILE_STORED);
    file = file_of(1, 1008);
    ck_assert_uint_eq(push(module, &file), WIRE_FILE_REFUSED);
    ck_assert_uint_eq(blocks_kept(), 1);
}
END_TEST

/* ---- Kx-1: HELLO ---- */

static struct wire_hello hello_of(void)
{
    return (struct wire_hello){.sender_ip.b = {[15] = 2},
                               .sender_name = {(const uint8_t *)"B", 1},
                               .community = {(const uint8_t *)"ring", 4},
                               .link = LINK,
                               .epoch = EPOCH,
                               .peer_epoch = KMA_INCARNATION,
                               .next_seq = 1,
                               .has_rx = true};
}

/* HMAC-SHA-256 under bytes 32 ... 63 of the bootstrap (docs/protocol.md, "Adjacency"). */
static void hello_sign(struct wire_hello *hello)
{
    uint8_t text[1024] = "hello";
    wire_put_u64(text + 8, EID(KMA, 1).v);
    wire_put_u64(text + 16, EID(KMA, 0).v);
    wire_put_u32(text + 24, hello->link);
    wire_put_u32(text + 28, hello->epoch);
    wire_put_u32(text + 32, hello->peer_epoch);
    wire_put_u32(text + 36, hello->next_seq);
    wire_put_u32(text + 40, hello->reply);
    wire_put_u32(text + 44, hello->has_rx);
    memcpy(text + 48, hello->sender_ip.b, 16);
    memcpy(text + 64, hello->sender_name.at, hello->sender_name.len);
    memcpy(text + 64 + hello->sender_name.len, hello->community.at, hello->community.len);
    size_t len = 64 + hello->sender_name.len + hello->community.len;
    memcpy(text + len, hello->rx.at, hello->rx.len);
    len += hello->rx.len;
    if (hello->has_unknown || hello->has_own) {
        wire_put_u32(text + len, hello->has_own ? (uint32_t)hello->own.len + 1 : 0);
        wire_put_u32(text + len + 8, hello->has_unknown ? (uint32_t)hello->unknown.len + 1 : 0);
        memcpy(text + len + 12, hello->own.at, hello->own.len);
        memcpy(text + len + 12 + hello->own.len, hello->unknown.at, hello->unknown.len);
        len += 12 + hello->own.len + hello->unknown.len;
    }
    struct crypto_part part = {text, len};
    crypto_hmac(boot + 32, &part, 1, hello->auth_info.b);
}

static void hello_send(struct wire_hello *hello)
{
    PUPPET_SEND(neighbour, hello, QKD_RP_KX1, EID(KMA, 0), hello);
    run(50);
}

/* Whether the KMA's last status says that the link is up. */
static bool link_is_up(void)
{
    struct wire_status_rsp rsp;
    struct wire_link_status status;
    size_t count = puppet_count(kmc, WIRE_CMD_STATUS_RSP);
    run(1100);
    ck_assert_uint_gt(puppet_count(kmc, WIRE_CMD_STATUS_RSP), count);
    const struct puppet_message *m = puppet_get(kmc, WIRE_CMD_STATUS_RSP, count);
    ck_assert_int_eq(wire_status_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_int_eq(wire_link_status_decode(&status, rsp.links.at, rsp.links.len),
                     (int)rsp.links.len);
    return status.up != 0;
}

static void join(void)
{
    struct wire_hello hello = hello_of();
    hello_sign(&hello);
    hello_send(&hello);
    ck_assert(link_is_up());
}

/* D23-HS-T1, KR-09: what must be right in a HELLO, and that nothing else makes an adjacency. */
START_TEST(adjacency_needs_a_true_hello)
{
    for (int i = 0; i < 5; i++) {
        struct wire_hello hello = hello_of();
        if (i == 0) {
            hello.community = (struct wire_bytes){(const uint8_t *)"rink", 4};
        } else if (i == 1) {
            hello.sender_ip.b[15] = 3;
        } else if (i == 2) {
            hello.link++;
        } else if (i == 3) {
            hello.peer_epoch++; /* of a KMA that it does not speak to */
        }
        hello_sign(&hello);
        hello.auth_info.b[0] ^= i == 4;
        hello_send(&hello);
        ck_assert(!link_is_up());
    }
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KX1), 2);
    ck_assert_uint_eq(security(WIRE_FAULT_AUTH_FAILURE, QKD_RP_KX1), 1);
    join();
}
END_TEST

/* D23-HS-T1: a HELLO outside the record layer is none, however well it is signed. */
START_TEST(bare_hello_is_not_heard)
{
    uint8_t bytes[512];
    struct wire_hello hello = hello_of();
    hello.head = (struct wire_head){.rp = QKD_RP_KX1, .message_id = 1, .sender = EID(KMA, 1)};
    hello_sign(&hello);
    int len = wire_hello_encode(&hello, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_inject(pump, &(struct pump_message){.rp = QKD_RP_KX1,
                                             .from = EID(KMA, 1),
                                             .to = EID(KMA, 0),
                                             .bytes = bytes,
                                             .len = (size_t)len});
    run(50);
    ck_assert(!link_is_up());
    ck_assert_uint_gt(pump_report_count(pump, QKD_REPORT_BAD_BYTES, EID(KMA, 0)), 0);
}
END_TEST

/* IDs of files that the KMA's last HELLO tells to be without a match. */
static size_t unmatched(void)
{
    struct wire_hello hello;
    size_t count = puppet_count(neighbour, WIRE_CMD_HELLO);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(neighbour, WIRE_CMD_HELLO, count - 1);
    ck_assert_int_eq(wire_hello_decode(&hello, m->bytes.at, m->bytes.len), 0);
    return hello.has_unmatched ? hello.unmatched.len / 16 : 0;
}

/* The neighbour does not have the files of these IDs; signed, or not. A status period passes. */
static void unknown(uint8_t a, uint8_t b, bool is_signed)
{
    uint8_t ids[32] = {[0] = a, [16] = b};
    struct wire_hello hello = hello_of();
    hello.reply = 1;
    hello.has_rx = false;
    hello.has_unknown = true;
    hello.unknown = (struct wire_bytes){ids, b == 0 ? 16 : 32};
    hello_sign(&hello);
    hello.auth_info.b[0] ^= !is_signed;
    hello_send(&hello);
    run(1100);
}

/* D23-RP-06: files that fill a store while the matching KMA does not have them. The lower KMA tells of
 * them, asks no more about those that are unknown, and drops what still is a status period later. */
START_TEST(files_without_a_match_are_let_go)
{
    for (uint8_t i = 1; i <= 24; i++) {
        struct wire_key_file file = file_of(i, 4096);
        ck_assert_uint_eq(push(module, &file), WIRE_FILE_STORED);
    }
    join();
    run(1100);
    ck_assert_uint_eq(unmatched(), 24);
    unknown(1, 2, false);
    unknown(1, 0, false);
    ck_assert_uint_eq(blocks_kept(), 24);
    unknown(1, 2, true);
    ck_assert_uint_eq(blocks_kept(), 24);
    unknown(1, 0, true); /* the second is known again */
    ck_assert_uint_eq(blocks_kept(), 23);
    ck_assert_uint_eq(commanded(), 1);
    struct wire_key_file file = file_of(25, 4096);
    ck_assert_uint_eq(push(module, &file), WIRE_FILE_STORED);
    unknown(2, 0, true);
    ck_assert_uint_eq(blocks_kept(), 24);
    unknown(2, 0, true);
    ck_assert_uint_eq(blocks_kept(), 23);
    run(1100);
    ck_assert_uint_eq(unmatched(), 0); /* there is room */
}
END_TEST

/* Chunks that the KMA has on record. */
static size_t chunks_kept(void)
{
    size_t count = 0;
    for (size_t i = 0; i < pump_persisted_count(pump, EID(KMA, 0)); i++) {
        count += pump_persisted(pump, EID(KMA, 0), i)->kind == WIRE_PERSIST_CHUNK;
    }
    return count;
}

/* A neighbour that lost its store has no tag to SKIP what it owned: it says what it still owns. First
 * nothing is said, then that a part of its half of the bootstrap is left, then that nothing is. */
START_TEST(what_the_owner_lost_is_given_up)
{
    static const size_t kept[] = {2, 2, 1};
    struct wire_rx_state part = {.block = 0, .offset = BOOT_BYTES - 32, .end = BOOT_BYTES};
    uint8_t own[64];
    int len = wire_rx_state_encode(&part, own, sizeof own);
    struct wire_rx_state mine = {.block = 0, .offset = 64, .end = BOOT_BYTES / 2};
    uint8_t rx[64];
    int rx_len = wire_rx_state_encode(&mine, rx, sizeof rx);
    for (int i = 0; i < 3; i++) {
        struct wire_hello hello = hello_of();
        hello.epoch = EPOCH + (uint32_t)i; /* it starts again */
        hello.rx = (struct wire_bytes){rx, (size_t)rx_len};
        hello.has_own = i > 0;
        hello.own = (struct wire_bytes){own, i == 1 ? (size_t)len : 0};
        hello_sign(&hello);
        hello_send(&hello);
        ck_assert_uint_eq(chunks_kept(), kept[i]);
    }
}
END_TEST

/* Link state of a KMA that is authenticated, but no adjacent one, goes nowhere (D23-KR-09). */
START_TEST(link_state_needs_an_adjacency)
{
    struct wire_link_state state = {.origin = EID(KMC, 1), .seq = 1};
    PUPPET_SEND(neighbour, link_state, QKD_RP_KX1, EID(KMA, 0), &state);
    run(50);
    ck_assert_uint_eq(puppet_count(kmc, WIRE_CMD_LINK_STATE), 0);
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KX1), 1);
    join();
    state.head.message_id = 0;
    PUPPET_SEND(neighbour, link_state, QKD_RP_KX1, EID(KMA, 0), &state);
    run(50);
    ck_assert_uint_eq(puppet_count(kmc, WIRE_CMD_LINK_STATE), 1);
}
END_TEST

/* The link is down again when the neighbour has said nothing for 3 status periods. */
START_TEST(silence_ends_the_adjacency)
{
    join();
    run(1000);
    ck_assert(link_is_up());
    run(2000);
    ck_assert(!link_is_up());
}
END_TEST

/* ---- Kx-1: SESSION and UPDATE ---- */

static const struct qkd_id base = {{7, 7, 7}};

/* SESSION of node 5 to us, with the hash of an ID. */
static void session_send(const struct qkd_id *id)
{
    struct wire_session session = {.session_id = 77,
                                   .timer_s = 600,
                                   .source_id = EID(KMA, 5),
                                   .destination_id = EID(KMA, 0),
                                   .source_app = EID(APP, 5),
                                   .target_app = EID(APP, 0)};
    struct crypto_part part = {id->b, sizeof id->b};
    ck_assert_int_eq(crypto_sha256(&part, 1, session.key_id_hash.b), 0);
    PUPPET_SEND(far, session, QKD_RP_KX1, EID(KMA, 0), &session);
    run(50);
}

/* Its UPDATE as the neighbour passes it on: the route is 5, 1, 0. */
static uint8_t route[3 * 8];

static struct wire_update update_of(void)
{
    wire_put_u64(route, EID(KMA, 5).v);
    wire_put_u64(route + 8, EID(KMA, 1).v);
    wire_put_u64(route + 16, EID(KMA, 0).v);
    return (struct wire_update){.sender_ip.b = {[15] = 2},
                                .receiver_ip.b = {[15] = 1},
                                .key_id = base,
                                .session_id = 77,
                                .timer_s = 600,
                                .route = {route, sizeof route},
                                .hop = 2,
                                .generation = 1};
}

static void update_send(struct puppet *from, struct wire_update *update)
{
    PUPPET_SEND(from, update, QKD_RP_KX1, EID(KMA, 0), update);
    run(50);
}

static struct wire_session_rsp session_answer(size_t n)
{
    struct wire_session_rsp rsp;
    const struct puppet_message *m = puppet_get(far, WIRE_CMD_SESSION_RSP, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_session_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.session_id, 77);
    return rsp;
}

/* D23-HS-T3: the hash of SESSION must be that of UPDATE's ID, in whichever order they come. */
START_TEST(session_with_another_hash_is_refused)
{
    struct wire_update update = update_of();
    struct qkd_id other = {{7, 7, 8}};
    join();
    if (_i == 0) {
        session_send(&other);
        update_send(neighbour, &update);
    } else {
        update_send(neighbour, &update);
        session_send(&other);
    }
    ck_assert_uint_eq(puppet_count(far, WIRE_CMD_SESSION_RSP), 1);
    ck_assert_uint_eq(session_answer(0).code, WIRE_FAILURE);
    ck_assert_uint_eq(session_answer(0).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KX1), 1);
    session_send(&base);
    update = update_of();
    update_send(neighbour, &update);
    ck_assert_uint_eq(puppet_count(far, WIRE_CMD_SESSION_RSP), 2);
    ck_assert_uint_eq(session_answer(1).code, WIRE_SUCCESS);
}
END_TEST

/* D23-HS-T4: UPDATEs that are not for us, not from the neighbour before us, or loop. */
START_TEST(update_off_its_way_is_refused)
{
    join();
    session_send(&base);
    for (int i = 0; i < 6; i++) {
        struct wire_update update = update_of();
        switch (i) {
        case 0:
            update.receiver_ip.b[15] = 9;
            break;
        case 1:
            update.sender_ip.b[15] = 9;
            break;
        case 2:
            update.hop = 1;
            break;
        case 3:
            wire_put_u64(route, EID(KMA, 0).v); /* we are on it twice */
            break;
        case 4:
            update.timer_s = 0;
            break;
        default: /* from a KMA that is no adjacency */
            wire_put_u64(route + 8, EID(KMA, 5).v);
            break;
        }
        update_send(i < 5 ? neighbour : far, &update);
    }
    ck_assert_uint_eq(puppet_count(far, WIRE_CMD_SESSION_RSP), 0);
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KX1), 6);
    struct wire_update update = update_of();
    update_send(neighbour, &update);
    ck_assert_uint_eq(session_answer(0).code, WIRE_SUCCESS);
}
END_TEST

/* D23-HS-T4: before there is an adjacency, its UPDATE counts as little. */
START_TEST(update_without_adjacency_is_refused)
{
    struct wire_update update = update_of();
    session_send(&base);
    update_send(neighbour, &update);
    ck_assert_uint_eq(puppet_count(far, WIRE_CMD_SESSION_RSP), 0);
    ck_assert_uint_eq(security(WIRE_FAULT_DENIED, QKD_RP_KX1), 1);
}
END_TEST

/* ---- IDs ---- */

static int id_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qkd_id));
}

/* D23-MD-T3, KR-03: a million IDs of a thousand sessions, none twice. */
START_TEST(a_million_ids_are_different)
{
    enum { FLOWS = 1000, KEYS = 1000 };
    struct qkd_id *ids = malloc(sizeof *ids * FLOWS * KEYS);
    ck_assert_ptr_nonnull(ids);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct kma_flow flow = {0};
        wire_put_u32(flow.base.b + 12, i);
        for (uint32_t k = 0; k < KEYS; k++) {
            kma_flow_key_id(&flow, &ids[i * KEYS + k]);
        }
    }
    qsort(ids, (size_t)FLOWS * KEYS, sizeof *ids, id_compare);
    for (size_t i = 1; i < (size_t)FLOWS * KEYS; i++) {
        ck_assert(!qkd_id_eq(&ids[i - 1], &ids[i]));
    }
    free(ids);
}
END_TEST

/* ---- KMI: routes ---- */

enum { ROUTE_PLACES = 8, NO_MORE = 99 };

/* What a controller might say of routes from 0 to 5, and how many were asked for. Node 1 is the only neighbour, so
 * that no two of them are without a common node. */
static const struct {
    uint8_t paths; /* 1: not multipath */
    uint8_t route[ROUTE_PLACES], others[ROUTE_PLACES];
    bool good;
} answers[] = {
    {1, {0, 1, 5, NO_MORE}, {NO_MORE}, true},
    {1, {0, 1, 2, 5, NO_MORE}, {NO_MORE}, true},
    {1, {0, 1, 5, NO_MORE}, {0, 1, 5, NO_MORE}, false},       /* more than was asked for */
    {1, {0, 2, 5, NO_MORE}, {NO_MORE}, false},                /* no neighbour */
    {1, {1, 5, NO_MORE}, {NO_MORE}, false},                   /* from elsewhere */
    {1, {0, 1, 2, NO_MORE}, {NO_MORE}, false},                /* to elsewhere */
    {1, {0, 1, 2, 1, 5, NO_MORE}, {NO_MORE}, false},          /* a loop */
    {1, {0, 1, 0, 5, NO_MORE}, {NO_MORE}, false},             /* back over us */
    {1, {NO_MORE}, {NO_MORE}, false},                         /* nothing */
    {2, {0, 1, 5, NO_MORE}, {NO_MORE}, false},                /* one of two */
    {2, {0, 1, 5, NO_MORE}, {0, 1, 5, NO_MORE}, false},       /* the same again */
    {2, {0, 1, 2, 5, NO_MORE}, {0, 1, 3, 5, NO_MORE}, false}, /* 1 would see both shares */
    {2, {0, 1, 2, 5, NO_MORE}, {0, 2, 5, NO_MORE}, false},
    {2, {0, 1, NO_MORE}, {5, 0, 1, 5, NO_MORE}, false}, /* the first does not end */
};

static struct wire_bytes places(const uint8_t *nodes, uint8_t *to)
{
    size_t n = 0;
    for (; nodes[n] != NO_MORE; n++) {
        wire_put_u64(to + 8 * n, EID(KMA, nodes[n]).v);
    }
    return (struct wire_bytes){to, 8 * n};
}

START_TEST(answers_that_undo_the_scheme_are_not_believed)
{
    struct puppet *ksa = puppet_new(pump, EID(KSA, 0));
    bool several = answers[_i].paths > 1;
    uint8_t bytes[2][8 * ROUTE_PLACES];
    struct wire_kmi_need need = {.destination_id = EID(KMA, 5),
                                 .source_app = EID(APP, 0),
                                 .target_app = EID(APP, 5),
                                 .key_size = 256,
                                 .count = 1,
                                 .timeout_ms = 2000,
                                 .has_relay = several,
                                 .relay = WIRE_RELAY_MULTIPATH,
                                 .has_paths = several,
                                 .paths = answers[_i].paths};
    join();
    PUPPET_SEND(ksa, kmi_need, QKD_RP_KMI, EID(KMA, 0), &need);
    run(50);
    struct wire_route asked;
    const struct puppet_message *m = puppet_get(kmc, WIRE_CMD_ROUTE, 0);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_decode(&asked, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(asked.has_paths ? asked.paths : 1, answers[_i].paths);
    struct wire_bytes others = places(answers[_i].others, bytes[1]);
    struct wire_route_rsp rsp = {.head.orig_message_id = asked.head.message_id,
                                 .source_id = EID(KMA, 0),
                                 .destination_id = EID(KMA, 5),
                                 .has_route = true,
                                 .route = places(answers[_i].route, bytes[0]),
                                 .has_others = others.len > 0,
                                 .others = others,
                                 .has_validity_ms = true,
                                 .validity_ms = 10000,
                                 .code = WIRE_SUCCESS};
    PUPPET_SEND(kmc, route_rsp, QKD_RP_KMI, EID(KMA, 0), &rsp);
    run(50);
    ck_assert_uint_eq(puppet_count(neighbour, WIRE_CMD_UPDATE) > 0, answers[_i].good);
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_KMI_SUPPLY) > 0, !answers[_i].good);
    puppet_free(ksa);
}
END_TEST

/* As many keys as one request may ask for are begun in one step; more are refused, whoever says so. */
START_TEST(more_keys_than_a_request_may_have_are_refused)
{
    struct puppet *ksa = puppet_new(pump, EID(KSA, 0));
    struct wire_kmi_need need = {.destination_id = EID(KMA, 5),
                                 .source_app = EID(APP, 0),
                                 .target_app = EID(APP, 5),
                                 .key_size = 256,
                                 .count = KSA_KEYS_PER_REQUEST + 1,
                                 .timeout_ms = 2000};
    join();
    PUPPET_SEND(ksa, kmi_need, QKD_RP_KMI, EID(KMA, 0), &need);
    run(50);
    struct wire_kmi_supply supply;
    const struct puppet_message *m = puppet_get(ksa, WIRE_CMD_KMI_SUPPLY, 0);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_kmi_supply_decode(&supply, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(supply.reason, WIRE_REASON_BAD_REQUEST);
    need.count = UINT32_MAX;
    PUPPET_SEND(ksa, kmi_need, QKD_RP_KMI, EID(KMA, 0), &need);
    need.count = KSA_KEYS_PER_REQUEST;
    PUPPET_SEND(ksa, kmi_need, QKD_RP_KMI, EID(KMA, 0), &need);
    run(50);
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_KMI_SUPPLY), 2);
    ck_assert_uint_eq(puppet_count(kmc, WIRE_CMD_ROUTE), 1);
    puppet_free(ksa);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kma");
    TCase *tc = tcase_create("kma");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, files_of_any_length_are_stored);
    tcase_add_test(tc, more_keys_than_a_request_may_have_are_refused);
    tcase_add_test(tc, full_store_pauses_the_module);
    tcase_add_test(tc, file_of_a_foreign_module_is_refused);
    tcase_add_test(tc, untrue_files_are_refused);
    tcase_add_test(tc, optional_items_may_be_absent);
    tcase_add_test(tc, known_id_with_another_length_is_refused);
    tcase_add_test(tc, adjacency_needs_a_true_hello);
    tcase_add_test(tc, bare_hello_is_not_heard);
    tcase_add_test(tc, link_state_needs_an_adjacency);
    tcase_add_test(tc, silence_ends_the_adjacency);
    tcase_add_test(tc, files_without_a_match_are_let_go);
    tcase_add_test(tc, what_the_owner_lost_is_given_up);
    tcase_add_loop_test(tc, session_with_another_hash_is_refused, 0, 2);
    tcase_add_test(tc, update_off_its_way_is_refused);
    tcase_add_test(tc, update_without_adjacency_is_refused);
    tcase_add_test(tc, a_million_ids_are_different);
    tcase_add_loop_test(tc, answers_that_undo_the_scheme_are_not_believed, 0,
                        sizeof answers / sizeof answers[0]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
