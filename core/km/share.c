/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shares of a link's key: see km/share.h. */
#include "core/km/share.h"

#include <stdlib.h>

#include "core/base/mutant.h"

#define ACCOUNTS_FIRST 4
/* What may be claimed of a store, of which half is an end's, in sixteenths. The rest is common: whatever the
 * claims are, all are served from a pool that is nearly full. */
#define PARTS 16
#define PARTS_CREDITS 5 /* up to half of it for what is guaranteed */
#define PARTS_RESERVES 1
#define ROUNDS 8 /* of sharing out what some do not want */

void km_share_init(struct km_share *share, const struct km_config *config, uint64_t store_bytes)
{
    *share = (struct km_share){.config = config, .store = store_bytes};
}

void km_share_fini(struct km_share *share)
{
    free(share->accounts);
    *share = (struct km_share){.config = share->config};
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What an account would save if it could. */
static uint64_t want_of(const struct km_account *account)
{
    uint64_t want = KM_SHARE_SAVED * account->largest;
    want = account->wanted[0] > want ? account->wanted[0] : want;
    return account->wanted[1] > want ? account->wanted[1] : want;
}

/* The most that each account of a level may save so that all together save no more than `all`: who wants
 * less leaves the rest to others. What they save is in *saved. */
static uint64_t part_of(const struct km_share *share, uint8_t level, uint64_t all, uint64_t *saved)
{
    uint64_t part = 0;
    *saved = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t open = 0;
        *saved = 0;
        for (uint32_t i = 0; i < share->count; i++) {
            const struct km_account *account = &share->accounts[i];
            if (account->level == level) {
                uint64_t want = want_of(account);
                open += want > part;
                *saved += least(want, part);
            }
        }
        if (open == 0 || *saved >= all || (all - *saved) / open == 0) {
            break;
        }
        part += (all - *saved) / open;
    }
    return part;
}

static void parts_set(struct km_share *share)
{
    uint64_t all = share->store / PARTS * PARTS_CREDITS;
    for (unsigned level = 0; level <= KM_SHARE_NONE; level++) {
        uint64_t saved;
        uint64_t most = level == KM_SHARE_GUARANTEED ? all / 2 : all;
        share->part[level] = part_of(share, (uint8_t)level, most, &saved);
        all -= least(saved, all);
    }
}

/* What may be saved on an account beside what is there. */
static uint64_t room_of(const struct km_share *share, const struct km_account *account)
{
    uint64_t most = least(want_of(account), share->part[account->level]);
    return account->credit < most ? most - account->credit : 0;
}

static uint64_t reserve_most(const struct km_share *share, uint32_t class_slot)
{
    return least(share->config->classes[class_slot].reserve_bits / 8,
                 share->store / PARTS * PARTS_RESERVES / share->config->class_count);
}

static uint8_t level_of_class(const struct km_share *share, uint32_t class_slot)
{
    return (uint8_t)(KM_SHARE_PRIORITY + share->config->classes[class_slot].priority);
}

/* ---- income ---- */

/* Equal steps to all accounts of a level that have room; what is left. */
static uint64_t fill_accounts(struct km_share *share, uint8_t level, uint64_t bytes)
{
    for (;;) {
        uint64_t open = 0;
        for (uint32_t i = 0; i < share->count; i++) {
            open += share->accounts[i].level == level && room_of(share, &share->accounts[i]) > 0;
        }
        if (open == 0 || bytes == 0) {
            return bytes;
        }
        uint64_t step = bytes < open ? 1 : bytes / open;
        for (uint32_t i = 0; i < share->count && bytes > 0; i++) {
            struct km_account *account = &share->accounts[i];
            uint64_t gets = account->level == level ? least(step, room_of(share, account)) : 0;
            gets = least(gets, bytes);
            account->credit += gets;
            bytes -= gets;
            if (i == 0 && QKDN_MUTANT(SHARE_TWICE)) {
                account->credit += gets;
                share->debt += gets;
            }
        }
    }
}

static uint64_t fill_reserves(struct km_share *share, uint8_t level, uint64_t bytes)
{
    for (uint32_t c = 0; c < share->config->class_count; c++) {
        uint64_t most = reserve_most(share, c);
        if (level_of_class(share, c) == level && share->reserve[c] < most) {
            uint64_t gets = least(bytes, most - share->reserve[c]);
            share->reserve[c] += gets;
            bytes -= gets;
        }
    }
    return bytes;
}

