/* SPDX-License-Identifier: MIT */
/* The verbs of poolbench and their options, as tables, and what each of them calls. Data go to
 * standard output, everything else to standard error. */
#include "runner/verbs.h"

#include "runner/args.h"
#include "runner/baseline.h"
#include "runner/child.h"
#include "runner/describe.h"
#include "runner/doctor.h"
#include "runner/figures.h"
#include "runner/machine.h"
#include "runner/poolmon.h"
#include "runner/preload.h"
#include "runner/report.h"
#include "runner/runner.h"
#include "runner/selftest.h"
#include "runner/verbs_shared.h"
#include "trace/trace.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The run that this process made, "" if none: its records outlive a broken standard output. */
static char run_made[PATH_MAX];

/* Why standard output broke, where that was seen before the end; a later flush has forgotten it. */
static int output_error;

/* What the command line says of the matrix, by the matrix's own keys; repeated options gather. */
static json_t *matrix_options(const struct pb_args *args)
{
    json_t *options = json_object();
    for (size_t i = 0; i < args->given_n; i++) {
        const char *value = args->given[i].value;
        char key[32] = "";
        if (strcmp(args->given[i].flag->verbs, PB_VERBS_OF_MATRIX) != 0)
            continue;
        snprintf(key, sizeof key, "%s", args->given[i].flag->name);
        for (char *at = key; (at = strchr(at, '-')) != NULL;)
            *at = '_';
        json_t *before = json_object_get(options, key);
        if (strcmp(key, "set") != 0)
            json_object_set_new(options, key, json_string(value));
        else if (before == NULL)
            json_object_set_new(options, key, json_pack("[s]", value));
        else
            json_array_append_new(before, json_string(value));
    }
    return options;
}

static int print_report(const struct pb_run *run, const struct pb_args *args)
{
    char message[PB_VERB_MESSAGE_MAX] = "";
    struct pb_variant variant;
    int format = pb_verb_format(pb_args_value(args, "format"));
    struct pb_report_options options = {
        .reference = pb_verb_variant(pb_args_value(args, "reference"), &variant),
        .metric = pb_args_value(args, "metric"),
        .format = (enum pb_report_format)format,
        .colour = pb_verb_colour(pb_args_value(args, "color"), stdout),
        .width = pb_verb_columns(stdout)};
    if (strcmp(args->verb->name, "report") != 0)
        options.reference = NULL; /* the run has it already */
    if (pb_report_check(run, &options, message, sizeof message) != 0)
        return pb_verb_complain(message, PB_EXIT_USAGE);
    errno = 0;
    int error = pb_report(run, &options, stdout);
    if (ferror(stdout)) { /* said once, at the end */
        output_error = errno;
        return 0;
    }
    return error == 0 ? 0 : pb_verb_complain(strerror(-error), PB_EXIT_USAGE);
}

static int draw(const struct pb_run *run, const char *const *names, const char *reference,
                const char *out)
{
    char folder[PATH_MAX], message[PB_VERB_MESSAGE_MAX] = "";
    snprintf(folder, sizeof folder, "%s/plots", run->folder);
    int error = pb_figures(run, names, reference, out != NULL ? out : folder, stderr, message,
                           sizeof message);
    if (error != 0)
        return pb_verb_complain(message, error == -EINVAL ? PB_EXIT_USAGE : PB_EXIT_MACHINE);
    return 0;
}

/* --- verbs ------------------------------------------------------------------------------------ */

static int verb_list(const struct pb_args *args)
{
    char message[PB_VERB_MESSAGE_MAX] = "";
    int error = pb_list(args->rest, (size_t)args->rest_n, pb_args_value(args, "json") != NULL,
                        stdout, message, sizeof message);
    return error == 0 ? 0 : pb_verb_complain(message, PB_EXIT_USAGE);
}

