/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Golden traces: tests/sim/golden/<name>.txt is what the tap must have written. With QKDN_GOLDEN=update
 * in the environment the file is written instead (then read it against docs/protocol.md before
 * committing it). Lines that begin with # are comments: they say why the trace is right. */
#ifndef QKD_TESTS_SIM_GOLDEN_H
#define QKD_TESTS_SIM_GOLDEN_H

/* Ends the test if the text differs from the file; both are printed at the first difference. */
void golden_check(const char *name, const char *text);

#endif
