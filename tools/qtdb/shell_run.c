/*
 * Statements: running one, complaining about one, and taking them from texts, files and terminals.
 * Line numbers count from the beginning of the source; a statement's place is its first byte that is
 * not white space.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/common/sql_scan.h"
#include "tools/qtdb/shell.h"
#include "tools/qtdb/shell_edit.h"
#include "tools/qtdb/shell_words.h"

enum { READ_SIZE = 64 * 1024, EXCERPT_WIDTH = 120, PROGRESS_AFTER_NS = 500 * 1000 * 1000 };

/* Complaints. */

/* The line of the statement that holds the position; its number, and how far in it the position is. */
struct spot {
    const char *line;
    size_t line_size;
    uint64_t line_index;
    size_t offset; /* Bytes before the position in the line. */
};

static struct spot
find_spot(const char *sql, uint32_t position)
{
    struct spot spot = {.line = sql};
    const char *at = sql;

    for (uint32_t i = 1; i < position && *at != '\0'; i++) {
        if (*at == '\n') {
            spot.line = at + 1;
            spot.line_index++;
        }
        at++;
        while (((unsigned char)*at & 0xc0) == 0x80)
            at++;
    }
    spot.offset = (size_t)(at - spot.line);
    spot.line_size = strcspn(spot.line, "\n");
    return spot;
}

static void
print_caret(const char *sql, uint32_t position, uint64_t first_line)
{
    struct spot spot = find_spot(sql, position);
    size_t begin = 0, size = spot.line_size;

    if (spot.offset > EXCERPT_WIDTH / 2)
        begin = spot.offset - EXCERPT_WIDTH / 2;
    while (begin > 0 && ((unsigned char)spot.line[begin] & 0xc0) == 0x80)
        begin--;
    if (size - begin > EXCERPT_WIDTH)
        size = begin + EXCERPT_WIDTH;
    while (size < spot.line_size && ((unsigned char)spot.line[size] & 0xc0) == 0x80)
        size++;
    unsigned long long line = first_line + spot.line_index;
    int lead = fprintf(stderr, "LINE %llu: ", line);
    for (size_t i = begin; i < size; i++)
        (void)fputc(spot.line[i] == '\t' ? ' ' : spot.line[i], stderr);
    (void)fprintf(stderr, "\n%*s^\n",
                  lead + (int)output_width(spot.line + begin, spot.offset - begin), "");
}

static void
complain(struct shell *shell, const char *sql, const struct shell_place *place)
{
    const struct qtdb_error *error = qtdb_error_last();
    char where[IO_PATH_SIZE + 32] = "";

    shell->failed = true;
    if (place->file != NULL)
        (void)snprintf(where, sizeof(where), "%s:%llu: ", place->file,
                       (unsigned long long)place->line);
    tool_error(shell->tool, "%sERROR %s%s%s", where, error->sqlstate,
               error->sqlstate[0] != '\0' ? ": " : "", error->message);
    if (sql != NULL && error->position > 0)
        print_caret(sql, error->position, place->file != NULL ? place->line : 1);
}

/* Statements. */

/* A statement that takes long says how many rows it has read; a short one shows nothing. */
static bool
show_progress(void *context, uint64_t row_count)
{
    struct tool_progress *progress = context;

    if (tool_clock_ns() - progress->begin_ns > PROGRESS_AFTER_NS)
        tool_progress_at(progress, row_count);
    return true;
}

static bool
run_rows(struct shell *shell, struct qtdb_statement *statement, bool *shown_out)
{
    struct tool_progress progress;
    bool ok = true;

    tool_progress_begin(&progress, "reading", "rows", 0);
    if (shell->interactive)
        qtdb_session_set_progress(shell->session, show_progress, &progress);
    enum qtdb_code code = qtdb_step(statement);
    tool_progress_end(&progress);
    qtdb_session_set_progress(shell->session, NULL, NULL);
    *shown_out = code == QTDB_ROW || (code == QTDB_DONE && qtdb_column_count(statement) > 0);
    if (!*shown_out)
        return code == QTDB_DONE;
    ok = output_begin(&shell->output, statement);
    for (; ok && code == QTDB_ROW; code = qtdb_step(statement))
        ok = output_row(&shell->output, statement);
    if (!output_end(&shell->output, ok && code == QTDB_DONE) || !ok) {
        tool_error(shell->tool, "standard output: %s", strerror(errno));
        shell->failed = true;
        shell->quit = true;
        return true;
    }
    return code == QTDB_DONE;
}

