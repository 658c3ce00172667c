/* SPDX-License-Identifier: MIT */
/* The experiments of the selftest, and their runs: selftest.h. Every run is one of the program's
 * own: a matrix, a child a repetition, records, a summary. Source: R18 and the planted effects after
 * Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013 (an instrument is
 * calibrated on a known difference). */
#include "runner/selftest.h"

#include "runner/report_summary.h"
#include "runner/runner.h"
#include "runner/runner_internal.h"
#include "runner/selftest_busy.h"
#include "runner/store.h"
#include "runner/verbs.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#define HALF_LINKS 500
#define LINKS      1000
#define CHAIN(n)   "floor:kind=chain,links=" #n

enum { TEXT_MAX = 4096, NAME_MAX_ = 64, BLOCKS = 11, BUSY_FACTOR = 10 };

/* What all matrices say; then reference, aa, the variants, the steps of a worker. */
static const char head[] = "name = \"selftest\"\n"
                           "title = \"%s\"\n"
                           "blocks = %d\n"
                           "reference = \"%s\"\n"
                           "aa = %s\n"
                           "audit = false\n"
                           "sample_gap = 0\n"
                           "[axes]\n"
                           "alloc = [%s]\n"
                           "[[workload]]\n"
                           "name = \"pair\"\n"
                           "ops = %u\n"
                           "size = [";

struct run_plan {
    const char *name, *title, *reference, *variants;
    bool aa;
    unsigned ops, comparisons; /* of a run: as many sizes of block */
};

/* What goes on: its folder, and how many of what were found. */
struct state {
    unsigned comparisons; /* of each experiment */
    bool quiet;
    char folder[PATH_MAX];
    bool failed; /* some experiment */
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "selftest: %s: %s\n", what, why);
    return PB_EXIT_MACHINE;
}

/* Writes the matrix. A size of block is a group of its own, so that as many comparisons are
 * independent. */
static int write_matrix(const struct run_plan *plan, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return -errno;
    fprintf(file, head, plan->title, BLOCKS, plan->reference, plan->aa ? "true" : "false",
            plan->variants, plan->ops);
    for (unsigned i = 0; i < plan->comparisons; i++)
        fprintf(file, "%s%u", i == 0 ? "" : ", ", 16 + 8 * i);
    fputs("]\n", file);
    int error = ferror(file) ? -EIO : 0;
    return fclose(file) != 0 ? -errno : error;
}

/* Makes a run and digests it. Returns an exit code; 0 and 3 with the run and its summary, which the
 * caller frees. */
static int make_run(const struct state *s, const struct run_plan *plan, struct pb_run **run,
                    struct pb_summary *summary)
{
    char matrix[PATH_MAX], folder[PATH_MAX], made[PATH_MAX], message[512] = "";
    if (snprintf(folder, sizeof folder, "%s/%s", s->folder, plan->name) >= (int)sizeof folder ||
        snprintf(matrix, sizeof matrix, "%s.toml", folder) >= (int)sizeof matrix)
        return complain(s->folder, strerror(ENAMETOOLONG));
    int error = write_matrix(plan, matrix);
    if (error != 0)
        return complain(matrix, strerror(-error));
    json_t *options = json_object();
    struct pb_request request = {.matrix = matrix,
                                 .options = options,
                                 .out = folder,
                                 .program = PB_SELF,
                                 .quiet = s->quiet,
                                 .part = true};
    int code = pb_runner_run(&request, made, sizeof made);
    json_decref(options);
    if (code != PB_EXIT_GOOD && code != PB_EXIT_FAILED)
        return code;
    if (pb_run_load(folder, run, message, sizeof message) != 0 ||
        pb_summary_make(*run, PB_KEY_TIME, NULL, summary, message, sizeof message) != 0)
        return complain(folder, message);
    return code;
}

static void free_run(struct pb_run *run, struct pb_summary *summary)
{
    pb_summary_free(summary);
    pb_run_free(run);
}

