/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Quantities as short texts. */
#include "analysis/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* At least three digits, never an exponent for the sizes that occur. */
static char *scaled_text(double value, const char *unit, char text[ANA_TEXT_SIZE])
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    size_t i = 0;
    while (value >= 999.5 && i + 1 < sizeof prefixes / sizeof prefixes[0]) {
        value /= 1000;
        i++;
    }
    snprintf(text, ANA_TEXT_SIZE, "%.3g %s%s", value, prefixes[i], unit);
    return text;
}

char *ana_bits_text(double bits, char text[ANA_TEXT_SIZE])
{
    return scaled_text(bits, "bit", text);
}

char *ana_rate_text(double bps, char text[ANA_TEXT_SIZE])
{
    return scaled_text(bps, "bit/s", text);
}

char *ana_seconds_text(double seconds, char text[ANA_TEXT_SIZE])
{
    if (isnan(seconds)) {
        snprintf(text, ANA_TEXT_SIZE, "-");
    } else if (seconds >= 7200) {
        snprintf(text, ANA_TEXT_SIZE, "%.3g h", seconds / 3600);
    } else if (seconds >= 300) {
        snprintf(text, ANA_TEXT_SIZE, "%.3g min", seconds / 60);
    } else if (seconds >= 1) {
        snprintf(text, ANA_TEXT_SIZE, "%.3g s", seconds);
    } else if (seconds >= 1e-3) {
        snprintf(text, ANA_TEXT_SIZE, "%.3g ms", seconds * 1e3);
    } else if (seconds > 0) {
        snprintf(text, ANA_TEXT_SIZE, "%.3g us", seconds * 1e6);
    } else {
        snprintf(text, ANA_TEXT_SIZE, "0 s");
    }
    return text;
}

void ana_text_add(struct ana_text *text, const char *format, ...)
{
    size_t room = text->size - text->len;
    va_list args;
    va_start(args, format);
    int written = vsnprintf(text->text + text->len, room, format, args);
    va_end(args);
    if (written < 0 || (size_t)written >= room) {
        text->text[text->len] = '\0';
    } else {
        text->len += (size_t)written;
    }
}

size_t ana_character_len(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        return s[0] != 0;
    }
    size_t need = s[0] >= 0xf0 ? 4 : (s[0] >= 0xe0 ? 3 : 2);
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0; /* also at the end of the text */
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : need;
}

void ana_text_escaped(FILE *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*c < ' ' ? ' ' : *c, out);
            break;
        }
    }
}
