/* SPDX-License-Identifier: MIT */
/* The state of a running body behind gbench.h. It keeps count of the iterations itself, so that the
 * library is asked for no more than are left, and never in a state in which 1.7.1 aborts: paused
 * twice, finished twice, past an error.
 *
 * I1       left is State's total_iterations_ while no error was passed to the library
 *
 * I2       hot implies started, and neither paused, failed nor finished
 *
 * Cost     keep_running: one test more than the library's inlined loop, and the call
 *
 * Threads: each state belongs to one; the family's counter_flags are shared, by its lock. */
#include "gbench_internal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

using gbench::fail;
using gbench::guarded;

namespace
{

constexpr unsigned all_flags = (PB_GB_COUNTER_INVERT << 1) - 1;

int not_in_a_body()
{
    return fail(EPERM, "setup and teardown have no clock, counters or label");
}

/* Asks the library for n <= left iterations. */
int64_t take(pb_gb_state *state, int64_t n)
{
    state->left -= n;
    if (state->state->KeepRunningBatch(n))
        return n;
    state->left = 0; /* cannot be while I1 holds */
    state->hot = false;
    state->finished = true;
    return 0;
}

/* The first call, the last one, and all that are not hot. */
int64_t take_slowly(pb_gb_state *state, int64_t n)
{
    if (!state->state || state->finished)
        return 0;
    if (n < 1 && !state->failed)
        pb_gb_state_skip_with_error(state, "a batch of less than one iteration");
    if (state->failed || state->left == 0) {
        gbench::finish_loop(state);
        return 0;
    }
    if (!state->started)
        state->started = state->hot = true;
    return take(state, std::min(n, state->left));
}

int check_counter(pb_gb_state *state, const char *name, const pb_gb_counter *counter)
{
    if (!gbench::is_clean(name))
        return fail(EINVAL, "a counter's name is not empty and has no control characters");
    if (gbench::is_row_key(name))
        return fail(EINVAL, "%s is a key of every row, not a counter", name);
    if (!std::isfinite(counter->value))
        return fail(EDOM, "%s is not finite", name);
    if (counter->flags & ~all_flags)
        return fail(EINVAL, "%s has unknown flags 0x%x", name, counter->flags & ~all_flags);
    if (counter->one_k != 0 && counter->one_k != 1000 && counter->one_k != 1024)
        return fail(EINVAL, "%s: a thousand is 1000 or 1024, not %u", name, counter->one_k);
    std::lock_guard<std::mutex> guard(state->owner->lock);
    auto known = state->owner->counter_flags.emplace(name, counter->flags);
    if (!known.second && known.first->second != counter->flags)
        return fail(EINVAL, "%s had other flags before", name);
    return 0;
}

bool is_soft(const pb_gb_benchmark *benchmark)
{
    int repetitions = benchmark->repetitions ? benchmark->repetitions : gbench::flag_repetitions();
    return benchmark->complexity || repetitions > 1;
}

} // namespace

namespace gbench
{

void finish_loop(pb_gb_state *state)
{
    if (state->finished)
        return;
    state->hot = false;
    state->finished = true;
    if (!state->state->error_occurred()) {
        if (state->paused)
            state->state->ResumeTiming();
        if (state->left > 0)
            state->state->KeepRunningBatch(state->left);
    }
    state->left = 0;
    state->paused = false;
    state->state->KeepRunning(); /* false: the end's barrier */
}

} // namespace gbench

bool pb_gb_state_keep_running(struct pb_gb_state *state)
{
    return pb_gb_state_keep_running_batch(state, 1) > 0;
}

int64_t pb_gb_state_keep_running_batch(struct pb_gb_state *state, int64_t n)
{
    if (__builtin_expect(state->hot && n > 0 && n <= state->left, 1))
        return take(state, n);
    int64_t taken = 0;
    guarded([&] {
        taken = take_slowly(state, n);
        return 0;
    });
    return taken;
}

int pb_gb_state_pause_timing(struct pb_gb_state *state)
{
    if (state->paused)
        return fail(EALREADY, "the clock is stopped already");
    if (!state->hot)
        return fail(EPERM, "the clock does not run here");
    return guarded([&] {
        state->state->PauseTiming();
        state->paused = true;
        state->hot = false;
        return 0;
    });
}

int pb_gb_state_resume_timing(struct pb_gb_state *state)
{
    if (state->hot)
        return fail(EALREADY, "the clock runs already");
    if (!state->paused || state->failed)
        return fail(EPERM, "the clock was not stopped here");
    return guarded([&] {
        state->state->ResumeTiming();
        state->paused = false;
        state->hot = true;
        return 0;
    });
}