/* From a signal handler. */
static void
interrupt(void *context)
{
    qtdb_interrupt(context);
}

bool
shell_run_statement(struct shell *shell, const char *sql, const struct shell_place *place)
{
    struct qtdb_statement *statement = NULL;
    uint64_t begin = tool_clock_ns();
    bool shown = false;

    if (qtdb_prepare(shell->session, sql, &statement, NULL) != QTDB_OK) {
        complain(shell, sql, place);
        return false;
    }
    if (statement == NULL)
        return true;
    shell_copy_begin(shell);
    shell_count_begin(shell);
    tool_on_stop(interrupt, shell->session);
    bool ok = run_rows(shell, statement, &shown);
    tool_on_stop(NULL, NULL);
    if (!ok)
        complain(shell, sql, place);
    else if (shell->interactive && !shown)
        printf("%s\n", qtdb_command_tag(statement));
    qtdb_finalize(statement);
    shell_count_end(shell);
    shell_copy_end(shell);
    tool_stop_clear();
    if (ok && shell->timer)
        printf("time %.3f ms\n", (double)(tool_clock_ns() - begin) / 1e6);
    return ok;
}

/* Sources. */

struct feed {
    struct shell *shell;
    struct sql_scan scan;
    struct text_buffer pending; /* What has come of the statement. */
    struct shell_place place;   /* Of the pending text's first byte. */
    bool keep_going;            /* After failures. */
};

static void
feed_init(struct feed *feed, struct shell *shell, const char *file, FILE *data)
{
    shell->data = (struct shell_data){.file = data};
    *feed = (struct feed){.shell = shell, .place = {.file = file, .line = 1}};
    sql_scan_init(&feed->scan);
    text_buffer_init(&feed->pending, shell->env.memory);
}

static uint64_t
count_lines(const char *text, size_t size)
{
    uint64_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n';
    return count;
}

/* Runs what is pending as one statement. */
static bool
feed_run(struct feed *feed)
{
    struct shell *shell = feed->shell;
    struct shell_place place = feed->place;
    bool ok = true;

    if (feed->pending.failed) {
        tool_error(shell->tool, "no memory for a statement of this length");
        shell->failed = true;
        ok = false;
    } else if (feed->pending.size > 0) {
        const char *sql = feed->pending.bytes;
        size_t blank = strspn(sql, " \t\r\n");

        place.line += count_lines(sql, blank);
        ok = shell_run_statement(shell, sql + blank, &place);
        feed->place.line += count_lines(sql, feed->pending.size) + shell->data.line_count;
        shell->data.line_count = 0;
    }
    text_buffer_reset(&feed->pending);
    sql_scan_init(&feed->scan);
    return ok;
}

/* True when a line that begins here is a command. */
static bool
is_command(const struct feed *feed, const char *line)
{
    line += strspn(line, " \t");
    return sql_scan_is_blank(&feed->scan) && (line[0] == '.' || line[0] == '\\');
}

/* One line, or a piece of a long one. False: a failure ends the source. */
static bool
feed_piece(struct feed *feed, const char *bytes, size_t size)
{
    while (size > 0 && !feed->shell->quit) {
        bool ended = false;
        size_t taken = sql_scan_feed(&feed->scan, bytes, size, &ended);

        text_buffer_add(&feed->pending, bytes, taken);
        bytes += taken;
        size -= taken;
        if (ended && !feed_run(feed) && !feed->keep_going)
            return false;
    }
    return true;
}

