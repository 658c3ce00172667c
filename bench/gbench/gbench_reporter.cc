/* SPDX-License-Identifier: MIT */
/* Reporters behind gbench.h. Nothing reads the library's rows but through a relay, which puts right
 * what 1.7.1 would pass on: failures that travelled in the label, results of freed memory, numbers
 * that are not JSON, and counters that would abort the CSV writer.
 *
 * Source:  google/benchmark 1.7.1, src/json_reporter.cc, csv_reporter.cc, benchmark_runner.cc.
 *
 * Threads: the one that runs the benchmarks. */
#include "gbench_internal.hpp"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <set>

using benchmark::BenchmarkReporter;
using gbench::fail;
using gbench::guarded;
using Run = benchmark::BenchmarkReporter::Run;
using Rows = std::vector<Run>;

namespace
{

size_t omitted;

void omit(const Run &row, const char *what, const char *why)
{
    omitted++;
    std::fprintf(stderr, "%s: %s left out: %s\n", row.benchmark_name().c_str(), what, why);
}

void make_error(Run &row, const std::string &message)
{
    row.error_occurred = true;
    row.error_message = message;
    row.report_label.clear();
    row.counters.clear();
    row.real_accumulated_time = row.cpu_accumulated_time = 0;
}

/* What every reader needs: the errors that took the label past the library (see soft_failure), and
 * no pointer to memory results when there were several, as the vector that held the first has
 * moved. */
void restore(Run &row)
{
    if (row.repetitions > 1)
        row.memory_result = nullptr;
    bool of_family = row.report_big_o || row.report_rms;
    bool failed = row.counters.count(gbench::soft_failure) ||
                  (of_family && gbench::family_failed(row.run_name.function_name));
    if (!failed)
        return;
    bool told = row.report_label.compare(0, 1, gbench::soft_failure) == 0;
    if (row.run_type == Run::RT_Aggregate)
        make_error(row, "a run it is made of failed");
    else
        make_error(row, told ? row.report_label.substr(1) : "another thread of the run failed");
}

template <typename Bad> void drop_counters(Run &row, const char *why, Bad &&bad)
{
    for (auto it = row.counters.begin(); it != row.counters.end();) {
        if (bad(*it)) {
            omit(row, it->first.c_str(), why);
            it = row.counters.erase(it);
        } else {
            ++it;
        }
    }
}

void keep_finite(Run &row)
{
    drop_counters(row, "it is not finite",
                  [](const auto &counter) { return !std::isfinite(counter.second.value); });
    if (std::isfinite(row.GetAdjustedRealTime()) && std::isfinite(row.GetAdjustedCPUTime()))
        return;
    omit(row, "time", "it is not finite");
    make_error(row, "the time is not finite");
}

bool is_column_of_its_own(const std::string &name)
{
    return name == "bytes_per_second" || name == "items_per_second";
}

/* One of the library's writers. */
class relay final : public BenchmarkReporter
{
  public:
    relay(std::unique_ptr<BenchmarkReporter> writer, bool finite, bool columns)
        : owned_(std::move(writer)), writer_(*owned_), finite_(finite), columns_(columns)
    {
    }

    explicit relay(BenchmarkReporter &writer) : writer_(writer), finite_(false), columns_(false)
    {
    }

    bool ReportContext(const Context &context) override
    {
        /* the library gives the file's stream to the relay */
        writer_.SetOutputStream(&GetOutputStream());
        writer_.SetErrorStream(&GetErrorStream());
        return writer_.ReportContext(context);
    }

    void ReportRuns(const Rows &rows) override
    {
        Rows copy(rows);
        for (Run &row : copy) {
            restore(row);
            if (finite_)
                keep_finite(row);
        }
        if (columns_)
            keep_columns(copy);
        writer_.ReportRuns(copy);
    }

    void Finalize() override
    {
        writer_.Finalize();
    }

  private:
    /* The CSV writer aborts over a counter that was not in its first report. */
    void keep_columns(Rows &rows)
    {
        for (const Run &row : rows)
            for (const auto &counter : row.counters)
                if (!header_written_)
                    header_.insert(counter.first);
        header_written_ = true;
        for (Run &row : rows)
            drop_counters(row, "it is not in the CSV header", [this](const auto &counter) {
                return !is_column_of_its_own(counter.first) && !header_.count(counter.first);
            });
    }

    std::unique_ptr<BenchmarkReporter> owned_;
    BenchmarkReporter &writer_;
    bool finite_, columns_;
    bool header_written_ = false;
    std::set<std::string> header_;
};

/* A reporter in C. */
class callbacks final : public BenchmarkReporter
{
  public:
    callbacks(const pb_gb_reporter_ops *ops, void *context) : ops_(ops), context_(context)
    {
    }

