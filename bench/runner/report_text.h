/* SPDX-License-Identifier: MIT */
/* Text of others made safe for where it is printed: names come from files, and a file may be
 * hostile. Every function takes UTF-8; what is not UTF-8 and every control character becomes '?'.
 * Threads: pure functions, except those that write to the stream they are given. */
#ifndef PB_REPORT_TEXT_H
#define PB_REPORT_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Copies `text` cleaned; cut between characters when `size` is too small. Returns the bytes written
 * without the terminator. */
size_t pb_text_clean(const char *text, char *out, size_t size);

/* Characters of a clean text; each is taken to be one column wide. */
size_t pb_text_width(const char *text);

/* Cleans and cuts to at most `width` >= 1 characters; a cut is shown by an ellipsis. */
void pb_text_fit(const char *text, size_t width, char *out, size_t size);

/* The same, cut in the middle: the last option of a variant, from its comma or colon on, stays
 * whole where it takes no more than two thirds of the width. */
void pb_text_fit_middle(const char *text, size_t width, char *out, size_t size);

/* Writes `text` cleaned, from column `at` on, broken between words so that no line is longer than
 * `width` (0: no limit); what follows begins at column `indent`. A word longer than a line is
 * broken within. No newline at the end. */
void pb_text_wrap(FILE *out, const char *text, size_t at, size_t indent, size_t width);

/* Writes one field: quoted for CSV where RFC 4180 asks for it; with the characters that Markdown
 * and HTML read escaped; for the text of an XML element; for one field of a tab-separated file that
 * gnuplot reads (its quote signs become typographic). */
void pb_text_csv(FILE *out, const char *text);
void pb_text_markdown(FILE *out, const char *text);
void pb_text_xml(FILE *out, const char *text);
void pb_text_tsv(FILE *out, const char *text);

/* Writes a single-quoted gnuplot string, in which nothing is expanded. */
void pb_text_gnuplot(FILE *out, const char *text);

/* Three significant digits without an exponent; "-" for a NAN. */
void pb_text_number(double value, char *out, size_t size);

/* A value with its unit: "4.20 MiB" for "bytes", "12.3 M" for "1/s", else as pb_text_number. */
void pb_text_value(double value, const char *unit, char *out, size_t size);

/* "1 thread", "2 threads". */
void pb_text_count(unsigned long n, const char *noun, char *out, size_t size);

/* The heading of a comparison group: "pair/size:64/threads:2" reads "pair, size=64, 2 threads". */
void pb_text_group(const char *group, char *out, size_t size);

#endif
