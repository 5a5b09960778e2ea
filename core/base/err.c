/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Error texts, and the end of the program on a programmer error. Core has no stdio: the C
 * library's own assertion handler prints and aborts, in every build type. */
#undef NDEBUG
#include "core/base/err.h"

#include <assert.h>

const char *qkd_err_text(int err)
{
    switch (err) {
    case QKD_OK:
        return "success";
#define QKD_ERR_CASE(code, name, text)                                                             \
    case (code):                                                                                   \
        return text;
        QKD_ERR_MAP(QKD_ERR_CASE)
#undef QKD_ERR_CASE
    default:
        return "unknown error";
    }
}

/* __assert_fail is what assert() itself expands to in glibc and musl: it names the caller's
 * condition and place, where assert(false) here would name this file. */
_Noreturn void qkd_assert_fail(const char *cond, const char *file, int line)
{
    __assert_fail(cond, file, (unsigned)line, "core");
}
