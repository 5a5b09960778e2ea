/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small driver for fuzz targets, so that they run everywhere in `make test`: it feeds
 * LLVMFuzzerTestOneInput() every file of a corpus folder, then a fixed number of inputs that are
 * random bytes or mutations of corpus files and of earlier inputs. The same seed gives the same
 * inputs. It has no coverage feedback: long runs are for the libFuzzer build (preset fuzz).
 *
 *   fuzz_<name> [corpus folder or file]...
 *   QKDN_FUZZ_RUNS     inputs to make (20000)
 *   QKDN_FUZZ_SEED     seed (1)
 *   QKDN_FUZZ_SECONDS  stop early after that much wall time (3); 0 for never
 *
 * When the target crashes, the input goes to stderr in hexadecimal, with the seed and its number;
 * turned into a file of the corpus (xxd -r -p) it is tried first from then on. */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)65536) /* bytes of one input */
#define POOL_MAX ((size_t)256)    /* inputs kept to mutate */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct input {
    uint8_t *bytes;
    size_t len;
};

struct pool {
    struct input items[POOL_MAX];
    size_t count;
    size_t fixed; /* the first ones come from the corpus and are never replaced */
};

/* What the crash handler prints; the only state it may see. */
static const uint8_t *volatile current_bytes;
static volatile size_t current_len;
static volatile uint64_t current_run;
static volatile uint64_t current_seed;

/* splitmix64 (Steele, Lea, Flood 2014): good enough to choose inputs. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t bound)
{
    return bound == 0 ? 0 : (size_t)(next_random(state) % bound);
}

/* write(2) of a string or number: all a signal handler may do. */
static void put_text(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) {
        return;
    }
}

static void put_number(uint64_t value)
{
    char digits[24];
    size_t at = sizeof digits;

    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put_text(digits + at);
}

static void put_hex(const uint8_t *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    char pair[3] = {0, 0, 0};

    for (size_t i = 0; i < len; i++) {
        pair[0] = hex[bytes[i] >> 4];
        pair[1] = hex[bytes[i] & 15];
        put_text(pair);
    }
    put_text("\n");
}

static void on_crash(int signal_number)
{
    put_text("\nfuzz: the target crashed: QKDN_FUZZ_SEED=");
    put_number(current_seed);
    put_text(" input ");
    put_number(current_run);
    put_text(" of ");
    put_number(current_len);
    put_text(" bytes:\n");
    put_hex(current_bytes, current_len);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Runs one input from a heap block of exactly its size, so that a sanitizer sees overreads. */
static void run_one(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);

    if (exact == NULL) {
        fputs("fuzz: out of memory\n", stderr);
        exit(3);
    }
    memcpy(exact, bytes, len);
    current_bytes = exact;
    current_len = len;
    current_run++;
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static void pool_set(struct input *item, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = realloc(item->bytes, len > 0 ? len : 1);

    if (copy == NULL) {
        return;
    }
    memcpy(copy, bytes, len);
    item->bytes = copy;
    item->len = len;
}

/* Keeps a made input now and then, over an older one when the pool is full. */
static void pool_keep(struct pool *pool, const uint8_t *bytes, size_t len, uint64_t *state)
{
    if (pool->count < POOL_MAX) {
        pool_set(&pool->items[pool->count++], bytes, len);
    } else if (pool->fixed < POOL_MAX) {
        size_t at = pool->fixed + below(state, POOL_MAX - pool->fixed);
        pool_set(&pool->items[at], bytes, len);
    }
}

static bool load_file(struct pool *pool, const char *path, uint8_t *scratch)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    if (file == NULL) {
        return false;
    }
    len = fread(scratch, 1, INPUT_MAX, file);
    fclose(file);
    run_one(scratch, len);
    if (pool->count < POOL_MAX) {
        pool_set(&pool->items[pool->count++], scratch, len);
    }
    return true;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Runs and keeps a file, or the files of a folder in name order; a missing corpus is empty. */
static size_t load_corpus(struct pool *pool, const char *path, uint8_t *scratch)
{
    struct dirent **names = NULL;
    struct stat info;
    size_t loaded = 0;
    int count;

    if (stat(path, &info) != 0) {
        return 0;
    }
    if (!S_ISDIR(info.st_mode)) {
        return load_file(pool, path, scratch) ? 1 : 0;
    }
    count = scandir(path, &names, visible, alphasort);
    for (int i = 0; i < count; i++) {
        char full[4096];
        int wrote = snprintf(full, sizeof full, "%s/%s", path, names[i]->d_name);
        if (wrote > 0 && (size_t)wrote < sizeof full && load_file(pool, full, scratch)) {
            loaded++;
        }
        free(names[i]);
    }
    free(names);
    return loaded;
}

static size_t random_bytes(uint8_t *to, uint64_t *state)
{
    /* Mostly short: headers are short. One in 64 is long. */
    size_t len = below(state, below(state, 64) == 0 ? INPUT_MAX : 256);

    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)next_random(state);
    }
    return len;
}