static int verb_describe(const struct pb_args *args)
{
    char message[PB_VERB_MESSAGE_MAX] = "";
    int error = pb_describe(args->rest[0], stdout, message, sizeof message);
    return error == 0 ? 0 : pb_verb_complain(message, PB_EXIT_USAGE);
}

static struct pb_request request_of(const struct pb_args *args)
{
    return (struct pb_request){.matrix = args->rest_n > 0 ? args->rest[0] : "quick",
                               .options = matrix_options(args),
                               .out = pb_args_value(args, "out"),
                               .program = PB_SELF,
                               .quiet = pb_args_value(args, "quiet") != NULL,
                               .json = pb_args_value(args, "json") != NULL,
                               .strict = pb_args_value(args, "strict-env") != NULL};
}

static int verb_plan(const struct pb_args *args)
{
    struct pb_request request = request_of(args);
    int code = pb_runner_plan(&request, stdout);
    json_decref(request.options);
    return code;
}

/* What a run ends with: the table, the figures if they were asked for, and where everything is. */
static int show(const struct pb_args *args, const char *folder, int code)
{
    struct pb_run *run = NULL;
    if (folder[0] == '\0')
        return code;
    snprintf(run_made, sizeof run_made, "%s", folder);
    int shown = pb_verb_load(folder, &run);
    if (shown == 0)
        shown = print_report(run, args);
    if (shown == 0 && pb_args_value(args, "figures") != NULL && code != PB_EXIT_INTERRUPTED)
        shown = draw(run, NULL, NULL, NULL);
    pb_run_free(run);
    fprintf(stderr, "records  %s/records.jsonl\n", folder);
    fprintf(stderr,
            pb_args_value(args, "figures") != NULL ? "figures  %s/plots\n"
                                                   : "figures  poolbench plot %s\n",
            folder);
    return code != PB_EXIT_GOOD ? code : shown;
}

static int check_table(const struct pb_args *args)
{
    const char *metric = pb_args_value(args, "metric");
    if (pb_verb_check(args) != 0)
        return PB_EXIT_USAGE;
    if (metric != NULL && pb_metric_index(metric) < 0) {
        fprintf(stderr,
                "--metric: there is no metric '%s'; 'poolbench describe PROBE' shows them\n",
                metric);
        return PB_EXIT_USAGE;
    }
    return 0;
}

static int verb_run(const struct pb_args *args)
{
    char folder[PATH_MAX];
    if (check_table(args) != 0)
        return PB_EXIT_USAGE;
    struct pb_request request = request_of(args);
    int code = pb_runner_run(&request, folder, sizeof folder);
    json_decref(request.options);
    return show(args, folder, code);
}

static int verb_resume(const struct pb_args *args)
{
    char folder[PATH_MAX], run[PATH_MAX], message[PB_VERB_MESSAGE_MAX] = "";
    if (check_table(args) != 0)
        return PB_EXIT_USAGE;
    if (pb_baseline_resolve(args->rest[0], run, sizeof run, message, sizeof message) != 0)
        return pb_verb_complain(message, PB_EXIT_USAGE);
    const struct pb_taking_up how = {.run = run,
                                     .program = PB_SELF,
                                     .quiet = pb_args_value(args, "quiet") != NULL,
                                     .retry_failed = pb_args_value(args, "retry-failed") != NULL};
    int code = pb_runner_resume(&how, folder, sizeof folder);
    return show(args, folder, code);
}

static int verb_report(const struct pb_args *args)
{
    struct pb_run *run = NULL;
    if (pb_verb_check(args) != 0)
        return PB_EXIT_USAGE;
    int code = pb_verb_load(args->rest_n > 0 ? args->rest[0] : NULL, &run);
    if (code == 0)
        code = print_report(run, args);
    pb_run_free(run);
    return code;
}