/* All that is not common. */
static uint64_t claimed(const struct km_share *share)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < share->count; i++) {
        sum += share->accounts[i].credit;
    }
    for (uint32_t c = 0; c < share->config->class_count; c++) {
        sum += share->reserve[c];
    }
    return sum;
}

static void income(struct km_share *share, uint64_t bytes)
{
    uint64_t paid = least(bytes, share->debt);
    share->debt -= paid;
    bytes -= paid;
    parts_set(share);
    for (unsigned level = 0; level <= KM_SHARE_NONE; level++) {
        bytes = fill_accounts(share, (uint8_t)level, bytes);
        bytes = fill_reserves(share, (uint8_t)level, bytes);
    }
    share->common += bytes;
}

/* Brings the accounts to what the pool has now. What went other ways is taken from what is common, then it
 * is a debt: nobody's claim shrinks by it, so that the claims stay in proportion. */
static void settle(struct km_share *share, uint64_t free_bytes)
{
    uint64_t have = free_bytes + share->debt;
    uint64_t all = claimed(share) + share->common;
    if (have > all) {
        uint64_t common = share->common; /* is spread anew: who asks may have changed */
        share->common = 0;
        income(share, have - all + common);
    } else {
        uint64_t lost = all - have;
        uint64_t paid = least(lost, share->common);
        share->common -= paid;
        share->debt += lost - paid;
        uint64_t common = share->common;
        share->common = 0;
        income(share, common);
    }
}

/* ---- accounts ---- */

/* Closes those that nobody has used for long; what they hold is common. */
static void idle_close(struct km_share *share, struct qkd_time now)
{
    for (uint32_t i = 0; i < share->count;) {
        struct qkd_time end = qkd_time_add(share->accounts[i].asked, qkd_span_s(KM_SHARE_PERIOD_S));
        if (qkd_time_before(now, end)) {
            i++;
            continue;
        }
        share->common += share->accounts[i].credit;
        share->accounts[i] = share->accounts[--share->count];
    }
}

static struct km_account *account_find(const struct km_share *share, const struct km_share_who *who)
{
    for (uint32_t i = 0; i < share->count; i++) {
        const struct km_share_who *it = &share->accounts[i].who;
        if (qkd_eid_eq(it->source, who->source) && it->flow == who->flow &&
            it->is_guaranteed == who->is_guaranteed) {
            return &share->accounts[i];
        }
    }
    return NULL;
}

