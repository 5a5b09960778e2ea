/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the schemes of key relay show to others, counted: for every key and every pad of 4 bits, on routes of up
 * to 4 hops, with the functions of core that make what is sent. A view is independent of the key if each view
 * occurs equally often with every key (Shannon 1949, perfect secrecy). Schemes: FG QIT4N D2.3 7.1.3; what each
 * hides, and what it does not, is worked out apart from the code in docs/protocol.md, "Schemes of key relay". */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"

enum { VALUES = 16, HOPS_MOST = 4, WIRES_MOST = 4 };

/* One transmission of a scheme: `pads` are the link keys, drawn the random numbers of the source. */
struct play {
    unsigned hops;
    uint8_t pad[HOPS_MOST];   /* key of each link */
    uint8_t drawn;            /* by the source */
    uint8_t wire[WIRES_MOST]; /* what is sent in clear */
    unsigned wires;
    uint8_t key; /* what the source ends with */
    uint8_t got; /* what the destination ends with */
};

static uint8_t padded(uint8_t plain, uint8_t pad)
{
    uint8_t to;
    crypto_xor(&to, &plain, &pad, 1);
    return to;
}

/* Hop by hop from link `first` on. */
static void hops_play(struct play *p, unsigned first)
{
    uint8_t at = p->key;
    for (unsigned i = first; i < p->hops; i++) {
        uint8_t sent = padded(at, p->pad[i]);
        p->wire[p->wires++] = sent;
        at = padded(sent, p->pad[i]);
    }
    p->got = at;
}

static void random_key(struct play *p)
{
    p->key = p->drawn;
    hops_play(p, 0);
}

static void first_key(struct play *p)
{
    p->key = p->pad[0];
    hops_play(p, 1);
}

/* Relay to the destination: Ci = Ki ^ Ki+1, to whom holds the last link's key. */
static void destination(struct play *p)
{
    p->key = p->pad[0];
    p->got = p->pad[p->hops - 1];
    for (unsigned i = 0; i + 1 < p->hops; i++) {
        uint8_t sum = padded(p->pad[i], p->pad[i + 1]);
        p->wire[p->wires++] = sum;
        p->got = padded(p->got, sum);
    }
}

/* A mistake that must be seen: the same pad on two links. */
static void pad_twice(struct play *p)
{
    p->pad[1] = p->pad[0];
    p->key = p->drawn;
    hops_play(p, 0);
    p->wire[1] = padded(p->wire[1], p->key); /* and one in clear */
}

struct scheme {
    void (*play)(struct play *p);
    bool draws;
};

/* How often each (view, key) comes; views of up to four nibbles. */
static uint32_t counts[1 << 16][VALUES];

static void count_all(const struct scheme *scheme, unsigned hops)
{
    memset(counts, 0, sizeof counts);
    unsigned digits = hops + (scheme->draws ? 1 : 0);
    for (uint32_t all = 0; all < UINT32_C(1) << (4 * digits); all++) {
        struct play p = {.hops = hops};
        for (unsigned i = 0; i < hops; i++) {
            p.pad[i] = (uint8_t)(all >> (4 * i) & 15);
        }
        p.drawn = (uint8_t)(all >> (4 * hops) & 15);
        scheme->play(&p);
        ck_assert_uint_eq(p.got, p.key); /* the same at both ends */
        uint32_t view = 0;
        for (unsigned i = 0; i < p.wires; i++) {
            view |= (uint32_t)p.wire[i] << (4 * i);
        }
        counts[view][p.key]++;
    }
}

/* Whether all keys are equally likely, whatever is seen. */
static bool independent(void)
{
    for (uint32_t view = 0; view < UINT32_C(1) << 16; view++) {
        for (unsigned key = 1; key < VALUES; key++) {
            if (counts[view][key] != counts[view][0]) {
                return false;
            }
        }
    }
    return true;
}

START_TEST(links_show_nothing_of_the_key)
{
    static const struct scheme schemes[] = {{random_key, true},
                                            {first_key, false},
                                            {destination, false}};
    for (size_t s = 0; s < sizeof schemes / sizeof schemes[0]; s++) {
        for (unsigned hops = 2; hops <= HOPS_MOST; hops++) {
            count_all(&schemes[s], hops);
            ck_assert_msg(independent(), "scheme %zu, %u hops", s, hops);
        }
    }
}
END_TEST