/* --- the table -----------------------------------------------------------------------------------
 */

/* What of an experiment is right. Each comparison of a sound instrument goes wrong with this chance
 * at the most; how many of N may is the binomial distribution's answer at PB_SELFTEST_ALPHA. Of 40
 * comparisons they are 2 twins called different, 2 planted 10 % not found and 4 intervals that do
 * not hold the truth; of 4 they are 1, 1 and 1: that tells a broken instrument, no more. */
struct rule {
    bool wrong_are_counted; /* the tally's; else those that are right */
    double rate;
};

static const struct rule twins_rule = {true, 0.02};    /* different by p, by interval and by 2 % */
static const struct rule found_rule = {false, 0.02};   /* 10 % is far beyond any interval */
static const struct rule covered_rule = {false, 0.05}; /* intervals of 95 % */

static void print_line(struct state *s, const char *name, const char *what,
                       const struct pb_selftest_tally *tally, struct rule rule)
{
    size_t most = pb_selftest_wrong(s->comparisons, rule.rate);
    size_t bound = rule.wrong_are_counted ? most : s->comparisons - most;
    bool kept = rule.wrong_are_counted ? tally->counted <= bound : tally->counted >= bound;
    bool good =
        kept && tally->comparisons == s->comparisons; /* one that was not made is not right */
    s->failed |= !good;
    printf("%-21s %3zu of %-3zu %-22s  at %s %zu of %u  ratios %.4f to %.4f, widest interval "
           "%.1f %%: %s\n",
           name, tally->counted, tally->comparisons, what,
           rule.wrong_are_counted ? "most" : "least", bound, s->comparisons, tally->least,
           tally->most, 100 * tally->widest, good ? "as it should be" : "NOT as it should be");
}

/* --- the experiments -----------------------------------------------------------------------------
 */

/* The same strategy under two names, a quarter of the comparisons each. */
static int try_twins(struct state *s)
{
    static const char *const strategies[] = {"jemalloc", "lookaside", "pool", "zone"};
    enum { STRATEGIES = sizeof strategies / sizeof *strategies };
    struct pb_selftest_tally tally = {0};
    for (size_t i = 0; i < STRATEGIES; i++) {
        char name[NAME_MAX_], variant[NAME_MAX_];
        struct pb_run *run = NULL;
        struct pb_summary summary = {0};
        snprintf(name, sizeof name, "twins-%s", strategies[i]);
        snprintf(variant, sizeof variant, "\"%s\"", strategies[i]);
        struct run_plan plan = {.name = name,
                                .title = "the same under two names",
                                .reference = strategies[i],
                                .variants = variant,
                                .aa = true,
                                .ops = 2000000,
                                .comparisons = s->comparisons / STRATEGIES};
        int code = make_run(s, &plan, &run, &summary);
        pb_selftest_count_twins(&summary, &tally);
        free_run(run, &summary);
        if (code != PB_EXIT_GOOD)
            return code;
    }
    print_line(s, "A/A", "called different", &tally, twins_rule);
    return PB_EXIT_GOOD;
}

/* The median over all groups of a variant's medians. */
static double time_of(const struct pb_summary *summary, const char *alloc)
{
    struct pb_estimate middle = {.value = NAN};
    double *times = calloc(summary->groups_n + 1, sizeof *times);
    size_t n = 0;
    for (size_t i = 0; times != NULL && i < summary->groups_n; i++) {
        const struct pb_summary_row *row = pb_summary_find(&summary->groups[i], alloc);
        if (row != NULL && row->series.n > 0)
            times[n++] = row->median.value;
    }
    if (n > 0 && pb_median(times, n, PB_SUMMARY_CONFIDENCE, &middle) != 0)
        middle.value = NAN;
    free(times);
    return middle.value;
}

/* Slower by 10 % and by 3 %: chains of dependent multiplications, whose cost is in proportion to
 * their length but for the call. */
