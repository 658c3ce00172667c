/* SPDX-License-Identifier: MIT */
/* Registration behind gbench.h: families, their arguments and threads. The library keeps a family's
 * settings private and aborts on those that contradict each other; struct pb_gb_benchmark mirrors
 * what it takes to refuse them instead.
 *
 * Source:  google/benchmark 1.7.1, src/benchmark_register.cc (its BM_CHECKs).
 *
 * Threads: the one that runs the benchmarks. */
#include "gbench_internal.hpp"

#include <limits>

using gbench::fail;
using gbench::guarded;

static_assert(static_cast<int>(benchmark::kSecond) == PB_GB_SECOND, "one numbering of units");
static_assert(static_cast<int>(benchmark::oAuto) == PB_GB_O_AUTO, "one numbering of orders");
static_assert(static_cast<int>(benchmark::oLambda) == PB_GB_O_FUNCTION, "one numbering of orders");
static_assert(static_cast<int>(benchmark::kPercentage) == PB_GB_STATISTIC_PERCENTAGE,
              "one numbering of statistics' units");

namespace
{

using families_list = std::vector<std::unique_ptr<pb_gb_benchmark>>;

families_list &families()
{
    static families_list list;
    return list;
}

/* Whether `lists` more lists of n arguments go with what the family has. */
int check_args(const pb_gb_benchmark *benchmark, size_t n, size_t lists)
{
    if (n < 1 || n > PB_GB_INSTANCES_MAX)
        return fail(EINVAL, "%s: %zu arguments", benchmark->name.c_str(), n);
    if (benchmark->args_n != -1 && static_cast<size_t>(benchmark->args_n) != n)
        return fail(EINVAL, "%s: %zu arguments where there were %d", benchmark->name.c_str(), n,
                    benchmark->args_n);
    if (lists > PB_GB_INSTANCES_MAX - benchmark->lists_n)
        return fail(EINVAL, "%s: more than %d argument lists", benchmark->name.c_str(),
                    PB_GB_INSTANCES_MAX);
    return 0;
}

void note_args(pb_gb_benchmark *benchmark, size_t n, size_t lists)
{
    benchmark->args_n = static_cast<int>(n);
    benchmark->lists_n += lists;
}

/* 0 and the count of values, or -EINVAL where the library would abort or never end. */
int check_dense(int64_t low, int64_t high, int step, size_t *n)
{
    if (low > high || step < 1 || high > std::numeric_limits<int64_t>::max() - step)
        return fail(EINVAL, "%lld to %lld by %d is no range", static_cast<long long>(low),
                    static_cast<long long>(high), step);
    uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    uint64_t count = span / static_cast<uint64_t>(step) + 1;
    if (count > PB_GB_INSTANCES_MAX)
        return fail(EINVAL, "%llu values are too many", static_cast<unsigned long long>(count));
    *n = static_cast<size_t>(count);
    return 0;
}

int check_range(int64_t low, int64_t high, int multiplier)
{
    if (low > high || multiplier < 2)
        return fail(EINVAL, "%lld to %lld by powers of %d is no range", static_cast<long long>(low),
                    static_cast<long long>(high), multiplier);
    return 0;
}

/* The product of two counts, at most one more than the limit. */
size_t product(size_t a, size_t b)
{
    return b && a > PB_GB_INSTANCES_MAX / b ? PB_GB_INSTANCES_MAX + size_t{1} : a * b;
}

int check_threads(int low, int high, int stride)
{
    if (low < 1 || high < low || stride < 1 || high > PB_GB_THREADS_MAX)
        return fail(EINVAL, "%d to %d threads by %d; 1 to %d can be had", low, high, stride,
                    PB_GB_THREADS_MAX);
    return 0;
}

int add_lists(pb_gb_benchmark *benchmark, const std::vector<std::vector<int64_t>> &lists)
{
    size_t total = 1;
    for (const auto &list : lists) {
        if (list.empty())
            return fail(EINVAL, "%s: an argument without values", benchmark->name.c_str());
        total = product(total, list.size());
    }
    int error = check_args(benchmark, lists.size(), total);
    if (error)
        return error;
    benchmark->family->ArgsProduct(lists);
    note_args(benchmark, lists.size(), total);
    return 0;
}

int copy_out(const std::vector<int64_t> &from, int64_t *values, size_t capacity)
{
    for (size_t i = 0; i < from.size() && i < capacity; i++)
        values[i] = from[i];
    return static_cast<int>(from.size());
}

} // namespace

