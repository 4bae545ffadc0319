/*
 * How rows look: in a box, as CSV, as JSON, one column a line or as a Markdown table. Rows are written as
 * they come; a box gathers a block of rows first and takes the columns' widths from it, so memory is
 * bounded.
 */
#ifndef TOOLS_QTDB_SHELL_OUTPUT_H
#define TOOLS_QTDB_SHELL_OUTPUT_H

#include <stdio.h>

#include "kernel/qtdb.h"
#include "tools/common/text_buffer.h"

enum output_mode {
    OUTPUT_BOX = 0,
    OUTPUT_CSV = 1,
    OUTPUT_JSON = 2,
    OUTPUT_LINE = 3,
    OUTPUT_MARKDOWN = 4,
    OUTPUT_MODE_COUNT = 5,
};

struct output_column {
    const char *name; /* In `names`. */
    enum qtdb_type type;
    size_t width; /* Of a box. */
};

struct output {
    struct memory *memory;
    FILE *file;
    enum output_mode mode;
    bool header;
    bool unicode; /* Boxes have lines instead of + - |. */
    uint32_t column_count;
    struct output_column *columns;
    size_t columns_size; /* Bytes of `columns`, of `names`. */
    size_t names_size;
    char *names;
    struct text_buffer cells; /* Of a box: NUL-terminated, row by row. */
    uint64_t pending;         /* Rows in `cells`. */
    bool headed;              /* The widths are fixed and the head is out. */
    uint64_t row_count;
    struct text_buffer line;
};

/** Takes the locale from the environment: whether boxes may be drawn with lines. */
void output_init(struct output *output, struct memory *memory, FILE *file);
void output_deinit(struct output *output);

/* One result: begin, its rows, end. False: no memory, or the file cannot be written. */
bool output_begin(struct output *output, struct qtdb_statement *statement);
bool output_row(struct output *output, struct qtdb_statement *statement);
/** `rows_shown`: a line with their number, in boxes. */
bool output_end(struct output *output, bool rows_shown);

/** Columns that the bytes take on a terminal. */
size_t output_width(const char *text, size_t size);

/* Inside: boxes (shell_box.c). */
bool output__box_row(struct output *output, struct qtdb_statement *statement);
bool output__box_end(struct output *output);
bool output__is_number(enum qtdb_type type);

#endif