static struct km_account *account_get(struct km_share *share, const struct km_share_ask *ask)
{
    struct km_account *account = account_find(share, &ask->who);
    if (account == NULL && share->count == share->cap) {
        uint32_t cap = share->cap == 0 ? ACCOUNTS_FIRST : 2 * share->cap;
        struct km_account *more = realloc(share->accounts, cap * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        share->accounts = more;
        share->cap = cap;
    }
    if (account == NULL) {
        account = &share->accounts[share->count++];
        *account = (struct km_account){.who = ask->who, .since = ask->now};
    }
    struct qkd_span period = qkd_span_s(KM_SHARE_PERIOD_S);
    if (!qkd_time_before(ask->now, qkd_time_add(account->since, period))) {
        account->wanted[1] = account->wanted[0];
        account->wanted[0] = 0;
        account->since = ask->now;
    }
    account->wanted[0] += ask->bytes;
    account->level = QKDN_MUTANT(SHARE_ALIKE) ? KM_SHARE_NONE : ask->level;
    account->largest = account->largest > ask->bytes ? account->largest : ask->bytes;
    account->asked = ask->now;
    return account;
}

/* ---- what is taken ---- */

/* Takes up to `bytes` of what is there; what is still lacking. */
static uint64_t draw(uint64_t *from, uint64_t bytes)
{
    uint64_t gets = least(*from, bytes);
    *from -= gets;
    return bytes - gets;
}

/* Of levels less important than this one, the least important first. */
static uint64_t preempt(struct km_share *share, uint8_t level, uint64_t bytes)
{
    for (unsigned below = KM_SHARE_NONE; below > level && bytes > 0; below--) {
        for (uint32_t c = 0; c < share->config->class_count; c++) {
            if (level_of_class(share, c) == below) {
                bytes = draw(&share->reserve[c], bytes);
            }
        }
        for (uint32_t i = 0; i < share->count; i++) {
            if (share->accounts[i].level == below) {
                bytes = draw(&share->accounts[i].credit, bytes);
            }
        }
    }
    return bytes;
}

/* What is common for a level: not what more important ones want and may not save, unless the store is nearly
 * full. Else a need that waits would take what a large block brings before others ask. */
static uint64_t common_for(const struct km_share *share, uint8_t level, bool is_full)
{
    uint64_t wanted = 0;
    for (uint32_t i = 0; !is_full && i < share->count; i++) {
        const struct km_account *account = &share->accounts[i];
        uint64_t want = want_of(account);
        wanted += account->level < level && want > account->credit ? want - account->credit : 0;
    }
    return share->common > wanted ? share->common - wanted : 0;
}

/* Most that an account may take now, beside `common` of what is common. */
static uint64_t reach(const struct km_share *share, const struct km_account *account,
                      uint32_t class_slot, uint64_t common)
{
    uint64_t sum = common + account->credit;
    for (uint32_t i = 0; i < share->count; i++) {
        sum += share->accounts[i].level > account->level ? share->accounts[i].credit : 0;
    }
    for (uint32_t c = 0; c < share->config->class_count; c++) {
        bool is_below = level_of_class(share, c) > account->level;
        sum += is_below || c == class_slot ? share->reserve[c] : 0;
    }
    return sum;
}

/* What more important levels may claim. */
static uint64_t claimed_above(const struct km_share *share, uint8_t level)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < share->count; i++) {
        sum += share->accounts[i].level < level ? share->accounts[i].credit : 0;
    }
    for (uint32_t c = 0; c < share->config->class_count; c++) {
        sum += level_of_class(share, c) < level ? share->reserve[c] : 0;
    }
    return sum;
}

uint64_t km_share_piece(const struct km_share *share, uint8_t level)
{
    uint64_t piece = 0;
    for (uint32_t i = 0; i < share->count; i++) {
        const struct km_account *account = &share->accounts[i];
        bool is_larger = account->level < level && account->largest > piece;
        piece = is_larger ? account->largest : piece;
    }
    return piece;
}

bool km_share_take(struct km_share *share, const struct km_share_ask *ask)
{
    idle_close(share, ask->now);
    struct km_account *account = account_get(share, ask);
    if (account == NULL) {
        return false;
    }
    settle(share, ask->free);
    uint64_t common = common_for(share, account->level, ask->is_full);
    if (reach(share, account, ask->class_slot, common) < ask->bytes ||
        ask->left < claimed_above(share, account->level)) {
        return false;
    }
    uint64_t left = ask->bytes - least(common, ask->bytes);
    share->common -= ask->bytes - left;
    left = draw(&account->credit, left);
    if (ask->class_slot < share->config->class_count) {
        left = draw(&share->reserve[ask->class_slot], left);
    }
    (void)preempt(share, account->level, left);
    return true;
}

void km_share_give(struct km_share *share, const struct km_share_who *who, uint64_t bytes)
{
    struct km_account *account = account_find(share, who);
    *(account == NULL ? &share->common : &account->credit) += bytes;
}

uint64_t km_share_lacks(struct km_share *share, uint8_t level)
{
    uint64_t sum = 0;
    parts_set(share);
    for (uint32_t i = 0; i < share->count; i++) {
        const struct km_account *account = &share->accounts[i];
        sum += account->level <= level ? room_of(share, account) : 0;
    }
    return sum;
}

uint64_t km_share_kept(struct km_share *share, uint8_t level, struct qkd_time now)
{
    idle_close(share, now);
    parts_set(share);
    uint64_t sum = claimed_above(share, level);
    for (uint32_t i = 0; i < share->count; i++) {
        const struct km_account *account = &share->accounts[i];
        if (account->level == KM_SHARE_GUARANTEED) {
            uint64_t most = least(want_of(account), share->part[0]);
            uint64_t counted = level > KM_SHARE_GUARANTEED ? account->credit : 0;
            sum += most > counted ? most - counted : 0;
        }
    }
    return sum;
}