static int try_planted(struct state *s)
{
    struct pb_run *run = NULL;
    struct pb_summary summary = {0};
    struct pb_selftest_tally ten = {0}, three = {0};
    struct run_plan plan = {.name = "planted",
                            .title = "slower by a known share",
                            .reference = CHAIN(1000),
                            .variants = "\"" CHAIN(500) "\", \"" CHAIN(1000) "\", \"" CHAIN(
                                1030) "\", \"" CHAIN(1100) "\"",
                            .aa = true,
                            .ops = 30000,
                            .comparisons = s->comparisons};
    int code = make_run(s, &plan, &run, &summary);
    if (code == PB_EXIT_GOOD) {
        double half = time_of(&summary, CHAIN(500)), whole = time_of(&summary, CHAIN(1000));
        double truth = pb_selftest_truth(HALF_LINKS, half, LINKS, whole, 1030);
        pb_selftest_count_sign(&summary, CHAIN(1100), '-', &ten);
        pb_selftest_count_covered(&summary, CHAIN(1030), truth, &three);
        print_line(s, "planted, 10 % slower", "found slower", &ten, found_rule);
        print_line(s, "planted, 3 % slower", "intervals hold it", &three, covered_rule);
        printf("  chains of %d and %d links: %.1f and %.1f ns; so 1030 links are %.4f\n",
               HALF_LINKS, LINKS, half, whole, truth);
    }
    free_run(run, &summary);
    return code;
}

/* Repetitions that count and that a record calls disturbed: their last attempt was, too. */
static size_t disturbed_reps(const struct pb_run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->reps_n; i++)
        n += json_array_size(json_object_get(run->reps[i].json, "disturbed")) > 0;
    return n;
}

/* Where the first worker of a run was. Returns the unit's number, or -1. */
static int unit_of(const struct pb_run *run)
{
    int unit = -1;
    for (size_t i = 0; i < run->reps_n && unit < 0; i++) {
        const char *text = json_string_value(json_object_get(run->reps[i].json, "placement"));
        if (text == NULL || sscanf(text, "P#%d", &unit) != 1)
            unit = -1;
    }
    return unit;
}

/* The sign of the planted 10 %, ' ' where it cannot be said. */
static char sign_of(const struct pb_summary *summary)
{
    const struct pb_summary_row *row =
        summary->groups_n > 0 ? pb_summary_find(&summary->groups[0], CHAIN(1100)) : NULL;
    return row != NULL ? row->sign : ' ';
}

/* A neighbour spins on the worker's own unit: each repetition must be flagged, and the verdict must
 * not be turned round. */
static int try_busy(struct state *s)
{
    struct pb_run *quiet = NULL, *busy = NULL;
    struct pb_summary calm = {0}, loud = {0};
    struct run_plan plan = {.name = "quiet",
                            .title = "slower by 10 %, in quiet",
                            .reference = CHAIN(1000),
                            .variants = "\"" CHAIN(1000) "\", \"" CHAIN(1100) "\"",
                            .ops = 30000 * BUSY_FACTOR,
                            .comparisons = 1};
    int code = make_run(s, &plan, &quiet, &calm);
    if (code == PB_EXIT_GOOD) {
        pid_t neighbour = pb_busy_start(unit_of(quiet));
        plan.name = "busy";
        plan.title = "the same beside a busy neighbour";
        code = neighbour > 0 ? make_run(s, &plan, &busy, &loud)
                             : complain("a busy neighbour cannot be started", strerror(EAGAIN));
        pb_busy_stop(neighbour);
    }
    if (busy != NULL && (code == PB_EXIT_GOOD || code == PB_EXIT_FAILED)) {
        struct pb_selftest_tally tally = {.comparisons = busy->reps_n,
                                          .counted = disturbed_reps(busy)};
        bool good = tally.counted == tally.comparisons &&
                    pb_selftest_busy_holds(sign_of(&calm), sign_of(&loud));
        s->failed |= !good;
        printf("%-26s %3zu of %-3zu repetitions flagged, verdict in quiet '%c', beside '%c', exit "
               "%d: %s\n",
               "busy neighbour", tally.counted, tally.comparisons, sign_of(&calm), sign_of(&loud),
               code, good ? "as it should be" : "NOT as it should be");
        code = PB_EXIT_GOOD;
    }
    free_run(quiet, &calm);
    free_run(busy, &loud);
    return code;
}

