/* SPDX-License-Identifier: MIT */
/* The TOML reader's shim: toml++ parses, its own formatter writes JSON, errors become text.
 *
 * Source:  TOML 1.0.0; toml++ 3.3, header only or Debian's library, as the build defines.
 *
 * Threads: any; no state. */
#include "runner/toml.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <locale>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <toml++/toml.h>

namespace
{

struct closer {
    void operator()(std::FILE *file) const
    {
        std::fclose(file);
    }
};

/* The whole file. Returns 0 or -errno. */
int read_file(const char *path, std::string &text)
{
    std::unique_ptr<std::FILE, closer> file(std::fopen(path, "rb"));
    if (!file)
        return -errno;
    char buffer[4096];
    size_t n;
    while ((n = std::fread(buffer, 1, sizeof buffer, file.get())) > 0)
        text.append(buffer, n);
    return std::ferror(file.get()) ? -errno : 0; /* EISDIR among others */
}

/* Behind the string that begins at i, or behind the line where it should have ended. */
size_t end_of_string(const std::string &text, size_t i)
{
    const std::string quotes(3, text[i]);
    const bool basic = text[i] == '"', multi = text.compare(i, 3, quotes) == 0;
    for (i += multi ? 3 : 1; i < text.size(); i++) {
        if (basic && text[i] == '\\')
            i++;
        else if (multi && text.compare(i, 3, quotes) == 0)
            return std::min(text.find_first_not_of(quotes[0], i), text.size());
        else if (!multi && (text[i] == quotes[0] || text[i] == '\n'))
            return i + 1;
    }
    return text.size();
}

/* Outside strings and comments TOML is ASCII, and toml++ 3.3 runs into __builtin_unreachable over
 * letters like U+00E9 there. A question mark is as wrong in the same places, and gets a plain
 * error. */
void mask_letters(std::string &text)
{
    size_t i = text.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0;
    while (i < text.size()) {
        if (text[i] == '"' || text[i] == '\'') {
            i = end_of_string(text, i);
        } else if (text[i] == '#') {
            i = std::min(text.find('\n', i), text.size());
        } else {
            if (static_cast<unsigned char>(text[i]) >= 0x80)
                text[i] = '?';
            i++;
        }
    }
}

toml::table parse(std::string &text)
{
    mask_letters(text);
    return toml::parse(text);
}

int explain(char *message, size_t size, const char *path, const toml::source_position &where,
            const char *what)
{
    std::snprintf(message, size, "%s:%u:%u: %s", path, where.line, where.column, what);
    return -EINVAL;
}

/* The first number in the tree that JSON has no text for, or NULL. */
const toml::node *not_finite(const toml::node &node)
{
    const toml::node *found = nullptr;
    if (const auto *number = node.as_floating_point())
        return std::isfinite(number->get()) ? nullptr : &node;
    if (const auto *table = node.as_table())
        for (auto it = table->begin(); it != table->end() && !found; ++it)
            found = not_finite(it->second);
    if (const auto *array = node.as_array())
        for (auto it = array->begin(); it != array->end() && !found; ++it)
            found = not_finite(*it);
    return found;
}

int to_json(const char *path, std::string &json, char *message, size_t size)
{
    std::string text;
    int error = read_file(path, text);
    if (error) {
        std::snprintf(message, size, "%s: %s", path, std::strerror(-error));
        return error;
    }
    try {
        toml::table table = parse(text);
        if (const toml::node *node = not_finite(table))
            return explain(message, size, path, node->source().begin, "this number is not finite");
        std::ostringstream out;
        out.imbue(std::locale::classic());
        out << toml::json_formatter(table, toml::format_flags::quote_dates_and_times |
                                               toml::format_flags::allow_unicode_strings);
        json = out.str();
        return 0;
    } catch (const toml::parse_error &e) {
        return explain(message, size, path, e.source().begin, std::string(e.description()).c_str());
    }
}

/* One step of a path, taken off its front: ".key", "key", ".\"any text\"" or "[7]". */
const toml::node *step(const toml::node *node, const char *&path, bool first)
{
    if (*path == '[') {
        char *end;
        unsigned long long index = std::strtoull(path + 1, &end, 10);
        if (end == path + 1 || path[1] < '0' || path[1] > '9' || *end != ']')
            throw std::invalid_argument(path);
        path = end + 1;
        return node->is_array() ? node->as_array()->get(index) : nullptr;
    }
    if (!first && *path++ != '.')
        throw std::invalid_argument(path);
    bool quoted = *path == '"';
    path += quoted;
    size_t length = std::strcspn(path, quoted ? "\"" : ".[");
    if (quoted ? path[length] != '"' : length == 0)
        throw std::invalid_argument(path);
    std::string_view key(path, length);
    path += length + quoted;
    return node->is_table() ? node->as_table()->get(key) : nullptr;
}

int find(const toml::table &table, const char *path, toml::source_position &where)
{
    const toml::node *node = &table;
    for (bool first = true; *path; first = false) {
        node = step(node, path, first);
        if (!node)
            return -ENOENT;
    }
    where = node->source().begin;
    return 0;
}

} // namespace

int pb_toml_to_json(const char *path, char **json, char *message, size_t message_size)
{
    try {
        std::string text;
        int error = to_json(path, text, message, message_size);
        if (error)
            return error;
        char *copy = static_cast<char *>(std::malloc(text.size() + 1));
        if (!copy)
            throw std::bad_alloc();
        std::memcpy(copy, text.c_str(), text.size() + 1);
        *json = copy;
        return 0;
    } catch (...) {
        std::snprintf(message, message_size, "%s: out of memory", path);
        return -ENOMEM;
    }
}

int pb_toml_position(const char *path, const char *dotted_path, int *line, int *column)
{
    try {
        std::string text;
        toml::source_position where;
        int error = read_file(path, text);
        if (!error)
            error = find(parse(text), dotted_path, where);
        if (error)
            return error;
        *line = static_cast<int>(where.line);
        *column = static_cast<int>(where.column);
        return 0;
    } catch (const std::bad_alloc &) {
        return -ENOMEM;
    } catch (...) {
        return -EINVAL;
    }
}
