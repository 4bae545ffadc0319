/*
 * Boxes. The first block of rows decides the widths; a later cell that is wider pushes its row out of
 * line. Characters that would break the box (line ends, tabs, controls) are shown as escapes. Width
 * is what the terminal gives a character, not its bytes.
 */
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "tools/qtdb/shell_output.h"

enum { BLOCK_ROWS = 1000, BLOCK_SIZE = 1024 * 1024 };

/* Left, inner and right corner, and the line, of top, middle and bottom; then the upright. */
struct frame {
    const char *corners[3][3];
    const char *line;
    const char *upright;
};

static const struct frame plain_frame = {
    {{"+", "+", "+"}, {"+", "+", "+"}, {"+", "+", "+"}}, "-", "|"};
static const struct frame drawn_frame = {{{"\342\224\214", "\342\224\254", "\342\224\220"},
                                          {"\342\224\234", "\342\224\274", "\342\224\244"},
                                          {"\342\224\224", "\342\224\264", "\342\224\230"}},
                                         "\342\224\200",
                                         "\342\224\202"};

static const struct frame *
frame_of(const struct output *output)
{
    return output->unicode ? &drawn_frame : &plain_frame;
}

size_t
output_width(const char *text, size_t size)
{
    mbstate_t state = {0};
    size_t width = 0;

    for (size_t i = 0; i < size;) {
        wchar_t wide = L'\0';
        size_t length = mbrtowc(&wide, text + i, size - i, &state);
        int columns = 1;

        if (length == 0 || length > size) {
            length = 1;
            memset(&state, 0, sizeof(state));
        } else {
            columns = wcwidth(wide);
        }
        width += columns < 0 ? 1 : (size_t)columns;
        i += length;
    }
    return width;
}

static void
add_cell(struct text_buffer *cells, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char one = (unsigned char)text[i];

        if (one == '\n')
            text_buffer_add_text(cells, "\\n");
        else if (one == '\t')
            text_buffer_add_text(cells, "\\t");
        else if (one < 0x20 || one == 0x7f)
            text_buffer_print(cells, "\\x%02x", one);
        else
            text_buffer_add_char(cells, text[i]);
    }
    text_buffer_add_char(cells, '\0');
}

/* Drawing. */

static void
add_rule(struct output *output, int which)
{
    const struct frame *frame = frame_of(output);
    struct text_buffer *line = &output->line;

    for (uint32_t i = 0; i < output->column_count; i++) {
        text_buffer_add_text(line, frame->corners[which][i > 0]);
        for (size_t k = 0; k < output->columns[i].width + 2; k++)
            text_buffer_add_text(line, frame->line);
    }
    text_buffer_add_text(line, frame->corners[which][2]);
    text_buffer_add_char(line, '\n');
}

static void
add_padded(struct text_buffer *line, const char *text, size_t width, bool right)
{
    size_t used = output_width(text, strlen(text));
    size_t blanks = used < width ? width - used : 0;

    for (size_t i = 0; right && i < blanks; i++)
        text_buffer_add_char(line, ' ');
    text_buffer_add_text(line, text);
    for (size_t i = 0; !right && i < blanks; i++)
        text_buffer_add_char(line, ' ');
}

static bool
write_text(struct output *output)
{
    struct text_buffer *line = &output->line;
    bool ok = !line->failed && fwrite(line->bytes, 1, line->size, output->file) == line->size;

    text_buffer_reset(line);
    return ok;
}

static bool
write_head(struct output *output)
{
    const struct frame *frame = frame_of(output);

    add_rule(output, 0);
    if (output->header) {
        for (uint32_t i = 0; i < output->column_count; i++) {
            text_buffer_print(&output->line, "%s ", frame->upright);
            add_padded(&output->line, output->columns[i].name, output->columns[i].width, false);
            text_buffer_add_char(&output->line, ' ');
        }
        text_buffer_print(&output->line, "%s\n", frame->upright);
        add_rule(output, 1);
    }
    return write_text(output);
}

static void
fix_widths(struct output *output)
{
    const char *cell = output->cells.bytes;

    for (uint32_t i = 0; i < output->column_count; i++)
        output->columns[i].width =
            output->header ? output_width(output->columns[i].name, strlen(output->columns[i].name))
                           : 1;
    for (uint64_t row = 0; row < output->pending; row++) {
        for (uint32_t i = 0; i < output->column_count; i++) {
            size_t width = output_width(cell, strlen(cell));

            if (width > output->columns[i].width)
                output->columns[i].width = width;
            cell += strlen(cell) + 1;
        }
    }
}

static bool
flush_block(struct output *output)
{
    const struct frame *frame = frame_of(output);
    const char *cell = output->cells.bytes;
    bool ok = !output->cells.failed;

    if (ok && !output->headed) {
        fix_widths(output);
        output->headed = true;
        ok = write_head(output);
    }
    for (uint64_t row = 0; ok && row < output->pending; row++) {
        for (uint32_t i = 0; i < output->column_count; i++) {
            const struct output_column *column = &output->columns[i];

            text_buffer_print(&output->line, "%s ", frame->upright);
            add_padded(&output->line, cell, column->width, output__is_number(column->type));
            text_buffer_add_char(&output->line, ' ');
            cell += strlen(cell) + 1;
        }
        text_buffer_print(&output->line, "%s\n", frame->upright);
        ok = write_text(output);
    }
    text_buffer_reset(&output->cells);
    output->pending = 0;
    return ok;
}

bool
output__box_row(struct output *output, struct qtdb_statement *statement)
{
    for (uint32_t i = 0; i < output->column_count; i++) {
        size_t size = 0;
        const char *text = qtdb_column_text(statement, i, &size);

        add_cell(&output->cells, text != NULL ? text : "NULL", text != NULL ? size : 4);
    }
    output->pending++;
    if (output->pending < BLOCK_ROWS && output->cells.size < BLOCK_SIZE)
        return true;
    return flush_block(output);
}

bool
output__box_end(struct output *output)
{
    if (!flush_block(output))
        return false;
    add_rule(output, 2);
    return write_text(output);
}