/* What the scheme costs in trust: a node that knows one link's key and hears all sums has the key. */
START_TEST(sums_and_one_link_key_are_the_key)
{
    for (unsigned hops = 2; hops <= HOPS_MOST; hops++) {
        for (uint32_t all = 0; all < UINT32_C(1) << (4 * hops); all++) {
            struct play p = {.hops = hops};
            for (unsigned i = 0; i < hops; i++) {
                p.pad[i] = (uint8_t)(all >> (4 * i) & 15);
            }
            destination(&p);
            for (unsigned node = 1; node < hops; node++) { /* it knows the link before it */
                uint8_t known = p.pad[node - 1];
                for (unsigned i = node - 1; i-- > 0;) {
                    known = padded(known, p.wire[i]);
                }
                ck_assert_uint_eq(known, p.key);
            }
        }
    }
}
END_TEST

START_TEST(a_leak_is_seen)
{
    static const struct scheme leaky = {pad_twice, true};
    memset(counts, 0, sizeof counts);
    for (uint32_t all = 0; all < UINT32_C(1) << 12; all++) {
        struct play p = {.hops = 2, .pad = {all & 15, all >> 4 & 15}, .drawn = all >> 8 & 15};
        leaky.play(&p);
        counts[p.wire[0] | (uint32_t)p.wire[1] << 4][p.key]++;
    }
    ck_assert(!independent());
}
END_TEST

/* Multipath with k shares, of which the first is what the others leave of the key. A node on way i sees its
 * share, and all that crosses links: every share under a pad. */
static uint32_t share_counts[1 << 16][VALUES];

static void shares_count(unsigned k, unsigned node, unsigned bits, bool is_zero)
{
    memset(share_counts, 0, sizeof share_counts);
    unsigned digits = k + (k - 1) + 1; /* pads of one link per way, shares but the first, the key */
    uint32_t mask = (UINT32_C(1) << bits) - 1;
    for (uint32_t all = 0; all < UINT32_C(1) << (bits * digits); all++) {
        uint8_t key = (uint8_t)(all & mask);
        uint8_t share[3] = {key};
        uint32_t view = 0;
        uint8_t got = 0;
        for (unsigned i = 1; i < k; i++) {
            share[i] = is_zero ? 0 : (uint8_t)(all >> (bits * i) & mask);
            share[0] = padded(share[0], share[i]);
        }
        for (unsigned i = 0; i < k; i++) {
            uint8_t wire = padded(share[i], (uint8_t)(all >> (bits * (k + i)) & mask));
            view |= (uint32_t)wire << (bits * i);
            got = padded(got, share[i]);
        }
        ck_assert_uint_eq(got, key);
        share_counts[view | (uint32_t)share[node] << (bits * k)][key]++;
    }
}

static bool shares_independent(unsigned bits)
{
    for (uint32_t view = 0; view < UINT32_C(1) << 16; view++) {
        for (unsigned key = 1; key < UINT32_C(1) << bits; key++) {
            if (share_counts[view][key] != share_counts[view][0]) {
                return false;
            }
        }
    }
    return true;
}

START_TEST(a_node_of_one_way_learns_nothing)
{
    for (unsigned k = 2; k <= 3; k++) {
        for (unsigned node = 0; node < k; node++) {
            unsigned bits = k == 2 ? 4 : 2;
            shares_count(k, node, bits, false);
            ck_assert_msg(shares_independent(bits), "%u ways, node of way %u", k, node);
        }
    }
    shares_count(2, 0, 4, true); /* shares that are not drawn: the first is the key */
    ck_assert(!shares_independent(4));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay secrecy");
    TCase *tc = tcase_create("relay secrecy");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, links_show_nothing_of_the_key);
    tcase_add_test(tc, a_node_of_one_way_learns_nothing);
    tcase_add_test(tc, sums_and_one_link_key_are_the_key);
    tcase_add_test(tc, a_leak_is_seen);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