    bool ReportContext(const Context &context) override
    {
        const char *name = Context::executable_name ? Context::executable_name : "";
        return !ops_->context || ops_->context(name, context.name_field_width, context_);
    }

    void ReportRuns(const Rows &rows) override
    {
        Rows copy(rows);
        std::vector<pb_gb_run> runs;
        std::vector<const pb_gb_run *> pointers;
        runs.reserve(copy.size());
        for (Run &row : copy) {
            restore(row);
            runs.push_back({row, row.benchmark_name(), row.run_name.str()});
            pointers.push_back(&runs.back());
        }
        if (!runs.empty())
            ops_->runs(pointers.data(), pointers.size(), context_);
    }

    void Finalize() override
    {
        if (ops_->finalize)
            ops_->finalize(context_);
    }

  private:
    const pb_gb_reporter_ops *ops_;
    void *context_;
};

int create(std::unique_ptr<BenchmarkReporter> relay, struct pb_gb_reporter **reporter)
{
    auto out = std::make_unique<pb_gb_reporter>();
    out->relay = std::move(relay);
    *reporter = out.release();
    return 0;
}

std::unique_ptr<BenchmarkReporter> console(benchmark::ConsoleReporter::OutputOptions options)
{
    return std::make_unique<relay>(std::make_unique<benchmark::ConsoleReporter>(options), false,
                                   false);
}

} // namespace

BENCHMARK_DISABLE_DEPRECATED_WARNING /* the CSV writer is, but here it is still */

    namespace gbench
{

    std::unique_ptr<BenchmarkReporter> make_builtin(pb_gb_format format)
    {
        switch (format) {
        case PB_GB_JSON:
            return std::make_unique<relay>(std::make_unique<benchmark::JSONReporter>(), true,
                                           false);
        case PB_GB_CSV:
            return std::make_unique<relay>(std::make_unique<benchmark::CSVReporter>(), true, true);
        case PB_GB_CONSOLE_COLOR:
            return console(benchmark::ConsoleReporter::OO_Color);
        case PB_GB_CONSOLE:
        default:
            return console(benchmark::ConsoleReporter::OO_None);
        }
    }

    /* The library makes one display reporter a process and RunSpecifiedBenchmarks(nullptr) frees
     * it, so that a second run uses it freed. It is asked for once and kept; JSON and CSV writers
     * remember what they wrote in the last run, so each run has its own. */
    std::unique_ptr<BenchmarkReporter> make_default_display()
    {
        static BenchmarkReporter *const standard = benchmark::CreateDefaultDisplayReporter();
        if (dynamic_cast<benchmark::JSONReporter *>(standard))
            return make_builtin(PB_GB_JSON);
        if (dynamic_cast<benchmark::CSVReporter *>(standard))
            return make_builtin(PB_GB_CSV);
        return std::make_unique<relay>(*standard);
    }

    void reset_omitted() noexcept
    {
        omitted = 0;
    }

} // namespace gbench

BENCHMARK_RESTORE_DEPRECATED_WARNING

size_t pb_gb_omitted(void)
{
    return omitted;
}

int pb_gb_reporter_create(const struct pb_gb_reporter_ops *ops, void *context,
                          struct pb_gb_reporter **reporter)
{
    if (!ops || !ops->runs)
        return fail(EINVAL, "a reporter needs a function for runs");
    return guarded([&] { return create(std::make_unique<callbacks>(ops, context), reporter); });
}

int pb_gb_reporter_create_builtin(enum pb_gb_format format, struct pb_gb_reporter **reporter)
{
    if (gbench::number(format) < PB_GB_CONSOLE || gbench::number(format) > PB_GB_CSV)
        return fail(EINVAL, "%d is no format", gbench::number(format));
    return guarded([&] { return create(gbench::make_builtin(format), reporter); });
}

int pb_gb_reporter_create_default_display(struct pb_gb_reporter **reporter)
{
    return guarded([&] { return create(gbench::make_default_display(), reporter); });
}

void pb_gb_reporter_destroy(struct pb_gb_reporter *reporter)
{
    delete reporter;
}

int pb_gb_reporter_write(struct pb_gb_reporter *reporter, const char *bytes, size_t n)
{
    return guarded([&] {
        std::ostream &out = reporter->relay->GetOutputStream();
        out.write(bytes, static_cast<std::streamsize>(n));
        return out.good() ? 0 : fail(EIO, "the reporter's stream does not take it");
    });
}
