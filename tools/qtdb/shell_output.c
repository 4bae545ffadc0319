/* CSV, JSON, lines and Markdown; see shell_output.h. A row is put together in `line` and written at once. */
#include "tools/qtdb/shell_output.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>

void
output_init(struct output *output, struct memory *memory, FILE *file)
{
    *output = (struct output){.memory = memory, .file = file, .header = true};
    text_buffer_init(&output->cells, memory);
    text_buffer_init(&output->line, memory);
    output->unicode = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    /* Widths of characters are wanted whatever the environment says. */
    if (!output->unicode && setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        (void)setlocale(LC_CTYPE, "C");
}

static void
forget_columns(struct output *output)
{
    memory_free(output->memory, MEMORY_OTHER, output->columns, output->columns_size);
    memory_free(output->memory, MEMORY_OTHER, output->names, output->names_size);
    output->columns = NULL;
    output->names = NULL;
    output->column_count = 0;
}

void
output_deinit(struct output *output)
{
    forget_columns(output);
    text_buffer_deinit(&output->cells);
    text_buffer_deinit(&output->line);
}

static bool
write_line(struct output *output)
{
    struct text_buffer *line = &output->line;
    bool ok = !line->failed && fwrite(line->bytes, 1, line->size, output->file) == line->size;

    text_buffer_reset(line);
    return ok;
}

/* The statement's names live only as long as it stands where it is, so they are copied. */
static bool
copy_columns(struct output *output, struct qtdb_statement *statement, uint32_t count)
{
    size_t size = 0;

    for (uint32_t i = 0; i < count; i++)
        size += strlen(qtdb_column_name(statement, i)) + 1;
    output->columns_size = (count + 1) * sizeof(*output->columns); /* None is fine. */
    output->names_size = size + 1;
    output->columns = memory_alloc(output->memory, MEMORY_OTHER, output->columns_size);
    output->names = memory_alloc(output->memory, MEMORY_OTHER, output->names_size);
    if (output->columns == NULL || output->names == NULL) {
        forget_columns(output);
        return false;
    }
    output->column_count = count;
    char *next = output->names;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = qtdb_column_name(statement, i);

        size_t name_size = strlen(name) + 1;

        memcpy(next, name, name_size);
        output->columns[i] =
            (struct output_column){.name = next, .type = qtdb_column_type(statement, i)};
        next += name_size;
    }
    return true;
}

/* Cells. */

static void
add_csv(struct text_buffer *line, const char *text, size_t size)
{
    bool plain = size > 0;

    for (size_t i = 0; i < size && plain; i++)
        plain = strchr("\",\r\n", text[i]) == NULL || text[i] == '\0';
    if (plain) {
        text_buffer_add(line, text, size);
        return;
    }
    text_buffer_add_char(line, '"');
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            text_buffer_add_char(line, '"');
        text_buffer_add_char(line, text[i]);
    }
    text_buffer_add_char(line, '"');
}

bool
output__is_number(enum qtdb_type type)
{
    return (type >= QTDB_TYPE_INT2 && type <= QTDB_TYPE_NUMERIC);
}

static void
add_json(struct text_buffer *line, enum qtdb_type type, const char *text, size_t size)
{
    bool is_finite = size > 0 && text[0] != 'N' && text[0] != 'I' &&
                     !(size > 1 && text[0] == '-' && text[1] == 'I');

    if (type == QTDB_TYPE_BOOL)
        text_buffer_add_text(line, text[0] == 't' ? "true" : "false");
    else if (type == QTDB_TYPE_JSON || type == QTDB_TYPE_JSONB ||
             (output__is_number(type) && is_finite))
        text_buffer_add(line, text, size);
    else
        text_buffer_add_json(line, text, size);
}

/* Rows. */

static bool
csv_row(struct output *output, struct qtdb_statement *statement)
{
    for (uint32_t i = 0; i < output->column_count; i++) {
        size_t size = 0;
        const char *text = qtdb_column_text(statement, i, &size);

        if (i > 0)
            text_buffer_add_char(&output->line, ',');
        if (text != NULL)
            add_csv(&output->line, text, size);
    }
    text_buffer_add_char(&output->line, '\n');
    return write_line(output);
}

