/* SPDX-License-Identifier: MIT */
/* The ways from the library back into C: bodies, setup and teardown, statistics, complexity
 * functions, the memory manager. 1.7.1 takes all but bodies as plain function pointers, so that a
 * context needs a function of its own: the templates below make a fixed number of them, each bound
 * to a slot of a table.
 *
 * Threads: the one that runs the benchmarks takes and frees slots; bodies run on any. */
#include "gbench_internal.hpp"

#include <array>

namespace
{

constexpr size_t hook_slots = 256, function_slots = 64;

template <typename F> struct slot {
    F fn = nullptr;
    void *context = nullptr;
};

std::array<pb_gb_benchmark *, hook_slots> hooks;
std::array<slot<pb_gb_statistic_fn>, function_slots> statistics;
std::array<slot<pb_gb_complexity_fn>, function_slots> complexities;
size_t hooks_n, statistics_n, complexities_n;

std::atomic<bool> in_memory_pass{false};

void call_hook(const pb_gb_hook &hook, pb_gb_benchmark *owner, const benchmark::State &view)
{
    pb_gb_state state;
    state.view = &view;
    state.owner = owner;
    if (hook.fn)
        hook.fn(&state, hook.context);
}

template <size_t I> void setup_thunk(const benchmark::State &view)
{
    call_hook(hooks[I]->setup, hooks[I], view);
}

template <size_t I> void teardown_thunk(const benchmark::State &view)
{
    call_hook(hooks[I]->teardown, hooks[I], view);
}

template <size_t I> double statistic_thunk(const std::vector<double> &values)
{
    return statistics[I].fn(values.data(), values.size(), statistics[I].context);
}

template <size_t I> double complexity_thunk(benchmark::IterationCount n)
{
    return complexities[I].fn(n, complexities[I].context);
}

using hook_fn = void (*)(const benchmark::State &);

template <size_t... I> constexpr auto setup_thunks(std::index_sequence<I...>)
{
    return std::array<hook_fn, sizeof...(I)>{{&setup_thunk<I>...}};
}

template <size_t... I> constexpr auto teardown_thunks(std::index_sequence<I...>)
{
    return std::array<hook_fn, sizeof...(I)>{{&teardown_thunk<I>...}};
}

template <size_t... I> constexpr auto statistic_thunks(std::index_sequence<I...>)
{
    return std::array<benchmark::StatisticsFunc *, sizeof...(I)>{{&statistic_thunk<I>...}};
}

template <size_t... I> constexpr auto complexity_thunks(std::index_sequence<I...>)
{
    return std::array<benchmark::BigOFunc *, sizeof...(I)>{{&complexity_thunk<I>...}};
}

/* Stop(Result *) is the one that 1.7.1 calls, and deprecated; later versions call the other. */
struct memory_manager final : benchmark::MemoryManager {
    const pb_gb_memory_ops *ops = nullptr;
    void *context = nullptr;

    void Start() override
    {
        in_memory_pass = true;
        ops->start(context);
    }

    void Stop(Result &result) override
    {
        in_memory_pass = false;
        pb_gb_memory memory{0, 0, PB_GB_MEMORY_UNKNOWN, PB_GB_MEMORY_UNKNOWN};
        ops->stop(&memory, context);
        result.num_allocs = memory.num_allocs;
        result.max_bytes_used = memory.max_bytes_used;
        result.total_allocated_bytes = memory.total_allocated_bytes;
        result.net_heap_growth = memory.net_heap_growth;
    }

    BENCHMARK_DISABLE_DEPRECATED_WARNING
    void Stop(Result *result) override
    {
        Stop(*result);
    }
    BENCHMARK_RESTORE_DEPRECATED_WARNING
};

memory_manager manager;

/* What the caller's function did not do, which 1.7.1 would abort for. */
const char *broken_promise(const pb_gb_state &state)
{
    if (!state.finished)
        return "the body returned before keep_running answered false";
    if (state.owner->complexity && state.state->complexity_length_n() <= 0)
        return "the family has a complexity, but the body set no complexity_n";
    return nullptr;
}

} // namespace

namespace gbench
{

bool memory_pass() noexcept
{
    return in_memory_pass;
}

void run_body(pb_gb_benchmark *benchmark, benchmark::State &library) noexcept
{
    pb_gb_state state;
    state.state = &library;
    state.view = &library;
    state.owner = benchmark;
    state.left = library.max_iterations;
    int error = guarded([&] {
        benchmark->body.fn(&state, benchmark->body.context);
        return 0;
    });
    const char *reason = error ? pb_gb_last_error() : broken_promise(state);
    if (reason && !state.failed)
        pb_gb_state_skip_with_error(&state, reason);
    guarded([&] {
        finish_loop(&state);
        return 0;
    });
    if (benchmark->complexity && library.complexity_length_n() <= 0)
        library.SetComplexityN(1); /* an error row by now; 1.7.1 aborts over 0 */
}

int take_hook_slot(pb_gb_benchmark *benchmark)
{
    static constexpr auto setups = setup_thunks(std::make_index_sequence<hook_slots>());
    static constexpr auto teardowns = teardown_thunks(std::make_index_sequence<hook_slots>());
    if (benchmark->hooked)
        return 0;
    if (hooks_n == hook_slots)
        return fail(ENOSPC, "%zu benchmarks have a setup or teardown already", hook_slots);
    benchmark->family->Setup(setups[hooks_n]);
    benchmark->family->Teardown(teardowns[hooks_n]);
    hooks[hooks_n++] = benchmark;
    benchmark->hooked = true;
    return 0;
}

benchmark::StatisticsFunc *take_statistic_slot(pb_gb_statistic_fn fn, void *context)
{
    static constexpr auto thunks = statistic_thunks(std::make_index_sequence<function_slots>());
    if (statistics_n == function_slots)
        return nullptr;
    statistics[statistics_n] = {fn, context};
    return thunks[statistics_n++];
}

benchmark::BigOFunc *take_complexity_slot(pb_gb_complexity_fn fn, void *context)
{
    static constexpr auto thunks = complexity_thunks(std::make_index_sequence<function_slots>());
    if (complexities_n == function_slots)
        return nullptr;
    complexities[complexities_n] = {fn, context};
    return thunks[complexities_n++];
}

void free_slots() noexcept
{
    hooks_n = statistics_n = complexities_n = 0;
}

} // namespace gbench

int pb_gb_register_memory_manager(const struct pb_gb_memory_ops *ops, void *context)
{
    if (gbench::run_in_progress())
        return gbench::fail(EBUSY, "a run is in progress");
    if (ops && (!ops->start || !ops->stop))
        return gbench::fail(EINVAL, "a memory manager needs start and stop");
    manager.ops = ops;
    manager.context = context;
    benchmark::RegisterMemoryManager(ops ? &manager : nullptr);
    return 0;
}