/* Values at which length and count fields break. */
static uint8_t edge_byte(uint64_t *state)
{
    static const uint8_t edges[] = {0, 1, 2, 15, 16, 31, 32, 63, 64, 127, 128, 129, 254, 255};

    return edges[below(state, sizeof edges)];
}

static size_t insert_bytes(uint8_t *to, size_t len, uint64_t *state)
{
    size_t at = below(state, len + 1);
    size_t more = 1 + below(state, 16);

    if (len + more > INPUT_MAX) {
        return len;
    }
    memmove(to + at + more, to + at, len - at);
    for (size_t i = 0; i < more; i++) {
        to[at + i] = (uint8_t)next_random(state);
    }
    return len + more;
}

static size_t remove_bytes(uint8_t *to, size_t len, uint64_t *state)
{
    size_t at = below(state, len);
    size_t less = 1 + below(state, 16);

    if (less > len - at) {
        less = len - at;
    }
    memmove(to + at, to + at + less, len - at - less);
    return len - less;
}

/* Replaces the tail by the tail of another kept input. */
static size_t splice(uint8_t *to, size_t len, const struct pool *pool, uint64_t *state)
{
    const struct input *other = &pool->items[below(state, pool->count)];
    size_t keep = below(state, len + 1);
    size_t from = below(state, other->len + 1);
    size_t take = other->len - from;

    if (keep + take > INPUT_MAX) {
        take = INPUT_MAX - keep;
    }
    memcpy(to + keep, other->bytes + from, take);
    return keep + take;
}

static size_t mutate_once(uint8_t *to, size_t len, const struct pool *pool, uint64_t *state)
{
    size_t at = below(state, len);

    if (len == 0) {
        return insert_bytes(to, len, state);
    }
    switch (below(state, 8)) {
    case 0:
        to[at] ^= (uint8_t)(1u << below(state, 8));
        return len;
    case 1:
        to[at] = (uint8_t)next_random(state);
        return len;
    case 2:
        to[at] = edge_byte(state);
        return len;
    case 3:
        to[at] = (uint8_t)(to[at] + (below(state, 2) == 0 ? 1 : -1));
        return len;
    case 4:
        return at; /* cut */
    case 5:
        return insert_bytes(to, len, state);
    case 6:
        return remove_bytes(to, len, state);
    default:
        return splice(to, len, pool, state);
    }
}

static size_t make_input(uint8_t *to, const struct pool *pool, uint64_t *state)
{
    size_t len;

    if (pool->count == 0 || below(state, 8) == 0) {
        return random_bytes(to, state);
    }
    const struct input *parent = &pool->items[below(state, pool->count)];
    memcpy(to, parent->bytes, parent->len);
    len = parent->len;
    for (size_t left = 1 + below(state, 4); left > 0; left--) {
        len = mutate_once(to, len, pool, state);
    }
    return len;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void catch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        signal(signals[i], on_crash);
    }
}

int main(int argc, char **argv)
{
    uint64_t runs = setting("QKDN_FUZZ_RUNS", 20000);
    uint64_t seconds = setting("QKDN_FUZZ_SECONDS", 3);
    uint64_t state = setting("QKDN_FUZZ_SEED", 1);
    uint8_t *scratch = malloc(INPUT_MAX);
    struct pool *pool = calloc(1, sizeof *pool);
    time_t end = time(NULL) + (time_t)seconds;
    uint64_t made = 0;

    if (scratch == NULL || pool == NULL) {
        fputs("fuzz: out of memory\n", stderr);
        return 3;
    }
    current_seed = state;
    catch_crashes();
    for (int i = 1; i < argc; i++) {
        load_corpus(pool, argv[i], scratch);
    }
    pool->fixed = pool->count;
    while (made < runs && (seconds == 0 || made % 256 != 0 || time(NULL) <= end)) {
        size_t len = make_input(scratch, pool, &state);
        run_one(scratch, len);
        if (made % 16 == 0) {
            pool_keep(pool, scratch, len, &state);
        }
        made++;
    }
    printf("fuzz: seed %llu: %zu corpus files, then %llu inputs\n",
           (unsigned long long)current_seed, pool->fixed, (unsigned long long)made);
    for (size_t i = 0; i < pool->count; i++) {
        free(pool->items[i].bytes);
    }
    free(pool);
    free(scratch);
    return 0;
}
