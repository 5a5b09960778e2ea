/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets: free lists of size classes over chunks that live as long as the pool. */
#include "sim/packet.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASS_MIN_SHIFT = 7, /* smallest class: 128 bytes of content */
    CLASS_COUNT = 14,    /* up to SIM_PACKET_MAX */
    CHUNK_BYTES = 65536  /* small classes are allocated this many bytes at a time */
};

struct chunk {
    struct chunk *next;
    max_align_t data[];
};

struct sim_pool {
    struct sim_packet *free[CLASS_COUNT];
    struct chunk *chunks;
    size_t live;
};

struct sim_pool *sim_pool_new(void)
{
    return calloc(1, sizeof(struct sim_pool));
}

void sim_pool_free(struct sim_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    while (pool->chunks != NULL) {
        struct chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        free(chunk);
    }
    free(pool);
}

static unsigned class_of(size_t len)
{
    unsigned size_class = 0;
    while (((size_t)1 << (CLASS_MIN_SHIFT + size_class)) < len) {
        size_class++;
    }
    return size_class;
}

/* Adds one chunk's packets to an empty free list. */
static bool pool_grow(struct sim_pool *pool, unsigned size_class)
{
    size_t item = sizeof(struct sim_packet) + ((size_t)1 << (CLASS_MIN_SHIFT + size_class));
    size_t align = alignof(max_align_t);
    item = (item + align - 1) / align * align;
    size_t count = item < CHUNK_BYTES ? CHUNK_BYTES / item : 1;
    struct chunk *chunk = malloc(sizeof(*chunk) + count * item);
    if (chunk == NULL) {
        return false;
    }
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    unsigned char *at = (unsigned char *)chunk->data;
    for (size_t i = count; i-- > 0;) {
        struct sim_packet *packet = (void *)(at + i * item);
        packet->size_class = (uint8_t)size_class;
        packet->next = pool->free[size_class];
        pool->free[size_class] = packet;
    }
    return true;
}

struct sim_packet *sim_pool_take(struct sim_pool *pool, size_t len)
{
    if (len > SIM_PACKET_MAX) {
        return NULL;
    }
    unsigned size_class = class_of(len);
    if (pool->free[size_class] == NULL && !pool_grow(pool, size_class)) {
        return NULL;
    }
    struct sim_packet *packet = pool->free[size_class];
    pool->free[size_class] = packet->next;
    pool->live++;
    memset(packet, 0, sizeof(*packet));
    packet->size_class = (uint8_t)size_class;
    packet->len = (uint32_t)len;
    return packet;
}

struct sim_packet *sim_pool_copy(struct sim_pool *pool, const struct sim_packet *packet)
{
    struct sim_packet *copy = sim_pool_take(pool, packet->len);
    if (copy != NULL) {
        uint8_t size_class = copy->size_class;
        *copy = *packet;
        copy->next = NULL;
        copy->size_class = size_class;
        memcpy(copy->bytes, packet->bytes, packet->len);
    }
    return copy;
}

void sim_pool_give(struct sim_pool *pool, struct sim_packet *packet)
{
    if (packet != NULL) {
        packet->next = pool->free[packet->size_class];
        pool->free[packet->size_class] = packet;
        pool->live--;
    }
}

size_t sim_pool_live(const struct sim_pool *pool)
{
    return pool->live;
}
