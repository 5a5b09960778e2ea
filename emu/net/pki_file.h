/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairs of files, a certificate and its key, that appear whole or not at all. */
#ifndef EMU_PKI_FILE_H
#define EMU_PKI_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/net/pki.h"

/* What goes into the files. */
struct emu_pki_pair {
    const void *certificate;
    size_t certificate_len;
    const void *key;
    size_t key_len;
};

/* 0; QKD_ERR_EXISTS if one is there and force is false; QKD_ERR_INVALID if one is no regular file. */
int emu_pki_pair_check(const struct emu_pki_files *files, bool force, struct emu_why *why);

/* Writes both, the key with mode 0600. Without force a file that appears meanwhile is not replaced.
 * The errors of the check, QKD_ERR_IO. */
int emu_pki_pair_write(const struct emu_pki_files *files, const struct emu_pki_pair *pair,
                       bool force, struct emu_why *why);

#endif
