/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of reference points (ITU-T Y.3802, FG QIT4N D2.3 clause 11) and roles, and the text form
 * of 128-bit identifiers (RFC 9562 clause 4). */
#include "core/base/id.h"

const char *qkd_rp_name(enum qkd_rp rp)
{
    static const char *const names[QKD_RP_COUNT] = {
        "none", "Ak", "Kq-1", "Kq-2", "Kx-1", "Kx-2", "Ck",  "Cq", "Cqrp", "Cops", "Cx",
        "Mc",   "Mk", "Mq",   "Mqrp", "Mops", "Mu",   "KMI", "Q",  "load", "app",  "sae",
    };
    return (unsigned)rp < QKD_RP_COUNT ? names[rp] : "unknown";
}

const char *qkd_role_name(enum qkd_role role)
{
    static const char *const names[QKD_ROLE_COUNT] = {
        "none",    "KMA",         "KSA",    "KMC",  "module", "controller",
        "manager", "application", "device", "load", "switch", "relay point",
    };
    return (unsigned)role < QKD_ROLE_COUNT ? names[role] : "unknown";
}

/* Whether a '-' stands before byte `i` of the text form. */
static bool dash_before(unsigned i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

void qkd_id_format(const struct qkd_id *id, char text[37])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (unsigned i = 0; i < 16; i++) {
        if (dash_before(i)) {
            *at++ = '-';
        }
        *at++ = digits[id->b[i] >> 4];
        *at++ = digits[id->b[i] & 15];
    }
    *at = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool qkd_id_parse(const char *text, struct qkd_id *id)
{
    struct qkd_id parsed;
    for (unsigned i = 0; i < 16; i++) {
        if (dash_before(i) && *text++ != '-') {
            return false;
        }
        int high = hex_value(text[0]);
        int low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0) {
            return false;
        }
        parsed.b[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text != '\0') {
        return false;
    }
    *id = parsed;
    return true;
}
