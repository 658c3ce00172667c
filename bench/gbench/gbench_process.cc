/* SPDX-License-Identifier: MIT */
/* The process behind gbench.h: flags, context, the run. 1.7.1 exits at a bad flag, a file that it
 * cannot open and a call for help, answers a bad filter with a line and no error, and frees twice
 * in a second shutdown: all of that is found out before, or undone after.
 *
 * Source:  google/benchmark 1.7.1, src/benchmark.cc.
 *
 * Threads: the one that runs the benchmarks. */
#include "gbench_internal.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

using gbench::fail;
using gbench::guarded;

namespace
{

/* The library's own copies are private; their values come from the environment, then from argv. */
struct {
    std::string out, out_format = "json";
    int repetitions = 1;
} flags;

std::atomic<bool> running{false};

struct help_asked {
};

/* Where the library would print its usage and exit(0). */
[[noreturn]] void escape()
{
    throw help_asked();
}

const char *const formats[] = {"console", "json", "csv", nullptr};
const char *const units[] = {"", "ns", "us", "ms", "s", nullptr};
const char *const nothing[] = {"", nullptr};

/* Flags whose values the library exits at, or aborts (counters from libpfm, which it was built
 * without). */
struct {
    const char *name;
    const char *const *allowed; /* NULL: anything but nothing */
} const checked[] = {
    {"benchmark_format", formats},        {"benchmark_out_format", formats},
    {"benchmark_time_unit", units},       {"benchmark_color", nullptr},
    {"benchmark_perf_counters", nothing},
};

/* In the JSON context of every version, sorted. */
const char *const context_keys[] = {
    "aslr_enabled",    "caches",    "cpu_scaling_enabled", "date",
    "executable",      "host_name", "json_schema_version", "library_build_type",
    "library_version", "load_avg",  "mhz_per_cpu",         "num_cpus",
};

/* The value if `argument` is --name=value. */
const char *flag_value(const char *argument, const char *name)
{
    size_t length = std::strlen(name);
    if (std::strncmp(argument, "--", 2) != 0 || std::strncmp(argument + 2, name, length) != 0 ||
        argument[2 + length] != '=')
        return nullptr;
    return argument + 2 + length + 1;
}

bool is_help(const char *argument)
{
    return std::strcmp(argument, "--help") == 0 || flag_value(argument, "help");
}

bool is_allowed(const char *value, const char *const *allowed)
{
    if (!allowed)
        return *value;
    while (*allowed && std::strcmp(*allowed, value) != 0)
        allowed++;
    return *allowed;
}

bool is_context_key(const std::string &key)
{
    return std::binary_search(std::begin(context_keys), std::end(context_keys), key);
}

/* The keys of "a=b,c=d". */
int check_context_flag(const char *value)
{
    for (const char *p = value; *p;) {
        std::string key(p, std::strcspn(p, "=,"));
        if (!gbench::is_clean(key.c_str()) || is_context_key(key))
            return fail(EINVAL, "--benchmark_context: the key '%s' is reserved or none",
                        key.c_str());
        p += std::strcspn(p, ",");
        p += *p == ',';
    }
    return 0;
}

int check_flag(const char *argument)
{
    for (const auto &flag : checked) {
        const char *value = flag_value(argument, flag.name);
        if (value && !is_allowed(value, flag.allowed))
            return fail(EINVAL, "--%s: '%s' is not possible", flag.name, value);
    }
    const char *context = flag_value(argument, "benchmark_context");
    return context ? check_context_flag(context) : 0;
}

void note_flag(const char *name, const char *value)
{
    if (std::strcmp(name, "benchmark_out") == 0)
        flags.out = value;
    else if (std::strcmp(name, "benchmark_out_format") == 0)
        flags.out_format = value;
    else if (std::strcmp(name, "benchmark_repetitions") == 0)
        flags.repetitions = std::atoi(value);
}

const char *const noted[] = {"benchmark_out", "benchmark_out_format", "benchmark_repetitions"};

/* BENCHMARK_OUT and the like, which the library reads when it is loaded. */
void note_environment()
{
    for (const char *name : noted) {
        std::string variable(name);
        std::transform(variable.begin(), variable.end(), variable.begin(),
                       [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
        const char *value = std::getenv(variable.c_str());
        if (value)
            note_flag(name, value);
    }
}

void note_argument(const char *argument)
{
    for (const char *name : noted) {
        const char *value = flag_value(argument, name);
        if (value)
            note_flag(name, value);
    }
}

const bool environment_noted = (note_environment(), true);

/* The flag's entries come past pb_gb_add_custom_context. */
void clean_context()
{
    auto *context = benchmark::internal::GetGlobalContext();
    if (context)
        for (auto &entry : *context)
            entry.second = gbench::cleaned(entry.second.c_str());
}

/* As the library compiles it; throws what it would only print. */
void check_filter(const std::string &filter)
{
    if (!filter.empty() && filter != "all")
        std::regex(filter[0] == '-' ? filter.substr(1) : filter, std::regex_constants::extended);
}

int check_file(bool reporter_given)
{
    if (flags.out.empty())
        return reporter_given ? fail(EINVAL, "a file reporter needs --benchmark_out") : 0;
    errno = 0;
    if (std::ofstream(flags.out, std::ios::app).is_open())
        return 0;
    int error = errno ? errno : EIO;
    return fail(error, "%s: %s", flags.out.c_str(), std::strerror(error));
}

pb_gb_format file_format()
{
    if (flags.out_format == "csv")
        return PB_GB_CSV;
    return flags.out_format == "console" ? PB_GB_CONSOLE : PB_GB_JSON;
}

/* A reporter's stream may be the run's file, which is closed by now. */
void reset_streams(benchmark::BenchmarkReporter *reporter)
{
    if (!reporter)
        return;
    reporter->SetOutputStream(&std::cout);
    reporter->SetErrorStream(&std::cerr);
}

int run(const char *spec, benchmark::BenchmarkReporter *display, benchmark::BenchmarkReporter *file,
        size_t *matched)
{
    gbench::reset_omitted();
    gbench::forget_failures();
    std::string filter = spec ? spec : benchmark::GetBenchmarkFilter();
    size_t n = 0;
    int error = guarded([&] {
        n = benchmark::RunSpecifiedBenchmarks(display, file, filter);
        return 0;
    });
    reset_streams(display);
    reset_streams(file);
    if (matched && !error)
        *matched = n;
    return error;
}

int run_checked(const char *spec, pb_gb_reporter *display, pb_gb_reporter *file, size_t *matched)
{
    check_filter(spec ? spec : benchmark::GetBenchmarkFilter());
    if (display && display == file)
        return fail(EINVAL, "one reporter cannot be display and file");
    int error = check_file(file != nullptr);
    if (error)
        return error;
    std::unique_ptr<benchmark::BenchmarkReporter> own_display, own_file;
    if (!display)
        own_display = gbench::make_default_display();
    if (!file && !flags.out.empty())
        own_file = gbench::make_builtin(file_format());
    return run(spec, display ? display->relay.get() : own_display.get(),
               file ? file->relay.get() : own_file.get(), matched);
}

} // namespace

namespace gbench
{

bool run_in_progress() noexcept
{
    return running;
}

int flag_repetitions() noexcept
{
    return flags.repetitions;
}

} // namespace gbench

int pb_gb_initialize(int *argc, char **argv, void (*help)(void))
{
    return guarded([&] {
        for (int i = 1; i < *argc; i++) {
            int error = check_flag(argv[i]);
            if (error)
                return error;
        }
        bool helped = std::any_of(argv + 1, argv + std::max(*argc, 1), is_help);
        for (int i = 1; i < *argc; i++)
            note_argument(argv[i]);
        try {
            benchmark::Initialize(argc, argv, escape);
        } catch (const help_asked &) {
            if (!helped)
                return fail(EINVAL, "a BENCHMARK_ variable of the environment is not possible");
            (help ? help : benchmark::PrintDefaultHelp)();
            return static_cast<int>(PB_GB_HELP);
        }
        static std::string program; /* the library would keep argv[0] itself */
        program = gbench::cleaned(*argc > 0 ? argv[0] : "unknown");
        benchmark::BenchmarkReporter::Context::executable_name = program.c_str();
        clean_context();
        return 0;
    });
}

void pb_gb_shutdown(void)
{
    guarded([] {
        benchmark::Shutdown();
        benchmark::internal::GetGlobalContext() = nullptr; /* it was freed */
        return 0;
    });
}

bool pb_gb_report_unrecognized_arguments(int argc, char **argv)
{
    return benchmark::ReportUnrecognizedArguments(argc, argv);
}

void pb_gb_print_default_help(void)
{
    benchmark::PrintDefaultHelp();
}

int pb_gb_run_specified_benchmarks(const char *spec, struct pb_gb_reporter *display,
                                   struct pb_gb_reporter *file, size_t *matched)
{
    if (running.exchange(true))
        return fail(EBUSY, "a run is in progress");
    int error = guarded([&] { return run_checked(spec, display, file, matched); });
    running = false;
    return error;
}

int pb_gb_get_benchmark_filter(char *out, size_t size)
{
    return guarded(
        [&] { return std::snprintf(out, size, "%s", benchmark::GetBenchmarkFilter().c_str()); });
}

int pb_gb_set_benchmark_filter(const char *filter)
{
    return guarded([&] {
        if (!filter)
            return fail(EINVAL, "no filter");
        check_filter(filter);
        benchmark::SetBenchmarkFilter(filter);
        return 0;
    });
}

int pb_gb_get_benchmark_verbosity(void)
{
    return benchmark::GetBenchmarkVerbosity();
}

enum pb_gb_time_unit pb_gb_get_default_time_unit(void)
{
    return static_cast<pb_gb_time_unit>(benchmark::GetDefaultTimeUnit());
}

int pb_gb_set_default_time_unit(enum pb_gb_time_unit unit)
{
    if (gbench::number(unit) < PB_GB_NANOSECOND || gbench::number(unit) > PB_GB_SECOND)
        return fail(EINVAL, "%d is no unit of time", gbench::number(unit));
    benchmark::SetDefaultTimeUnit(static_cast<benchmark::TimeUnit>(unit));
    return 0;
}

int pb_gb_add_custom_context(const char *key, const char *value)
{
    return guarded([&] {
        if (!gbench::is_clean(key) || !value || is_context_key(key))
            return fail(EINVAL, "this key of the context is reserved, or none");
        const auto *context = benchmark::internal::GetGlobalContext();
        if (context && context->count(key))
            return fail(EEXIST, "the context has %s already", key);
        benchmark::AddCustomContext(key, gbench::cleaned(value));
        return 0;
    });
}
