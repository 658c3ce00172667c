/* SPDX-License-Identifier: MIT */
/* Text of others made safe; see report_text.h. */
#include "runner/report_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_ONE_MAX = 4 /* bytes of a character */, TEXT_FIT_MAX = 1024 };

/* Bytes of the well-formed character at `text` (RFC 3629, section 4), 0 if there is none. */
static size_t text_character(const unsigned char *text)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t bytes;
    } forms[] = {
        {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].first_low || text[0] > forms[i].first_high)
            continue;
        if (forms[i].bytes == 1)
            return 1;
        if (text[1] < forms[i].second_low || text[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].bytes; k++) {
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].bytes;
    }
    return 0;
}

/* The next character of *text, cleaned, terminated, in `one`; steps over it. False at the end. */
static bool text_next(const char **text, char one[TEXT_ONE_MAX + 1])
{
    if (**text == '\0')
        return false;
    size_t bytes = text_character((const unsigned char *)*text);
    if (bytes == 0) {
        memcpy(one, "?", 2);
        *text += 1;
        return true;
    }
    memcpy(one, *text, bytes);
    one[bytes] = '\0';
    *text += bytes;
    return true;
}

size_t pb_text_clean(const char *text, char *out, size_t size)
{
    char one[TEXT_ONE_MAX + 1];
    size_t used = 0;
    while (text_next(&text, one)) {
        size_t bytes = strlen(one);
        if (used + bytes >= size)
            break;
        memcpy(out + used, one, bytes);
        used += bytes;
    }
    out[used] = '\0';
    return used;
}

size_t pb_text_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static const char ellipsis[] = "\xe2\x80\xa6";

void pb_text_fit(const char *text, size_t width, char *out, size_t size)
{
    char one[TEXT_ONE_MAX + 1];
    size_t used = 0, columns = 0, before_last = 0;
    while (text_next(&text, one)) {
        size_t bytes = strlen(one);
        if (columns == width || used + bytes + sizeof ellipsis > size) {
            used = columns == width ? before_last : used;
            memcpy(out + used, ellipsis, sizeof ellipsis);
            return;
        }
        before_last = used;
        memcpy(out + used, one, bytes);
        used += bytes;
        columns++;
    }
    out[used] = '\0';
}

/* Where the last `width` characters of a clean text begin. */
static const char *text_tail(const char *text, size_t width)
{
    for (size_t skip = pb_text_width(text) - width; skip > 0; text++)
        skip -= ((unsigned char)text[1] & 0xc0) != 0x80;
    return text;
}

void pb_text_fit_middle(const char *text, size_t width, char *out, size_t size)
{
    char whole[TEXT_FIT_MAX];
    pb_text_clean(text, whole, sizeof whole);
    if (pb_text_width(whole) <= width || width < 3) {
        pb_text_fit(whole, width, out, size);
        return;
    }
    const char *comma = strrchr(whole, ','), *option = comma != NULL ? comma : strrchr(whole, ':');
    size_t tail = (width - 1) / 2, last = option != NULL ? pb_text_width(option) : 0;
    tail = last > tail && last <= width * 2 / 3 ? last : tail;
    pb_text_fit(whole, width - tail, out, size); /* the ellipsis is its last character */
    size_t used = strlen(out);
    pb_text_clean(text_tail(whole, tail), out + used, size - used);
}

/* Characters up to the next space. */
static size_t word_width(const char *text)
{
    char one[TEXT_ONE_MAX + 1];
    size_t width = 0;
    while (*text != ' ' && text_next(&text, one))
        width++;
    return width;
}