static bool
json_row(struct output *output, struct qtdb_statement *statement)
{
    text_buffer_add_text(&output->line, output->row_count == 0 ? "[{" : ",\n {");
    for (uint32_t i = 0; i < output->column_count; i++) {
        const struct output_column *column = &output->columns[i];
        size_t size = 0;
        const char *text = qtdb_column_text(statement, i, &size);

        if (i > 0)
            text_buffer_add_text(&output->line, ", ");
        text_buffer_add_json(&output->line, column->name, strlen(column->name));
        text_buffer_add_text(&output->line, ": ");
        if (text == NULL)
            text_buffer_add_text(&output->line, "null");
        else
            add_json(&output->line, column->type, text, size);
    }
    text_buffer_add_char(&output->line, '}');
    return write_line(output);
}

static bool
line_row(struct output *output, struct qtdb_statement *statement)
{
    size_t width = 0;

    for (uint32_t i = 0; i < output->column_count; i++) {
        size_t size = strlen(output->columns[i].name);

        width = size > width ? size : width;
    }
    if (output->row_count > 0)
        text_buffer_add_char(&output->line, '\n');
    for (uint32_t i = 0; i < output->column_count; i++) {
        size_t size = 0;
        const char *text = qtdb_column_text(statement, i, &size);

        text_buffer_print(&output->line, "%*s = ", (int)width, output->columns[i].name);
        text_buffer_add(&output->line, text != NULL ? text : "NULL", text != NULL ? size : 4);
        text_buffer_add_char(&output->line, '\n');
    }
    return write_line(output);
}

/* A cell of a Markdown table: its bars and line ends would end it. */
static void
add_markdown(struct text_buffer *line, const char *text, size_t size)
{
    text_buffer_add_text(line, "| ");
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '|' || text[i] == '\\')
            text_buffer_add_char(line, '\\');
        if (text[i] == '\n')
            text_buffer_add_text(line, "<br>");
        else if (text[i] != '\r')
            text_buffer_add_char(line, text[i]);
    }
    text_buffer_add_char(line, ' ');
}

static bool
markdown_row(struct output *output, struct qtdb_statement *statement)
{
    for (uint32_t i = 0; i < output->column_count; i++) {
        size_t size = 0;
        const char *text = qtdb_column_text(statement, i, &size);

        add_markdown(&output->line, text != NULL ? text : "NULL", text != NULL ? size : 4);
    }
    text_buffer_add_text(&output->line, "|\n");
    return write_line(output);
}

/* Without a header its names are empty: a Markdown table has to have one. */
static bool
markdown_head(struct output *output)
{
    for (uint32_t i = 0; i < output->column_count; i++) {
        const char *name = output->header ? output->columns[i].name : "";

        add_markdown(&output->line, name, strlen(name));
    }
    text_buffer_add_text(&output->line, "|\n");
    for (uint32_t i = 0; i < output->column_count; i++)
        text_buffer_add_text(&output->line,
                             output__is_number(output->columns[i].type) ? "|--:" : "|---");
    text_buffer_add_text(&output->line, "|\n");
    return output->column_count == 0 || write_line(output);
}

bool
output_begin(struct output *output, struct qtdb_statement *statement)
{
    forget_columns(output);
    text_buffer_reset(&output->cells);
    output->pending = 0;
    output->headed = false;
    output->row_count = 0;
    if (!copy_columns(output, statement, qtdb_column_count(statement)))
        return false;
    if (output->mode == OUTPUT_MARKDOWN)
        return markdown_head(output);
    if (output->mode != OUTPUT_CSV || !output->header)
        return true;
    for (uint32_t i = 0; i < output->column_count; i++) {
        if (i > 0)
            text_buffer_add_char(&output->line, ',');
        add_csv(&output->line, output->columns[i].name, strlen(output->columns[i].name));
    }
    text_buffer_add_char(&output->line, '\n');
    return write_line(output);
}

bool
output_row(struct output *output, struct qtdb_statement *statement)
{
    bool (*const rows[])(struct output *, struct qtdb_statement *) = {
        output__box_row, csv_row, json_row, line_row, markdown_row};
    bool ok = rows[output->mode](output, statement);

    output->row_count++;
    return ok;
}

bool
output_end(struct output *output, bool rows_shown)
{
    bool ok = true;

    if (output->mode == OUTPUT_JSON)
        ok = fputs(output->row_count == 0 ? "[]\n" : "]\n", output->file) >= 0;
    if (output->mode == OUTPUT_BOX) {
        ok = output__box_end(output);
        if (ok && rows_shown)
            ok = fprintf(output->file, "(%llu row%s)\n", (unsigned long long)output->row_count,
                         output->row_count == 1 ? "" : "s") >= 0;
    }
    return fflush(output->file) == 0 && ok;
}