int pb_gb_state_set_iteration_time(struct pb_gb_state *state, double seconds)
{
    if (!state->state)
        return not_in_a_body();
    if (!std::isfinite(seconds) || seconds < 0)
        return fail(EDOM, "an iteration's time of %g s", seconds);
    state->state->SetIterationTime(seconds);
    return 0;
}

int pb_gb_state_skip_with_error(struct pb_gb_state *state, const char *message)
{
    if (!state->state)
        return not_in_a_body();
    if (!message)
        return fail(EINVAL, "an error needs a message");
    if (state->failed)
        return fail(EALREADY, "this run was skipped already");
    state->failed = true;
    state->hot = false;
    int error = guarded([&] {
        std::string text = gbench::cleaned(message);
        if (is_soft(state->owner)) {
            state->owner->failed = true;
            state->state->counters[gbench::soft_failure] = 1;
            state->state->SetLabel(gbench::soft_failure + text);
        } else {
            state->state->SkipWithError(text.c_str());
        }
        return 0;
    });
    if (error)
        state->state->SkipWithError("out of memory"); /* short enough to need none */
    return error;
}

bool pb_gb_state_error_occurred(const struct pb_gb_state *state)
{
    return state->failed;
}

int pb_gb_state_set_bytes_processed(struct pb_gb_state *state, int64_t bytes)
{
    if (!state->state)
        return not_in_a_body();
    if (bytes < 0)
        return fail(EINVAL, "%lld bytes", static_cast<long long>(bytes));
    return guarded([&] {
        state->state->SetBytesProcessed(bytes);
        return 0;
    });
}

int pb_gb_state_set_items_processed(struct pb_gb_state *state, int64_t items)
{
    if (!state->state)
        return not_in_a_body();
    if (items < 0)
        return fail(EINVAL, "%lld items", static_cast<long long>(items));
    return guarded([&] {
        state->state->SetItemsProcessed(items);
        return 0;
    });
}

int64_t pb_gb_state_bytes_processed(const struct pb_gb_state *state)
{
    int64_t bytes = 0;
    guarded([&] {
        bytes = state->view->bytes_processed();
        return 0;
    });
    return bytes;
}

int64_t pb_gb_state_items_processed(const struct pb_gb_state *state)
{
    int64_t items = 0;
    guarded([&] {
        items = state->view->items_processed();
        return 0;
    });
    return items;
}

int pb_gb_state_set_complexity_n(struct pb_gb_state *state, int64_t n)
{
    if (!state->state)
        return not_in_a_body();
    if (n < 1)
        return fail(EINVAL, "a complexity's n of %lld", static_cast<long long>(n));
    state->state->SetComplexityN(n);
    return 0;
}

int64_t pb_gb_state_complexity_length_n(const struct pb_gb_state *state)
{
    return state->view->complexity_length_n();
}

int pb_gb_state_set_label(struct pb_gb_state *state, const char *label)
{
    if (!state->state)
        return not_in_a_body();
    if (!label)
        return fail(EINVAL, "no label");
    if (state->failed)
        return fail(ECANCELED, "this run was skipped");
    return guarded([&] {
        state->state->SetLabel(gbench::cleaned(label));
        return 0;
    });
}

int64_t pb_gb_state_range(const struct pb_gb_state *state, size_t index)
{
    if (index < pb_gb_state_range_size(state))
        return state->view->range(index);
    fail(ERANGE, "%s has no argument %zu", state->owner->name.c_str(), index);
    return std::numeric_limits<int64_t>::min();
}

size_t pb_gb_state_range_size(const struct pb_gb_state *state)
{
    return state->owner->args_n > 0 ? static_cast<size_t>(state->owner->args_n) : 0;
}

int pb_gb_state_threads(const struct pb_gb_state *state)
{
    return gbench::memory_pass() ? 1 : state->view->threads();
}

int pb_gb_state_thread_index(const struct pb_gb_state *state)
{
    return state->view->thread_index();
}

int64_t pb_gb_state_iterations(const struct pb_gb_state *state)
{
    return state->view->iterations();
}

int64_t pb_gb_state_max_iterations(const struct pb_gb_state *state)
{
    return state->view->max_iterations;
}

int pb_gb_state_set_counter(struct pb_gb_state *state, const char *name,
                            const struct pb_gb_counter *counter)
{
    if (!state->state)
        return not_in_a_body();
    return guarded([&] {
        int error = check_counter(state, name, counter);
        if (error)
            return error;
        state->state->counters[name] = gbench::from_c(*counter);
        return 0;
    });
}

int pb_gb_state_counter(const struct pb_gb_state *state, const char *name,
                        struct pb_gb_counter *counter)
{
    return guarded([&] {
        auto found = state->view->counters.find(name);
        if (found == state->view->counters.end())
            return fail(ENOENT, "no counter %s", name);
        *counter = gbench::to_c(found->second);
        return 0;
    });
}