namespace gbench
{

void forget_failures()
{
    for (auto &family : families())
        family->failed = false;
}

bool family_failed(const std::string &name)
{
    for (auto &family : families())
        if (family->failed && family->name == name)
            return true;
    return false;
}

} // namespace gbench

int pb_gb_register_benchmark(const char *name, pb_gb_body body, void *context,
                             struct pb_gb_benchmark **benchmark)
{
    return guarded([&] {
        if (!gbench::is_clean(name) || !body)
            return fail(EINVAL, "a benchmark needs a name without control characters and a body");
        auto family = std::make_unique<pb_gb_benchmark>();
        auto *handle = family.get();
        handle->name = name;
        handle->body = {body, context};
        families().push_back(std::move(family));
        handle->family = benchmark::RegisterBenchmark(
            name, [handle](benchmark::State &state) { gbench::run_body(handle, state); });
        *benchmark = handle;
        return 0;
    });
}

int pb_gb_clear_registered_benchmarks(void)
{
    return guarded([&] {
        if (gbench::run_in_progress())
            return fail(EBUSY, "a run is in progress");
        benchmark::ClearRegisteredBenchmarks();
        families().clear();
        gbench::free_slots();
        return 0;
    });
}

int pb_gb_benchmark_name(struct pb_gb_benchmark *benchmark, const char *name)
{
    return guarded([&] {
        if (!gbench::is_clean(name))
            return fail(EINVAL, "a name is not empty and has no control characters");
        benchmark->name = name;
        benchmark->family->Name(name);
        return 0;
    });
}

int pb_gb_benchmark_arg(struct pb_gb_benchmark *benchmark, int64_t value)
{
    return pb_gb_benchmark_args(benchmark, &value, 1);
}

int pb_gb_benchmark_args(struct pb_gb_benchmark *benchmark, const int64_t *values, size_t n)
{
    return guarded([&] {
        int error = check_args(benchmark, n, 1);
        if (error)
            return error;
        benchmark->family->Args(std::vector<int64_t>(values, values + n));
        note_args(benchmark, n, 1);
        return 0;
    });
}

int pb_gb_benchmark_range(struct pb_gb_benchmark *benchmark, int64_t low, int64_t high)
{
    return pb_gb_benchmark_ranges(benchmark, &low, &high, 1);
}

int pb_gb_benchmark_dense_range(struct pb_gb_benchmark *benchmark, int64_t low, int64_t high,
                                int step)
{
    return guarded([&] {
        size_t n = 0;
        int error = check_dense(low, high, step, &n);
        if (!error)
            error = check_args(benchmark, 1, n);
        if (error)
            return error;
        benchmark->family->DenseRange(low, high, step);
        note_args(benchmark, 1, n);
        return 0;
    });
}

int pb_gb_benchmark_ranges(struct pb_gb_benchmark *benchmark, const int64_t *lows,
                           const int64_t *highs, size_t n)
{
    return guarded([&] {
        int error = check_args(benchmark, n, 1);
        std::vector<std::vector<int64_t>> lists;
        for (size_t i = 0; i < n && !error; i++) {
            error = check_range(lows[i], highs[i], benchmark->multiplier);
            if (!error)
                lists.push_back(benchmark::CreateRange(lows[i], highs[i], benchmark->multiplier));
        }
        return error ? error : add_lists(benchmark, lists);
    });
}

