/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who a certificate (RFC 5280) speaks for: the daemon or the SAE that it names. ETSI GS QKD 014 V1.1.1
 * clause 5.1 wants the SAE ID confirmed from the certificate and leaves the field open: here it is the
 * URI in subjectAltName, `urn:qkdn:daemon:kmd.A` or `urn:qkdn:sae:<ID>`, or, of an SAE only, the subject's CN. Whether a
 * certificate is signed by whom it should be is TLS's business, not looked at here. */
#ifndef EMU_IDENTITY_H
#define EMU_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#define EMU_IDENTITY_SIZE                                                                          \
    65 /* bytes of a name with its final zero: a CN has at most 64 characters */
#define EMU_URI_SIZE 256

enum emu_identity_field {
    EMU_IDENTITY_URI_OR_CN, /* the CN only of a certificate without any URI of these families */
    EMU_IDENTITY_URI,
    EMU_IDENTITY_CN
};

/* Where to look for the name, and what stands before it in a URI. */
struct emu_identity_rule {
    const char *prefix; /* such as "urn:qkdn:sae:" */
    enum emu_identity_field field;
};

extern const struct emu_identity_rule emu_identity_daemon, emu_identity_sae;

/* A name that a certificate can carry: 1 to 64 bytes of UTF-8 without control characters. */
bool emu_identity_valid(const char *name);

/* The prefix and the name, with %XX for what may not stand in a URN (RFC 8141). The name is valid. */
void emu_identity_uri(const struct emu_identity_rule *rule, const char *name,
                      char uri[EMU_URI_SIZE]);

/* The name that a certificate speaks for. QKD_ERR_DENIED: it has none of this kind, has two, or one
 * with bytes that no name has. A certificate with a URI of another family of "urn:qkdn:" (an SAE's, where
 * a daemon's is asked for) has none, whatever its CN is and whichever field is asked for. */
int emu_identity_get(const X509 *certificate, const struct emu_identity_rule *rule,
                     char name[EMU_IDENTITY_SIZE]);

/* The same for a certificate as DER bytes, for other TLS libraries; also QKD_ERR_FORMAT. */
int emu_identity_get_der(const uint8_t *der, size_t len, const struct emu_identity_rule *rule,
                         char name[EMU_IDENTITY_SIZE]);

#endif
