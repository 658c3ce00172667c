/* SPDX-License-Identifier: MIT */
/* Errors and texts behind gbench.h: what crosses the boundary instead of an exception, and which
 * texts may reach 1.7.1's JSON writer, which escapes few control characters and checks no UTF-8.
 *
 * Source:  RFC 3629 (UTF-8), RFC 8259 (JSON); google/benchmark 1.7.1, src/json_reporter.cc.
 *
 * Threads: any. */
#include "gbench_internal.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <iterator>
#include <new>

namespace
{

thread_local char last_error[512];

/* Length of the valid UTF-8 sequence at p, 0 if there is none. The terminator ends every sequence.
 */
size_t sequence(const unsigned char *p) noexcept
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    /* the second byte's range keeps out overlong forms, surrogates and what lies above U+10FFFF */
    unsigned low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool is_control(unsigned char c) noexcept
{
    return c < 0x20 || c == 0x7F;
}

/* In every version's rows, sorted. */
const char *const row_keys[] = {
    "aggregate_name",
    "aggregate_unit",
    "allocs_per_iter",
    "big_o",
    "bytes_per_second",
    "cpu_coefficient",
    "cpu_time",
    "error_message",
    "error_occurred",
    "family_index",
    "items_per_second",
    "iterations",
    "label",
    "max_bytes_used",
    "name",
    "net_heap_growth",
    "per_family_instance_index",
    "real_coefficient",
    "real_time",
    "repetition_index",
    "repetitions",
    "rms",
    "run_name",
    "run_type",
    "skip_message",
    "skipped",
    "threads",
    "time_unit",
    "total_allocated_bytes",
};

} // namespace

namespace gbench
{

int fail(int error, const char *format, ...) noexcept
{
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return -error;
}

int fail_with_current_exception() noexcept
{
    try {
        throw;
    } catch (const std::bad_alloc &) {
        return fail(ENOMEM, "out of memory");
    } catch (const std::system_error &e) {
        return fail(e.code().value() > 0 ? e.code().value() : EIO, "%s", e.what());
    } catch (const std::regex_error &e) {
        return fail(EINVAL, "%s", e.what());
    } catch (const std::logic_error &e) {
        return fail(EINVAL, "%s", e.what());
    } catch (const std::exception &e) {
        return fail(EIO, "%s", e.what());
    } catch (...) {
        return fail(EIO, "an exception of unknown type");
    }
}

bool is_clean(const char *text) noexcept
{
    if (!text || !*text)
        return false;
    for (auto *p = reinterpret_cast<const unsigned char *>(text); *p;) {
        size_t length = sequence(p);
        if (!length || is_control(*p))
            return false;
        p += length;
    }
    return true;
}

std::string cleaned(const char *text)
{
    std::string out;
    for (auto *p = reinterpret_cast<const unsigned char *>(text); *p;) {
        size_t length = sequence(p);
        if (!length)
            out += '?';
        else if (is_control(*p))
            out += ' ';
        else
            out.append(reinterpret_cast<const char *>(p), length);
        p += length ? length : 1;
    }
    return out;
}

bool is_row_key(const std::string &name)
{
    return std::binary_search(std::begin(row_keys), std::end(row_keys), name);
}

} // namespace gbench

const char *pb_gb_last_error(void)
{
    return last_error;
}