int pb_gb_benchmark_args_product(struct pb_gb_benchmark *benchmark, const int64_t *const *lists,
                                 const size_t *lengths, size_t n)
{
    return guarded([&] {
        int error = check_args(benchmark, n, 1);
        std::vector<std::vector<int64_t>> copies;
        for (size_t i = 0; i < n && !error; i++) {
            if (lengths[i] > PB_GB_INSTANCES_MAX)
                error = fail(EINVAL, "a list of %zu values", lengths[i]);
            else
                copies.emplace_back(lists[i], lists[i] + lengths[i]);
        }
        return error ? error : add_lists(benchmark, copies);
    });
}

int pb_gb_benchmark_arg_name(struct pb_gb_benchmark *benchmark, const char *name)
{
    return pb_gb_benchmark_arg_names(benchmark, &name, 1);
}

int pb_gb_benchmark_arg_names(struct pb_gb_benchmark *benchmark, const char *const *names, size_t n)
{
    return guarded([&] {
        int error = check_args(benchmark, n, 0);
        std::vector<std::string> copies;
        for (size_t i = 0; i < n && !error; i++) {
            if (!names[i] || (*names[i] && !gbench::is_clean(names[i])))
                error = fail(EINVAL, "an argument's name has no control characters");
            else
                copies.emplace_back(names[i]);
        }
        if (error)
            return error;
        benchmark->family->ArgNames(copies);
        note_args(benchmark, n, 0);
        return 0;
    });
}

int pb_gb_benchmark_range_multiplier(struct pb_gb_benchmark *benchmark, int multiplier)
{
    return guarded([&] {
        if (multiplier < 2)
            return fail(EINVAL, "a multiplier of %d", multiplier);
        benchmark->multiplier = multiplier;
        benchmark->family->RangeMultiplier(multiplier);
        return 0;
    });
}

int pb_gb_benchmark_threads(struct pb_gb_benchmark *benchmark, int threads)
{
    return guarded([&] {
        int error = check_threads(threads, threads, 1);
        if (!error)
            benchmark->family->Threads(threads);
        return error;
    });
}

int pb_gb_benchmark_thread_range(struct pb_gb_benchmark *benchmark, int low, int high)
{
    return guarded([&] {
        int error = check_threads(low, high, 1);
        if (!error)
            benchmark->family->ThreadRange(low, high);
        return error;
    });
}

int pb_gb_benchmark_dense_thread_range(struct pb_gb_benchmark *benchmark, int low, int high,
                                       int stride)
{
    return guarded([&] {
        int error = check_threads(low, high, stride);
        if (!error)
            benchmark->family->DenseThreadRange(low, high, stride);
        return error;
    });
}

int pb_gb_benchmark_thread_per_cpu(struct pb_gb_benchmark *benchmark)
{
    return pb_gb_benchmark_threads(benchmark, benchmark::CPUInfo::Get().num_cpus);
}

int pb_gb_benchmark_apply(struct pb_gb_benchmark *benchmark, pb_gb_customize fn, void *context)
{
    return guarded([&] {
        if (!fn)
            return fail(EINVAL, "no function to apply");
        fn(benchmark, context);
        return 0;
    });
}

int pb_gb_create_range(int64_t low, int64_t high, int multiplier, int64_t *values, size_t capacity)
{
    return guarded([&] {
        int error = check_range(low, high, multiplier);
        return error ? error
                     : copy_out(benchmark::CreateRange(low, high, multiplier), values, capacity);
    });
}

int pb_gb_create_dense_range(int64_t low, int64_t high, int step, int64_t *values, size_t capacity)
{
    return guarded([&] {
        size_t n = 0;
        int error = check_dense(low, high, step, &n);
        return error ? error
                     : copy_out(benchmark::CreateDenseRange(low, high, step), values, capacity);
    });
}