static bool
feed_line(struct feed *feed, const char *line, size_t size, bool line_begins)
{
    if (!line_begins || !is_command(feed, line))
        return feed_piece(feed, line, size);
    feed->place.line += count_lines(feed->pending.bytes, feed->pending.size);
    text_buffer_reset(&feed->pending);
    sql_scan_init(&feed->scan);
    bool ok = shell_command(feed->shell, line + strspn(line, " \t"), &feed->place);
    feed->place.line += 1 + feed->shell->data.line_count;
    feed->shell->data.line_count = 0;
    return ok || feed->keep_going;
}

static bool
feed_end(struct feed *feed, bool ok)
{
    if (ok && !feed->shell->quit && !sql_scan_is_blank(&feed->scan))
        ok = feed_run(feed);
    text_buffer_deinit(&feed->pending);
    return ok;
}

bool
shell_run_text(struct shell *shell, const char *text, size_t size)
{
    struct feed feed;
    bool ok = true;

    feed_init(&feed, shell, NULL, stdin);
    while (ok && size > 0 && !shell->quit) {
        size_t line = strcspn(text, "\n") + 1;

        line = line < size ? line : size;
        if (is_command(&feed, text)) {
            struct text_buffer copy;

            text_buffer_init(&copy, shell->env.memory);
            text_buffer_add(&copy, text, line);
            ok = !copy.failed && feed_line(&feed, copy.bytes, copy.size, true);
            text_buffer_deinit(&copy);
        } else {
            ok = feed_line(&feed, text, line, false);
        }
        text += line;
        size -= line;
    }
    return feed_end(&feed, ok);
}

bool
shell_run_file(struct shell *shell, FILE *file, const char *name)
{
    char *piece = memory_alloc(shell->env.memory, MEMORY_OTHER, READ_SIZE);
    struct feed feed;
    bool ok = piece != NULL, begins = true;

    feed_init(&feed, shell, name != NULL ? name : "stdin", file);
    while (ok && !shell->quit && fgets(piece, READ_SIZE, file) != NULL) {
        size_t size = strlen(piece);

        ok = feed_line(&feed, piece, size, begins);
        begins = size > 0 && piece[size - 1] == '\n';
    }
    if (ok && ferror(file)) {
        tool_error(shell->tool, "%s: %s", feed.place.file, strerror(errno));
        shell->failed = true;
        ok = false;
    }
    memory_free(shell->env.memory, MEMORY_OTHER, piece, READ_SIZE);
    return feed_end(&feed, ok);
}

bool
shell_run_named(struct shell *shell, const char *name)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");

    if (file == NULL) {
        tool_error(shell->tool, "%s: %s", name, strerror(errno));
        shell->failed = true;
        return false;
    }
    bool ok = shell_run_file(shell, file, file == stdin ? NULL : name);
    if (file != stdin)
        (void)fclose(file);
    return ok;
}

static void
complete(void *context, const char *line, size_t size, struct text_buffer *insert,
         struct text_buffer *list)
{
    shell_complete(context, line, size, insert, list);
}

void
shell_run_terminal(struct shell *shell)
{
    struct shell_edit_options options = {.name = shell->tool->name,
                                         .memory = shell->env.memory,
                                         .complete = complete,
                                         .context = shell,
                                         .colour = tool_has_colour(stdout) ? shell_colour : NULL};
    struct shell_edit *edit = NULL;
    struct feed feed;

    if (!shell_edit_open(&options, &edit)) {
        (void)shell_run_file(shell, stdin, NULL);
        return;
    }
    feed_init(&feed, shell, NULL, NULL);
    shell->data.edit = edit;
    feed.keep_going = true;
    tool_catch_stop();
    while (!shell->quit) {
        bool fresh = sql_scan_is_blank(&feed.scan);
        const char *line = shell_edit_line(edit, fresh ? "qtdb> " : "  ..> ");

        if (line == NULL && tool_stop_requested()) {
            tool_stop_clear();
            text_buffer_reset(&feed.pending);
            sql_scan_init(&feed.scan);
            (void)fputc('\n', stdout);
            continue;
        }
        if (line == NULL)
            break;
        (void)feed_line(&feed, line, strlen(line), true);
    }
    if (!shell->quit)
        (void)fputc('\n', stdout);
    text_buffer_deinit(&feed.pending);
    shell_edit_close(edit);
}
