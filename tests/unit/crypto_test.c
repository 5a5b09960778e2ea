/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/crypto against published vectors: RFC 8439 (Poly1305 2.5.2 and A.3, ChaCha20 A.1), the GCM
 * specification of McGrew and Viega (test cases 13 to 16), FIPS 180 "abc", RFC 4231, RFC 5869 and
 * the SipHash reference vector. Both GCM back ends take the same vectors. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/crypto/crypto.h"
#include "core/crypto/gcm_evp.h"
#include "tests/lib/hex.h"

static void expect_hex(const uint8_t *got, const char *want)
{
    uint8_t bytes[256];
    size_t len = hex_bytes(want, bytes, sizeof bytes);
    ck_assert_mem_eq(got, bytes, len);
}

/* ---- Wegman-Carter tag ---- */

static const struct {
    const char *key; /* r then s */
    const char *message;
    const char *tag;
} poly_cases[] = {
    /* RFC 8439 2.5.2 */
    {"85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
     "43727970746f6772617068696320466f72756d2052657365617263682047726f7570",
     "a8061dc1305136c6c22b8baf0c0127a9"},
    /* A.3 #7: the sum before reduction exceeds 2^130 - 5 */
    {"0200000000000000000000000000000000000000000000000000000000000000",
     "ffffffffffffffffffffffffffffffff", "03000000000000000000000000000000"},
    /* A.3 #8: adding s wraps 2^128 */
    {"02000000000000000000000000000000ffffffffffffffffffffffffffffffff",
     "02000000000000000000000000000000", "03000000000000000000000000000000"},
    /* A.3 #9 */
    {"0100000000000000000000000000000000000000000000000000000000000000",
     "fffffffffffffffffffffffffffffffff0ffffffffffffffffffffffffffffff"
     "11000000000000000000000000000000",
     "05000000000000000000000000000000"},
    /* A.3 #11 */
    {"0200000000000000000000000000000000000000000000000000000000000000",
     "fdffffffffffffffffffffffffffffff", "faffffffffffffffffffffffffffffff"},
};

START_TEST(wc_tag_rfc8439)
{
    uint8_t key[32];
    uint8_t message[128];
    uint8_t tag[16];
    hex_bytes(poly_cases[_i].key, key, sizeof key);
    size_t len = hex_bytes(poly_cases[_i].message, message, sizeof message);
    crypto_wc_tag(tag, key, key + 16, message, len);
    expect_hex(tag, poly_cases[_i].tag);
    for (size_t cut = 0; cut <= len; cut++) {
        struct crypto_part parts[3] = {{message, cut / 2},
                                       {message + cut / 2, cut - cut / 2},
                                       {message + cut, len - cut}};
        uint8_t again[16];
        crypto_wc_tag_parts(again, key, key + 16, parts, 3);
        ck_assert_mem_eq(tag, again, 16);
    }
}
END_TEST

/* An empty message hashes to 0: its tag is the pad itself. */
START_TEST(wc_tag_empty)
{
    uint8_t key[32];
    uint8_t tag[16];
    hex_bytes(poly_cases[0].key, key, sizeof key);
    crypto_wc_tag(tag, key, key + 16, NULL, 0);
    ck_assert_mem_eq(tag, key + 16, 16);
}
END_TEST

/* The control of 8 bits. With r = 1 the polynomial of one block is that block, so the tag is by hand; the
 * product is the example of FIPS 197, clause 4.2: {57} {83} = {c1}. */
START_TEST(wc_tag_short_by_hand)
{
    uint8_t r[16] = {1};
    uint8_t s[16] = {0x11, 0x57};
    uint8_t message[16] = {0x83};
    uint8_t tag[16];
    static const uint8_t rest[15] = {0};
    crypto_wc_tag_short(tag, r, s, message, sizeof message);
    ck_assert_uint_eq(tag[0], 0x11 ^ 0xc1);
    ck_assert_mem_eq(tag + 1, rest, sizeof rest);
}
END_TEST

/* ---- AES-256-GCM ---- */

#define GCM_PLAIN                                                                                  \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_CIPHER                                                                                 \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"                             \
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define GCM_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define GCM_ZERO_KEY "0000000000000000000000000000000000000000000000000000000000000000"

