/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts of the codes that end up in results, traces and error messages. */
#include "core/wire/codec.h"

#define WIRE_CASE_TEXT(n, name, text)                                                              \
    case (n):                                                                                      \
        return text;

const char *wire_outcome_text(unsigned outcome)
{
    switch (outcome) {
        WIRE_OUTCOME_MAP(WIRE_CASE_TEXT)
    default:
        return "?";
    }
}

const char *wire_reason_text(unsigned reason)
{
    switch (reason) {
        WIRE_REASON_MAP(WIRE_CASE_TEXT)
    default:
        return "?";
    }
}

const char *wire_action_text(unsigned action)
{
    switch (action) {
        WIRE_ACTION_MAP(WIRE_CASE_TEXT)
    default:
        return "?";
    }
}

const char *wire_fault_text(unsigned fault)
{
    switch (fault) {
        WIRE_FAULT_MAP(WIRE_CASE_TEXT)
    default:
        return "?";
    }
}

#define WIRE_CASE_COMMAND(NAME, name, code)                                                        \
    case (code):                                                                                   \
        return #NAME;

const char *wire_command_name(unsigned command)
{
    switch (command) {
        WIRE_MESSAGES(WIRE_CASE_COMMAND)
    default:
        return NULL;
    }
}