static int verb_plot(const struct pb_args *args)
{
    struct pb_run *run = NULL;
    struct pb_variant variant;
    int code = pb_verb_load(args->rest_n > 0 ? args->rest[0] : NULL, &run);
    if (code == 0) /* getopt leaves a NULL behind the last argument */
        code = draw(run, args->rest_n > 0 ? (const char *const *)args->rest + 1 : NULL,
                    pb_verb_variant(pb_args_value(args, "reference"), &variant),
                    pb_args_value(args, "out"));
    pb_run_free(run);
    return code;
}

static int verb_doctor(const struct pb_args *args)
{
    char line[PB_VERB_MESSAGE_MAX * 2];
    const struct pb_doctor_request request = {.program = PB_SELF,
                                              .json = pb_args_value(args, "json") != NULL,
                                              .strict = pb_args_value(args, "strict-env") != NULL};
    return pb_doctor(&request, stdout, line, sizeof line) ? PB_EXIT_GOOD
                                                          : pb_verb_complain(line, PB_EXIT_MACHINE);
}

static int verb_answer(const struct pb_args *args)
{
    return pb_preload_answer(args->rest[0], stdout) == 0 ? PB_EXIT_GOOD : PB_EXIT_MACHINE;
}

static int verb_child(const struct pb_args *args)
{
    (void)args;
    return pb_child_run(STDIN_FILENO, STDOUT_FILENO);
}

static const struct pb_verb verbs[] = {
    {"list", "[KIND...]", 0, 16,
     "what there is: strategies, workloads, probes, policies, matrices, figures", NULL, verb_list},
    {"describe", "NAME", 1, 1, "all about a strategy, workload, probe, metric or policy", NULL,
     verb_describe},
    {"plan", "[MATRIX]", 0, 1,
     "the cells of a matrix, their order, what is skipped and why, and how long",
     "MATRIX is a name (quick, standard) or a file; quick if it is left out.", verb_plan},
    {"run", "[MATRIX]", 0, 1, "run a matrix and print the table",
     "MATRIX is a name (quick, standard) or a file; quick if it is left out.\n"
     "An [[include]] of the matrix keeps the axes that it names itself.\n"
     "The first Ctrl-C ends after the current repetition, the second at once.",
     verb_run},
    {"resume", "RUN", 1, 1, "run what is missing in a run",
     "RUN is a folder, a name under results, or @BASELINE.", verb_resume},
    {"report", "[RUN]", 0, 1, "the table of a run, or its figures as data",
     "RUN is a folder, a name under results, or @BASELINE; the newest if it is left out.",
     verb_report},
    {"plot", "[RUN [FIGURE...]]", 0, 32, "draw the figures of a run (SVG, PNG, and their data)",
     "RUN is a folder, a name under results, or @BASELINE; the newest if it is left out.",
     verb_plot},
    {"compare", "BASE [NEW]", 1, 2, "two runs, or two variants of one run, and a gate for builds",
     "BASE and NEW are runs (a folder, a name under results, @BASELINE; NEW: the newest if it is\n"
     "left out), or variants of them: RUN:VARIANT. Ratios are NEW over BASE.\n"
     "Variants of one run are paired by block. Two runs are two sessions: the machine's drift\n"
     "between them is in the ratio. Machines, builds, seeds and work that differ are refused.\n"
     "A threshold is broken when the interval, made wide enough for the number of comparisons\n"
     "(Holm), lies wholly beyond it on the bad side, with 6 values or more on each side, and the\n"
     "change is larger than that between the A/A twins. With --fail-on and no regression, exit\n"
     "code 3 says that NEW lost cells of BASE, or repetitions of them; 5: nothing was compared, "
     "or\n"
     "some of it cannot be judged: too few values for so many comparisons, no ratio, or more than\n"
     "half of a cell's repetitions disturbed.",
     pb_verb_compare},
    {"baseline", "set NAME RUN | list | remove NAME", 1, 3, "names for runs to compare with: @NAME",
     "A baseline is a file of one line in results/baselines; commit it to share it.",
     pb_verb_baseline},
    {"export", "[RUN]", 0, 1, "a run in the formats of other programs",
     "RUN is a folder, a name under results or @BASELINE; the newest if it is left out. Runs of "
     "debug\n"
     "and sanitizer builds are refused (exit code 4). Values of histograms are nanoseconds. "
     "Formats:\n"
     "gb           Google Benchmark's JSON, every repetition: compare.py, Conbench\n"
     "gb-medians   the same, one entry a cell: github-action-benchmark\n"
     "csv          a row a repetition and metric (RFC 4180)\n"
     "md           the report as Markdown\n"
     "hgrm         HdrHistogram percentile distributions; with -o a folder, a file each\n"
     "hlog         HdrHistogram interval log, V2 compressed\n"
     "bmf          Bencher Metric Format: medians with their intervals\n"
     "openmetrics  OpenMetrics text: medians with their intervals",
     pb_verb_export},
    {"index", "[RUN...]", 0, 64, "bring results/index.sqlite up to date and list its runs",
     "The index is made from the records, for questions across runs (sqlite3; the tables are in\n"
     "results/index.sql). RUN is a folder, a name under results, or\n"
     "@BASELINE; without any, all under results. Runs elsewhere, once named, stay in it.",
     pb_verb_index},
    {"poolmon", "TARGET", 1, 1, "who allocated how much, by pool tag",
     "TARGET is a run with variants that have tags=on: while it goes on, the cell at work; else "
     "its\n"
     "records, all repetitions of a cell together. Tags w000, w001, ... are the workers.\n"
     "Or it is the file that PB_POOLMON named to a program that uses <poolbench/ntmm.h>.",
     pb_poolmon},
    {"selftest", "", 0, 0,
     "try the instrument on differences that are known: none, 3 %, 10 %, and a busy neighbour",
     "A run of its own for each experiment; five minutes or more. Exit code 3: it did not tell "
     "what it "
     "should.",
     pb_selftest},
    {"doctor", "", 0, 0, "what of this machine helps or hinders, what is missing, how to change it",
     NULL, verb_doctor},
    {"child", "", 0, 0, NULL, NULL, verb_child},
    {PB_PRELOAD_VERB, "LIBRARY", 1, 1, NULL, NULL, verb_answer},
    {0},
};