static const struct {
    const char *key, *nonce, *aad, *plain, *sealed;
} gcm_cases[] = {
    {GCM_ZERO_KEY, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {GCM_ZERO_KEY, "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {GCM_KEY, "cafebabefacedbaddecaf888", "", GCM_PLAIN "1aafd255",
     GCM_CIPHER "898015adb094dac5d93471bdec1a502270e3cc6c"},
    {GCM_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", GCM_PLAIN,
     GCM_CIPHER "76fc6ece0f4e1768cddf8853bb2d551b"},
};

typedef int (*gcm_function)(const uint8_t *, const uint8_t *, const struct crypto_gcm_text *,
                            uint8_t *);
static const struct {
    gcm_function seal, open;
} gcm_backends[] = {
    {crypto_gcm_seal, crypto_gcm_open},
    {crypto_gcm_evp_seal, crypto_gcm_evp_open},
};

struct gcm_input {
    uint8_t key[32], nonce[12], aad[64], plain[64], sealed[80];
    size_t aad_len, plain_len, sealed_len;
};

static void gcm_load(struct gcm_input *in, int index)
{
    hex_bytes(gcm_cases[index].key, in->key, sizeof in->key);
    hex_bytes(gcm_cases[index].nonce, in->nonce, sizeof in->nonce);
    in->aad_len = hex_bytes(gcm_cases[index].aad, in->aad, sizeof in->aad);
    in->plain_len = hex_bytes(gcm_cases[index].plain, in->plain, sizeof in->plain);
    in->sealed_len = hex_bytes(gcm_cases[index].sealed, in->sealed, sizeof in->sealed);
}

START_TEST(gcm_vectors)
{
    struct gcm_input in;
    gcm_load(&in, _i);
    for (size_t b = 0; b < 2; b++) {
        uint8_t buffer[80];
        struct crypto_gcm_text seal = {in.aad, in.aad_len, in.plain, in.plain_len};
        ck_assert_int_eq(gcm_backends[b].seal(in.key, in.nonce, &seal, buffer), 0);
        ck_assert_mem_eq(buffer, in.sealed, in.sealed_len);
        struct crypto_gcm_text open = {in.aad, in.aad_len, buffer, in.sealed_len};
        ck_assert_int_eq(gcm_backends[b].open(in.key, in.nonce, &open, buffer), 0);
        ck_assert_mem_eq(buffer, in.plain, in.plain_len);
        struct crypto_gcm_text in_place = {in.aad, in.aad_len, buffer, in.plain_len};
        ck_assert_int_eq(gcm_backends[b].seal(in.key, in.nonce, &in_place, buffer), 0);
        ck_assert_mem_eq(buffer, in.sealed, in.sealed_len);
    }
}
END_TEST

/* Every flipped bit of cipher text, tag and associated data is refused and leaves only zeros. */
START_TEST(gcm_forgeries)
{
    struct gcm_input in;
    gcm_load(&in, _i);
    static const uint8_t zero[80];
    for (size_t b = 0; b < 2; b++) {
        for (size_t bit = 0; bit < 8 * (in.sealed_len + in.aad_len); bit++) {
            struct gcm_input bad = in;
            size_t at = bit / 8;
            uint8_t *byte = at < in.sealed_len ? &bad.sealed[at] : &bad.aad[at - in.sealed_len];
            *byte ^= (uint8_t)(1U << (bit % 8));
            uint8_t plain[80];
            memset(plain, 0x55, sizeof plain);
            struct crypto_gcm_text open = {bad.aad, bad.aad_len, bad.sealed, bad.sealed_len};
            ck_assert_int_eq(gcm_backends[b].open(in.key, in.nonce, &open, plain), QKD_ERR_AUTH);
            ck_assert_mem_eq(plain, zero, in.plain_len);
            ck_assert_uint_eq(plain[in.plain_len], 0x55);
        }
        struct crypto_gcm_text cut = {in.aad, in.aad_len, in.sealed, 15};
        uint8_t untouched = 0x55;
        ck_assert_int_eq(gcm_backends[b].open(in.key, in.nonce, &cut, &untouched), QKD_ERR_AUTH);
        ck_assert_uint_eq(untouched, 0x55);
    }
}
END_TEST

/* The back ends agree on random keys, nonces and lengths. */
START_TEST(gcm_backends_agree)
{
    static const uint8_t seed[32] = "gcm back ends agree, seed 1";
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    for (int round = 0; round < 300; round++) {
        uint8_t key[32], nonce[12], aad[40], plain[600], a[616], b[616];
        qkd_rng_bytes(&rng, key, sizeof key);
        qkd_rng_bytes(&rng, nonce, sizeof nonce);
        qkd_rng_bytes(&rng, aad, sizeof aad);
        qkd_rng_bytes(&rng, plain, sizeof plain);
        size_t len = (size_t)qkd_rng_below(&rng, sizeof plain + 1);
        struct crypto_gcm_text text = {aad, (size_t)qkd_rng_below(&rng, 41), plain, len};
        ck_assert_int_eq(crypto_gcm_seal(key, nonce, &text, a), 0);
        ck_assert_int_eq(crypto_gcm_evp_seal(key, nonce, &text, b), 0);
        ck_assert_mem_eq(a, b, len + 16);
    }
}
END_TEST

/* Long messages take the other back end: what one seals just below the change, the other opens. */
START_TEST(gcm_long_messages)
{
    static uint8_t plain[9000], sealed[9016], opened[9016];
    static const uint8_t seed[32] = "gcm of long messages, seed 1";
    const uint8_t key[32] = {7};
    const uint8_t nonce[12] = {9};
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    qkd_rng_bytes(&rng, plain, sizeof plain);
    for (size_t len = 8170; len < 8200; len++) {
        struct crypto_gcm_text seal = {seed, sizeof seed, plain, len};
        struct crypto_gcm_text open = {seed, sizeof seed, sealed, len + CRYPTO_GCM_TAG_LEN};
        ck_assert_int_eq(crypto_gcm_seal(key, nonce, &seal, sealed), 0);
        ck_assert_int_eq(crypto_gcm_open(key, nonce, &open, opened), 0);
        ck_assert_mem_eq(opened, plain, len);
        sealed[len / 2] ^= 1;
        ck_assert_int_eq(crypto_gcm_open(key, nonce, &open, opened), QKD_ERR_AUTH);
        ck_assert_uint_eq(opened[len / 3], 0); /* nothing is handed out */
    }
}
END_TEST

/* ---- expansion, digests, derivation ---- */

static const struct {
    const char *seed;
    uint64_t offset;
    const char *stream;
} chacha_cases[] = {
    /* RFC 8439 A.1 #1, #2, #3, #4 */
    {GCM_ZERO_KEY, 0,
     "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
     "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
    {GCM_ZERO_KEY, 64,
     "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
     "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
    {"0000000000000000000000000000000000000000000000000000000000000001", 64,
     "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
     "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
    {"00ff000000000000000000000000000000000000000000000000000000000000", 128,
     "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
     "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"},
};

START_TEST(expand_rfc8439)
{
    uint8_t seed[32];
    uint8_t stream[64];
    hex_bytes(chacha_cases[_i].seed, seed, sizeof seed);
    crypto_expand(stream, seed, chacha_cases[_i].offset, sizeof stream);
    expect_hex(stream, chacha_cases[_i].stream);
}
END_TEST

/* Any cut of the stream gives the same bytes, and nothing is written outside. */
START_TEST(expand_offsets)
{
    static const uint8_t seed[32] = {7};
    uint8_t whole[400];
    crypto_expand(whole, seed, 0, sizeof whole);
    for (size_t offset = 0; offset < 200; offset++) {
        for (size_t len = 0; len < 150; len += 7) {
            uint8_t part[152];
            memset(part, 0xa5, sizeof part);
            crypto_expand(part, seed, offset, len);
            ck_assert_mem_eq(part, whole + offset, len);
            ck_assert_uint_eq(part[len], 0xa5);
        }
    }
}
END_TEST

START_TEST(sha256_fips180)
{
    uint8_t hash[32];
    struct crypto_part parts[2] = {{"a", 1}, {"bc", 2}};
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(crypto_sha256(parts, 2, hash), 0);
        expect_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        ck_assert_int_eq(crypto_sha256(NULL, 0, hash), 0);
        expect_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
END_TEST

/* RFC 4231 test cases 1 to 4: HMAC pads its key with zeros, so a shorter key fits 32 bytes. */
static const struct {
    const char *key, *data, *mac;
} hmac_cases[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddd"
     "dddddddddddddddddddddddddddddddddddddddddddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};

START_TEST(hmac_rfc4231)
{
    uint8_t key[32] = {0};
    uint8_t data[64];
    uint8_t mac[32];
    hex_bytes(hmac_cases[_i].key, key, sizeof key);
    size_t len = hex_bytes(hmac_cases[_i].data, data, sizeof data);
    struct crypto_part parts[2] = {{data, 3}, {data + 3, len - 3}};
    crypto_hmac(key, parts, 2, mac);
    expect_hex(mac, hmac_cases[_i].mac);
}
END_TEST

/* RFC 5869 A.1 to A.3. */
START_TEST(hkdf_rfc5869)
{
    static const char *const okm[3] = {
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"};
    uint8_t secret[80], salt[80], info[80], out[96];
    struct crypto_hkdf in = {secret, 22, salt, 13, info, 10};
    for (unsigned i = 0; i < 80; i++) {
        secret[i] = (uint8_t)(_i == 1 ? i : 0x0b);
        salt[i] = (uint8_t)(_i == 1 ? 0x60 + i : i);
        info[i] = (uint8_t)(_i == 1 ? 0xb0 + i : 0xf0 + i);
    }
    size_t len = 42;
    if (_i == 1) {
        in = (struct crypto_hkdf){secret, 80, salt, 80, info, 80};
        len = 82;
    } else if (_i == 2) {
        in.salt_len = 0;
        in.info_len = 0;
    }
    ck_assert_int_eq(crypto_hkdf(&in, out, len), 0);
    expect_hex(out, okm[_i]);
    ck_assert_int_eq(crypto_hkdf(&in, out, 255 * 32 + 1), QKD_ERR_RANGE);
}
END_TEST

START_TEST(siphash_reference)
{
    uint8_t key[16];
    uint8_t message[15];
    for (unsigned i = 0; i < 16; i++) {
        key[i] = (uint8_t)i;
        message[i % 15] = (uint8_t)(i % 15);
    }
    ck_assert_uint_eq(crypto_hash64(key, message, 15), UINT64_C(0xa129ca6149be45e5));
    ck_assert_uint_eq(crypto_hash64(key, message, 0), UINT64_C(0x726fdb47dd0e0e31));
}
END_TEST

START_TEST(xor_equal_wipe)
{
    uint8_t a[37], b[37], sum[37];
    for (unsigned i = 0; i < 37; i++) {
        a[i] = (uint8_t)(i * 7);
        b[i] = (uint8_t)(i * 13 + 1);
    }
    for (size_t len = 0; len <= 37; len++) {
        memset(sum, 0, sizeof sum);
        crypto_xor(sum, a, b, len);
        for (size_t i = 0; i < 37; i++) {
            ck_assert_uint_eq(sum[i], i < len ? a[i] ^ b[i] : 0);
        }
        crypto_xor(sum, sum, b, len);
        ck_assert(crypto_equal(sum, a, len));
    }
    sum[36] ^= 1;
    ck_assert(!crypto_equal(sum, a, 37));
    crypto_wipe(sum, 37);
    for (unsigned i = 0; i < 37; i++) {
        ck_assert_uint_eq(sum[i], 0);
    }
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("crypto");
    TCase *tests = tcase_create("vectors");
    tcase_add_loop_test(tests, wc_tag_rfc8439, 0, 5);
    tcase_add_test(tests, wc_tag_empty);
    tcase_add_test(tests, wc_tag_short_by_hand);
    tcase_add_loop_test(tests, gcm_vectors, 0, 4);
    tcase_add_loop_test(tests, gcm_forgeries, 0, 4);
    tcase_add_test(tests, gcm_backends_agree);
    tcase_add_test(tests, gcm_long_messages);
    tcase_add_loop_test(tests, expand_rfc8439, 0, 4);
    tcase_add_test(tests, expand_offsets);
    tcase_add_test(tests, sha256_fips180);
    tcase_add_loop_test(tests, hmac_rfc4231, 0, 4);
    tcase_add_loop_test(tests, hkdf_rfc5869, 0, 3);
    tcase_add_test(tests, siphash_reference);
    tcase_add_test(tests, xor_equal_wipe);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
