/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Error codes of core: 0 is success, every error is negative. */
#ifndef QKD_BASE_ERR_H
#define QKD_BASE_ERR_H

#define QKD_ERR_MAP(X)                                                                             \
    X(-1, NOMEM, "out of memory")                                                                  \
    X(-2, LIMIT, "a configured limit is reached")                                                  \
    X(-3, FORMAT, "malformed bytes")                                                               \
    X(-4, SHORT, "buffer or message too short")                                                    \
    X(-5, AUTH, "authentication failed")                                                           \
    X(-6, DENIED, "not authorized")                                                                \
    X(-7, REPLAY, "replayed or out of the window")                                                 \
    X(-8, UNKNOWN, "unknown identifier")                                                           \
    X(-9, EXISTS, "identifier already in use")                                                     \
    X(-10, INSUFFICIENT, "not enough key")                                                         \
    X(-11, STATE, "not possible in this state")                                                    \
    X(-12, CRYPTO, "cryptographic library failed")                                                 \
    X(-13, IO, "input or output failed")                                                           \
    X(-14, RANGE, "value out of range")                                                            \
    X(-15, AGAIN, "not ready yet")                                                                 \
    X(-16, INVALID, "invalid input")

enum qkd_err {
    QKD_OK = 0,
#define QKD_ERR_ENUM(code, name, text) QKD_ERR_##name = (code),
    QKD_ERR_MAP(QKD_ERR_ENUM)
#undef QKD_ERR_ENUM
};

/* The text of an error code; never NULL. */
const char *qkd_err_text(int err);

/* Programmer errors stop the program in every build type. */
#define QKD_ASSERT(cond) ((cond) ? (void)0 : qkd_assert_fail(#cond, __FILE__, __LINE__))

_Noreturn void qkd_assert_fail(const char *cond, const char *file, int line);

#endif