static const char exits[] = "  0    good\n"
                            "  1    a regression was found\n"
                            "  2    usage or configuration error\n"
                            "  3    some cells failed; the rest is kept\n"
                            "  4    the machine lacks what is needed\n"
                            "  5    nothing matched, or a gate cannot judge\n"
                            "  130  interrupted; 'resume' goes on\n";

/* Whatever the verb was: what it printed must have arrived. */
static int finish(int code)
{
    int error = fflush(stdout) != 0 ? errno : 0;
    if (error == 0 && ferror(stdout))
        error = output_error != 0 ? output_error : EIO;
    if (error == 0)
        return code;
    fprintf(stderr, "standard output: %s", strerror(error));
    if (run_made[0] != '\0')
        fprintf(stderr, "; the records are safe, see poolbench report %s", run_made);
    fputc('\n', stderr);
    return PB_EXIT_MACHINE;
}

int pb_verbs_main(int argc, char **argv)
{
    char version[256];
    snprintf(version, sizeof version, "%s%s%s", pb_suite_version,
             pb_suite_sanitizer[0] != '\0' ? " sanitizer=" : "", pb_suite_sanitizer);
    const struct pb_program program = {.name = "poolbench",
                                       .version = version,
                                       .summary = "benchmarks of memory-allocator strategies",
                                       .verbs = verbs,
                                       .flags = pb_verb_flags,
                                       .exits = exits};
    pb_trace_set_folder(PB_SOURCE_DIR "/bench/traces");
    return finish(pb_args_main(&program, argc, argv));
}
