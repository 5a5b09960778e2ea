/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Test certificates: a certification authority in a folder, and certificates for daemons and SAEs from
 * it (X.509 v3, RFC 5280; keys on P-256, which OpenSSL, GnuTLS and curl all take). Its key lies beside
 * it without a password: good for tests and demonstrations on machines of one's own, for nothing else.
 *
 * Files in the folder, PEM: ca.crt and ca.key; kmd.A.crt and kmd.A.key of a daemon; sae.ID.crt and
 * sae.ID.key of an SAE. Keys have mode 0600. A pair is there whole or not at all. */
#ifndef EMU_PKI_H
#define EMU_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/base/why.h"

#define EMU_PKI_PATH_SIZE 1024
#define EMU_PKI_CA_S (3650 * INT64_C(86400)) /* how long certificates are valid */
#define EMU_PKI_S (365 * INT64_C(86400))

enum emu_pki_kind { EMU_PKI_CA, EMU_PKI_DAEMON, EMU_PKI_SAE };

/* A folder, and how to write there. */
struct emu_pki {
    const char *folder; /* is there already */
    bool force;         /* replace files; else that is QKD_ERR_EXISTS */
    int64_t
        from_s; /* valid from so many seconds after now; 0: an hour ago, for clocks that are off */
    int64_t for_s; /* valid for so long; 0: EMU_PKI_CA_S, EMU_PKI_S */
};

/* Who gets a certificate. A CA's may be used to sign certificates, a daemon's as client and server, an
 * SAE's as client. */
struct emu_pki_subject {
    enum emu_pki_kind kind;
    const char *name;         /* daemon name or SAE ID; of a CA: its CN, NULL: a usual one */
    const char *const *hosts; /* of a daemon: host names and IP addresses where it is reached */
    size_t host_count;
};

/* Where the certificate and its key are. */
struct emu_pki_files {
    char certificate[EMU_PKI_PATH_SIZE];
    char key[EMU_PKI_PATH_SIZE];
};

/* The names of the files of a subject, whether they are there or not. QKD_ERR_INVALID: no such name can
 * be (emu_identity_valid; a daemon is called neither "ca" nor "sae.…"), or the folder's is too long. */
int emu_pki_files(const char *folder, const struct emu_pki_subject *subject,
                  struct emu_pki_files *files, struct emu_why *why);

/* Whether emu_pki_make() may write: checks the subject (QKD_ERR_INVALID) and that the files are not
 * there (QKD_ERR_EXISTS) or may be replaced. Makes nothing. */
int emu_pki_check(const struct emu_pki *pki, const struct emu_pki_subject *subject,
                  struct emu_why *why);

/* Makes a new key and its certificate, signed by the CA of the folder (a CA's: by itself). The errors of
 * emu_pki_check(), QKD_ERR_UNKNOWN (no CA in the folder), QKD_ERR_INVALID (its files are none),
 * QKD_ERR_IO, QKD_ERR_CRYPTO. */
int emu_pki_make(const struct emu_pki *pki, const struct emu_pki_subject *subject,
                 struct emu_why *why);

#endif