void pb_text_wrap(FILE *out, const char *text, size_t at, size_t indent, size_t width)
{
    char one[TEXT_ONE_MAX + 1];
    while (*text != '\0') {
        size_t gap = strspn(text, " ");
        text += gap;
        if (width > 0 && at > indent && at + gap + word_width(text) > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else {
            fprintf(out, "%*s", (int)gap, "");
            at += gap;
        }
        for (; *text != ' ' && text_next(&text, one); at++) {
            if (width > 0 && at >= width && at > indent) {
                fprintf(out, "\n%*s", (int)indent, "");
                at = indent;
            }
            fputs(one, out);
        }
    }
}

/* Writes `text` cleaned, with what `escape` gives in the place of a character (NULL: itself). */
static void text_write(FILE *out, const char *text, const char *(*escape)(char c))
{
    char one[TEXT_ONE_MAX + 1];
    while (text_next(&text, one)) {
        const char *instead = one[1] == '\0' && escape != NULL ? escape(one[0]) : NULL;
        fputs(instead != NULL ? instead : one, out);
    }
}

static const char *escape_csv(char c)
{
    return c == '"' ? "\"\"" : NULL;
}

static const char *escape_xml(char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

static const char *escape_markdown(char c)
{
    switch (c) {
    case '|':
        return "\\|";
    case '`':
        return "\\`";
    case '*':
        return "\\*";
    case '_':
        return "\\_";
    case '[':
        return "\\[";
    case ']':
        return "\\]";
    case '\\':
        return "\\\\";
    default:
        return escape_xml(c);
    }
}

static const char *escape_tsv(char c)
{
    return c == '"' ? "\xe2\x80\x9d" : NULL;
}

static const char *escape_gnuplot(char c)
{
    return c == '\'' ? "''" : NULL;
}

void pb_text_csv(FILE *out, const char *text)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted)
        fputc('"', out);
    text_write(out, text, escape_csv);
    if (quoted)
        fputc('"', out);
}

void pb_text_markdown(FILE *out, const char *text)
{
    text_write(out, text, escape_markdown);
}

void pb_text_xml(FILE *out, const char *text)
{
    text_write(out, text, escape_xml);
}

void pb_text_tsv(FILE *out, const char *text)
{
    text_write(out, text, escape_tsv);
}

void pb_text_gnuplot(FILE *out, const char *text)
{
    fputc('\'', out);
    text_write(out, text, escape_gnuplot);
    fputc('\'', out);
}

void pb_text_number(double value, char *out, size_t size)
{
    double magnitude = fabs(value);
    int decimals = magnitude < 0.0995 ? 3 : magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0;
    if (!isfinite(value))
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%.*f", decimals, value);
}

void pb_text_value(double value, const char *unit, char *out, size_t size)
{
    static const struct {
        const char *unit;
        double step;
        const char *names[5];
    } scales[] = {
        {"bytes", 1024, {" B", " KiB", " MiB", " GiB", " TiB"}},
        {"1/s", 1000, {"", " k", " M", " G", " T"}},
    };
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        if (strcmp(unit, scales[i].unit) != 0 || !isfinite(value))
            continue;
        size_t at = 0;
        for (; at < 4 && fabs(value) >= scales[i].step; at++)
            value /= scales[i].step;
        char number[32];
        pb_text_number(value, number, sizeof number);
        snprintf(out, size, "%s%s", number, scales[i].names[at]);
        return;
    }
    pb_text_number(value, out, size);
}

void pb_text_count(unsigned long n, const char *noun, char *out, size_t size)
{
    snprintf(out, size, "%lu %s%s", n, noun, n == 1 ? "" : "s");
}

/* Appends one part of a group's name: "size:64" as "size=64", "threads:2" as "2 threads". */
static size_t group_part(const char *part, size_t length, char *out, size_t size)
{
    static const char threads[] = "threads:";
    char text[64];
    if (length > sizeof threads - 1 && strncmp(part, threads, sizeof threads - 1) == 0) {
        pb_text_count(strtoul(part + sizeof threads - 1, NULL, 10), "thread", text, sizeof text);
        return (size_t)snprintf(out, size, ", %s", text);
    }
    size_t key = 0;
    while (key < length && part[key] != ':')
        key++;
    if (key == length)
        return (size_t)snprintf(out, size, "/%.*s", (int)length, part);
    return (size_t)snprintf(out, size, ", %.*s=%.*s", (int)key, part, (int)(length - key - 1),
                            part + key + 1);
}

void pb_text_group(const char *group, char *out, size_t size)
{
    size_t length = strcspn(group, "/");
    size_t used = (size_t)snprintf(out, size, "%.*s", (int)length, group);
    while (group[length] == '/' && used < size) {
        group += length + 1;
        length = strcspn(group, "/");
        used += group_part(group, length, out + used, size - used);
    }
}
