/* SPDX-License-Identifier: MIT */
/* Options as data (option.h): one parser and one printer for every table. A value is found by its
 * row's offset, so a plug-in reads its own struct and never text.
 * Lists are split at commas; a value that holds commas is put in parentheses, which may nest:
 * "depth=64,backing=(pool:a=1,b=2)".
 * Threads: pure functions. May touch: only what it is given. */
#include "option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct text {
    const char *at;
    size_t len;
};

enum { ALLOWED_MAX = 512 };

static void *value_at(const struct pb_option *row, void *values)
{
    return (unsigned char *)values + row->offset;
}

static uint64_t value_of(const struct pb_option *row, const void *values)
{
    uint64_t value;
    memcpy(&value, (const unsigned char *)values + row->offset, sizeof value);
    return value;
}

static bool text_is(struct text text, const char *word)
{
    return strlen(word) == text.len && memcmp(text.at, word, text.len) == 0;
}

/* Appends to a line that may be full. */
__attribute__((format(printf, 3, 4))) static void append(char *line, size_t size,
                                                         const char *format, ...)
{
    size_t used = size != 0 ? strlen(line) : 0;
    va_list arguments;
    va_start(arguments, format);
    if (used + 1 < size)
        vsnprintf(line + used, size - used, format, arguments);
    va_end(arguments);
}

static void allowed_choices(const struct pb_option *row, char *out, size_t size)
{
    for (const char *const *choice = row->choices; *choice != NULL; choice++)
        append(out, size, "%s%s", choice == row->choices ? "" : ", ", *choice);
}

static void allowed_values(const struct pb_option *row, char *out, size_t size)
{
    out[0] = '\0';
    switch (row->type) {
    case PB_OPTION_UINT:
        append(out, size, "%" PRIu64 " to %" PRIu64 "%s%s", row->min, row->max,
               row->unit != NULL ? " " : "", row->unit != NULL ? row->unit : "");
        break;
    case PB_OPTION_FLAG:
        append(out, size, "on, off");
        break;
    case PB_OPTION_CHOICE:
        allowed_choices(row, out, size);
        break;
    case PB_OPTION_TEXT:
        append(out, size, "at most %d bytes", PB_OPTION_TEXT_MAX - 1);
        break;
    case PB_OPTION_END:
        break;
    }
}

static int refuse_value(const struct pb_option *row, struct text text, int error, char *message,
                        size_t message_size)
{
    char allowed[ALLOWED_MAX];
    allowed_values(row, allowed, sizeof allowed);
    snprintf(message, message_size, "option '%s': '%.*s' is %s; allowed: %s", row->name,
             (int)(text.len < 80 ? text.len : 80), text.at,
             error == -ERANGE ? "out of range" : "not a value of it", allowed);
    return error;
}

static int refuse_key(const struct pb_option *table, struct text key, char *message,
                      size_t message_size)
{
    snprintf(message, message_size, "there is no option '%.*s'; there %s",
             (int)(key.len < 80 ? key.len : 80), key.at,
             table->type == PB_OPTION_END ? "are none" : "is: ");
    for (const struct pb_option *row = table; row->type != PB_OPTION_END; row++)
        append(message, message_size, "%s%s", row == table ? "" : ", ", row->name);
    return -ENOENT;
}

/* The power of two that a suffix stands for; 64 where it is no suffix. */
static unsigned suffix_shift(struct text suffix)
{
    static const char letters[] = "kMGT";
    if (suffix.len == 0)
        return 0;
    const char *found = strchr(letters, *suffix.at == 'K' ? 'k' : *suffix.at);
    if (suffix.len != 1 || *suffix.at == '\0' || found == NULL)
        return 64;
    return 10 * (unsigned)(found - letters + 1);
}

static int parse_uint(const struct pb_option *row, struct text text, uint64_t *value)
{
    uint64_t number = 0;
    bool large = false;
    size_t i = 0;
    for (; i < text.len && isdigit((unsigned char)text.at[i]); i++)
        large |= __builtin_mul_overflow(number, 10, &number) ||
                 __builtin_add_overflow(number, (uint64_t)(text.at[i] - '0'), &number);
    unsigned shift = suffix_shift((struct text){text.at + i, text.len - i});
    if (i == 0 || shift == 64)
        return -EINVAL;
    large |= shift != 0 && number >> (64 - shift) != 0;
    if (large || number << shift < row->min || number << shift > row->max)
        return -ERANGE;
    *value = number << shift;
    return 0;
}

static int parse_flag(struct text text, uint64_t *value)
{
    *value = text_is(text, "on") || text_is(text, "1");
    return *value == 1 || text_is(text, "off") || text_is(text, "0") ? 0 : -EINVAL;
}

static int parse_choice(const struct pb_option *row, struct text text, uint64_t *value)
{
    for (*value = 0; row->choices[*value] != NULL; ++*value)
        if (text_is(text, row->choices[*value]))
            return 0;
    return -EINVAL;
}

/* Stores text without the one pair of parentheses that guarded its commas. */
static int store_text(struct text text, char *value)
{
    if (text.len >= 2 && text.at[0] == '(' && text.at[text.len - 1] == ')')
        text = (struct text){text.at + 1, text.len - 2};
    if (text.len >= PB_OPTION_TEXT_MAX || memchr(text.at, '\0', text.len) != NULL)
        return -EINVAL;
    memset(value, 0, PB_OPTION_TEXT_MAX);
    memcpy(value, text.at, text.len);
    return 0;
}