/* The folder that is given, or a new one under results: made with what it lies in, and not there
 * before. Returns 0 or -errno. */
static int open_folder(const char *given, char *folder, size_t size)
{
    char root[PATH_MAX], name[64] = "";
    time_t t = time(NULL);
    struct tm utc;
    struct stat st;
    if (given == NULL) {
        pb_store_root(root, sizeof root);
        strftime(name, sizeof name, "/selftest-%Y%m%d-%H%M%S", gmtime_r(&t, &utc));
    }
    if (snprintf(folder, size, "%s%s", given != NULL ? given : root, name) >= (int)size)
        return -ENAMETOOLONG;
    if (stat(folder, &st) == 0)
        return -EEXIST;
    bool *made = calloc(strlen(folder) + 1, sizeof *made);
    int error = made != NULL ? pb_store_make_folders(folder, made) : -ENOMEM;
    free(made);
    return error;
}

/* Returns an exit code, with one line unless it is good: then alone there is a folder. */
static int make_folder(const char *given, struct state *s)
{
    if (given != NULL && given[0] == '\0') {
        fputs("--out: the folder's name is empty\n", stderr);
        return PB_EXIT_USAGE;
    }
    int error = open_folder(given, s->folder, sizeof s->folder);
    if (error == 0)
        return PB_EXIT_GOOD;
    const char *remedy = pb_shortage(error);
    fprintf(stderr, "%s: %s%s%s%s give another --out\n", s->folder,
            error == -EEXIST ? "is there already" : strerror(-error), remedy != NULL ? "; " : "",
            remedy != NULL ? remedy : "", remedy != NULL ? ", or" : ";");
    s->folder[0] = '\0';
    return pb_exit_of(error);
}

/* --comparisons: as many for each of the strategies. */
static int parse(const struct pb_args *args, struct state *s)
{
    const char *text = pb_args_value(args, "comparisons");
    char *end;
    long n = text != NULL ? strtol(text, &end, 10) : 40;
    if (text != NULL && (*text == '\0' || *end != '\0' || n < 4 || n > 400 || n % 4 != 0)) {
        fprintf(stderr, "--comparisons: '%s' is out of range; allowed: 4, 8, 12, ... 400\n", text);
        return PB_EXIT_USAGE;
    }
    s->comparisons = (unsigned)n;
    s->quiet = pb_args_value(args, "quiet") != NULL;
    return make_folder(pb_args_value(args, "out"), s);
}

int pb_selftest(const struct pb_args *args)
{
    static int (*const experiments[])(struct state *) = {try_twins, try_planted, try_busy};
    struct state s = {.failed = false};
    int code = parse(args, &s);
    for (size_t i = 0; code == PB_EXIT_GOOD && i < sizeof experiments / sizeof *experiments; i++) {
        code = experiments[i](&s);
        fflush(stdout);
    }
    if (s.folder[0] != '\0')
        fprintf(stderr, "runs  %s\n", s.folder);
    if (s.folder[0] != '\0' && code != PB_EXIT_GOOD)
        fputs("it did not reach its end and is not taken up; start it anew: poolbench selftest\n",
              stderr);
    if (code != PB_EXIT_GOOD)
        return code;
    printf("A sound instrument is within each bound with a chance of %.0f %% or more.\n",
           100 * (1 - PB_SELFTEST_ALPHA));
    puts(s.failed ? "This instrument is NOT to be trusted on this machine as it is."
                  : "This instrument tells what it should on this machine.");
    return s.failed ? PB_EXIT_FAILED : PB_EXIT_GOOD;
}
