/* SPDX-License-Identifier: MIT */
/* A run as a table, JSON, CSV or Markdown: digests it and hands it to the writer. See report.h. */
#include "runner/report.h"

#include "runner/report_internal.h"

#include <errno.h>

static int report_digest(const struct pb_run *run, const struct pb_report_options *options,
                         struct pb_summary *summary, char *message, size_t size)
{
    const char *metric = options->metric != NULL ? options->metric : PB_KEY_TIME;
    return pb_summary_make(run, metric, options->reference, summary, message, size);
}

int pb_report_check(const struct pb_run *run, const struct pb_report_options *options,
                    char *message, size_t message_size)
{
    struct pb_summary summary;
    int error = report_digest(run, options, &summary, message, message_size);
    pb_summary_free(&summary);
    return error;
}

int pb_report(const struct pb_run *run, const struct pb_report_options *options, FILE *out)
{
    static pb_report_writer *const writers[] = {
        [PB_REPORT_TABLE] = pb_report_table,
        [PB_REPORT_JSON] = pb_report_json,
        [PB_REPORT_CSV] = pb_report_csv,
        [PB_REPORT_MARKDOWN] = pb_report_markdown,
    };
    struct pb_summary summary;
    struct pb_notes notes = {0};
    char message[1024];
    int error = report_digest(run, options, &summary, message, sizeof message);
    if (error == 0)
        error = pb_summary_bootstrap(&summary);
    if (error != 0)
        goto out_summary;
    pb_notes_run(&notes, &summary);
    pb_notes_switches(&notes, &summary);
    pb_notes_words(&notes, &summary);
    error = notes.error;
    if (error == 0)
        error = writers[options->format](&(struct pb_report_job){options, &summary, &notes, out});
    if (error == 0 && (fflush(out) != 0 || ferror(out)))
        error = -EIO;
    pb_notes_free(&notes);
out_summary:
    pb_summary_free(&summary);
    return error;
}