static int store_value(const struct pb_option *row, void *values, struct text text)
{
    uint64_t value = 0;
    int error = -EINVAL;
    switch (row->type) {
    case PB_OPTION_UINT:
        error = parse_uint(row, text, &value);
        break;
    case PB_OPTION_FLAG:
        error = parse_flag(text, &value);
        break;
    case PB_OPTION_CHOICE:
        error = parse_choice(row, text, &value);
        break;
    case PB_OPTION_TEXT:
        return store_text(text, value_at(row, values));
    case PB_OPTION_END:
        break;
    }
    if (error == 0)
        memcpy(value_at(row, values), &value, sizeof value);
    return error;
}

static const struct pb_option *find_row(const struct pb_option *table, struct text name)
{
    for (; table->type != PB_OPTION_END; table++)
        if (text_is(name, table->name))
            return table;
    return NULL;
}

const struct pb_option *pb_option_find(const struct pb_option *table, const char *name)
{
    return find_row(table, (struct text){name, strlen(name)});
}

int pb_option_set(const struct pb_option *table, void *values, const char *key, size_t key_len,
                  const char *text, size_t text_len, char *message, size_t message_size)
{
    const struct pb_option *row = find_row(table, (struct text){key, key_len});
    if (row == NULL)
        return refuse_key(table, (struct text){key, key_len}, message, message_size);
    struct text value = {text, text_len};
    int error = store_value(row, values, value);
    if (error != 0)
        return refuse_value(row, value, error, message, message_size);
    return 0;
}

int pb_option_defaults(const struct pb_option *table, void *values)
{
    for (; table->type != PB_OPTION_END; table++)
        if (store_value(table, values, (struct text){table->standard, strlen(table->standard)}) !=
            0)
            return -EINVAL;
    return 0;
}

/* Length of the item at `at`: up to a comma outside parentheses. */
static size_t item_length(const char *at)
{
    size_t depth = 0, len = 0;
    for (; at[len] != '\0' && (at[len] != ',' || depth > 0); len++) {
        if (at[len] == '(')
            depth++;
        else if (at[len] == ')' && depth > 0)
            depth--;
    }
    return len;
}

/* One "key=value". */
static int parse_item(const struct pb_option *table, void *values, struct text item, char *message,
                      size_t message_size)
{
    const char *equals = memchr(item.at, '=', item.len);
    size_t key_len = equals != NULL ? (size_t)(equals - item.at) : item.len;
    struct text key = {item.at, key_len};
    const struct pb_option *row = find_row(table, key);
    if (item.len == 0) {
        snprintf(message, message_size, "an option is missing before or after a comma");
        return -EINVAL;
    }
    if (equals == NULL && row != NULL) {
        char allowed[ALLOWED_MAX];
        allowed_values(row, allowed, sizeof allowed);
        snprintf(message, message_size, "option '%s' needs a value: %s=...; allowed: %s", row->name,
                 row->name, allowed);
        return -EINVAL;
    }
    if (row == NULL)
        return refuse_key(table, key, message, message_size);
    return pb_option_set(table, values, key.at, key.len, equals + 1, item.len - key_len - 1,
                         message, message_size);
}

static size_t key_length(const char *at, size_t len)
{
    const char *equals = memchr(at, '=', len);
    return equals != NULL ? (size_t)(equals - at) : len;
}

/* Whether one of the items from `text` up to `item` has its key. */
static bool is_given(const char *text, struct text item)
{
    struct text key = {item.at, key_length(item.at, item.len)};
    for (size_t len; text < item.at; text += len + 1) {
        len = item_length(text);
        if (key_length(text, len) == key.len && memcmp(text, key.at, key.len) == 0)
            return true;
    }
    return false;
}

int pb_option_parse(const struct pb_option *table, void *values, const char *text, char *message,
                    size_t message_size)
{
    const char *all = text;
    while (*text != '\0') {
        struct text item = {text, item_length(text)};
        int error = parse_item(table, values, item, message, message_size);
        if (error != 0)
            return error;
        if (is_given(all, item)) {
            snprintf(message, message_size, "option '%.*s' is given twice",
                     (int)key_length(item.at, item.len), item.at);
            return -EINVAL;
        }
        text += item.len;
        if (*text == ',' && *++text == '\0')
            return parse_item(table, values, (struct text){text, 0}, message, message_size);
    }
    return 0;
}

/* A number of bytes in the largest unit that divides it. */
static int print_bytes(uint64_t value, char *out, size_t size)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    for (; value != 0 && value % 1024 == 0 && unit < 4; unit++)
        value /= 1024;
    return snprintf(out, size, "%" PRIu64 "%s", value, units[unit]);
}

int pb_option_print(const struct pb_option *row, const void *values, char *out, size_t size)
{
    const char *text = (const char *)values + row->offset;
    switch (row->type) {
    case PB_OPTION_UINT:
        if (row->unit != NULL && strcmp(row->unit, "bytes") == 0)
            return print_bytes(value_of(row, values), out, size);
        return snprintf(out, size, "%" PRIu64, value_of(row, values));
    case PB_OPTION_FLAG:
        return snprintf(out, size, "%s", value_of(row, values) != 0 ? "on" : "off");
    case PB_OPTION_CHOICE:
        return snprintf(out, size, "%s", row->choices[value_of(row, values)]);
    case PB_OPTION_TEXT:
        return snprintf(out, size, strchr(text, ',') != NULL ? "(%s)" : "%s", text);
    case PB_OPTION_END:
        break;
    }
    return snprintf(out, size, "%s", "");
}
