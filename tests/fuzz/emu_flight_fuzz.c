/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of flight records on arbitrary files. Properties: it reads nothing outside its input
 * (sanitizers see to that); an entry it accepts encodes to exactly the bytes it took; decoder and
 * reader agree; at the end, what it took is all of the input unless it says torn or damaged.
 *
 * Random bytes seldom have a good check, so that each input is also tried as the body of an entry
 * whose length and check are mended, behind a good head. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/flight/flight.h"

#define INPUT_MAX 65536
#define PROPERTY(cond) ((cond) ? (void)0 : property_fail(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void property_fail(const char *cond, int line)
{
    (void)fprintf(stderr, "emu_flight_fuzz.c:%d: %s\n", line, cond);
    abort();
}

static void check_entry(const struct emu_flight_entry *entry, const uint8_t *bytes, size_t len)
{
    uint8_t *again = malloc(len);
    PROPERTY(again != NULL);
    PROPERTY(emu_flight_size(entry) == len);
    emu_flight_encode(entry, again);
    PROPERTY(memcmp(again, bytes, len) == 0);
    free(again);
}

static void check_file(const uint8_t *bytes, size_t len)
{
    FILE *file = fmemopen((void *)(uintptr_t)bytes, len, "rb");
    struct emu_flight_reader *reader;
    struct emu_flight_entry entry;
    struct emu_why why;
    PROPERTY(file != NULL);
    int err = emu_flight_reader_new(file, "input", &reader, &why);
    PROPERTY(err == 0 || err == QKD_ERR_FORMAT);
    if (err == 0) {
        uint64_t at = emu_flight_whole(reader);
        while ((err = emu_flight_next(reader, &entry, &why)) == 1) {
            struct emu_flight_entry direct;
            uint64_t end = emu_flight_whole(reader);
            PROPERTY(end <= len);
            PROPERTY(emu_flight_decode(&direct, bytes + at, len - (size_t)at) == (int)(end - at));
            check_entry(&entry, bytes + at, (size_t)(end - at));
            check_entry(&direct, bytes + at, (size_t)(end - at));
            at = end;
        }
        PROPERTY(err == 0 || err == QKD_ERR_FORMAT);
        PROPERTY(err != 0 || emu_flight_torn(reader) == (at < len));
        emu_flight_reader_free(reader);
    }
    (void)fclose(file);
}

/* As the only entry of a good file: the check of emu/flight/flight_code.c. */
static void check_mended(const uint8_t *data, size_t size)
{
    static const uint8_t key[16] = "flight record 1";
    size_t head = EMU_FLIGHT_HEAD_LEN + 2;
    size_t len = head + 8 + size;
    uint8_t *bytes = malloc(len);
    PROPERTY(bytes != NULL);
    memcpy(bytes, EMU_FLIGHT_HEAD, EMU_FLIGHT_HEAD_LEN);
    bytes[head - 2] = 1;
    bytes[head - 1] = 'd';
    wire_put_u32(bytes + head, (uint32_t)size);
    wire_put_u32(bytes + head + 4, (uint32_t)crypto_hash64(key, data, size));
    memcpy(bytes + head + 8, data, size);
    check_file(bytes, len);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct emu_flight_entry entry;
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    int n = emu_flight_decode(&entry, data, size);
    PROPERTY(n > 0 || n == QKD_ERR_SHORT || n == QKD_ERR_FORMAT);
    if (n > 0) {
        check_entry(&entry, data, (size_t)n);
    }
    check_file(data, size);
    check_mended(data, size);
    return 0;
}
