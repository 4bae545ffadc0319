/*
 * COPY's data in the shell. COPY FROM STDIN takes the lines that follow the statement in its source, up to
 * a line \. of its own; \copy puts a file of the shell's in their place. Lines are handed out one by one,
 * so that nothing behind the mark is taken.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb/shell.h"
#include "tools/qtdb/shell_edit.h"

/* Data. */

/* Follows what is handed out: lines, and whether one of them was the mark. */
static void
note(struct shell_data *data, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!data->inside)
            data->line_size = 0;
        if (data->line_size < sizeof(data->head))
            data->head[data->line_size] = bytes[i];
        data->inside = bytes[i] != '\n';
        data->line_size += bytes[i] != '\r' && bytes[i] != '\n';
        if (data->inside)
            continue;
        data->line_count++;
        data->ended = data->line_size == 2 && memcmp(data->head, "\\.", 2) == 0;
    }
}

static size_t
read_file(FILE *file, char *out, size_t size)
{
    size_t used = 0;
    int c = 0;

    while (used < size && c != '\n' && (c = getc(file)) != EOF)
        out[used++] = (char)c;
    return used;
}

static bool
read_terminal(struct shell_data *data, char *out, size_t size, size_t *size_out)
{
    if (data->rest == NULL || data->rest[0] == '\0')
        data->rest = shell_edit_line(data->edit, ">> ");
    if (data->rest == NULL)
        return !tool_stop_requested();
    *size_out = strnlen(data->rest, size);
    memcpy(out, data->rest, *size_out);
    data->rest += *size_out;
    return true;
}

static bool
read_data(void *context, void *bytes, size_t size, size_t *size_out)
{
    struct shell *shell = context;
    struct shell_data *data = &shell->data;

    *size_out = 0;
    data->begun = true;
    if (data->ended)
        return true;
    if (data->file == NULL && !read_terminal(data, bytes, size, size_out))
        return false;
    if (data->file != NULL)
        *size_out = read_file(data->file, bytes, size);
    if (data->file != NULL && ferror(data->file)) {
        tool_error(shell->tool, "the data: %s", strerror(errno));
        return false;
    }
    note(data, bytes, *size_out);
    data->ended = data->ended || *size_out == 0;
    return true;
}

static bool
write_data(void *context, const void *bytes, size_t size)
{
    struct shell *shell = context;

    FILE *out = shell->data.out != NULL ? shell->data.out : stdout;

    if (fwrite(bytes, 1, size, out) == size)
        return true;
    tool_error(shell->tool, "%s: %s", out == stdout ? "standard output" : "\\copy",
               strerror(errno));
    return false;
}

void
shell_copy_open(struct shell *shell)
{
    struct qtdb_copy copy = {
        .size = sizeof(copy), .read = read_data, .write = write_data, .context = shell};

    qtdb_session_set_copy(shell->session, &copy);
}

void
shell_copy_begin(struct shell *shell)
{
    const struct shell_data *data = &shell->data;

    shell->data = (struct shell_data){
        .file = data->file, .edit = data->edit, .whole = data->whole, .out = data->out};
}

/* Lines of data behind a record that failed are no statements. */
void
shell_copy_end(struct shell *shell)
{
    struct shell_data *data = &shell->data;
    char piece[4096];
    size_t size = 0;

    if (data->whole)
        return;
    while (data->begun && !data->ended && read_data(shell, piece, sizeof(piece), &size))
        continue;
}

/* \copy. */

struct parts {
    const char *what; /* Before FROM or TO. */
    size_t what_size;
    bool from;
    char file[4096]; /* "": the source of the statements, or standard output. */
    const char *options;
};

/* The first FROM or TO outside of parentheses and quotes. */
static const char *
find_direction(const char *text, bool *from_out, size_t *size_out)
{
    int depth = 0;
    char quote = '\0';

    for (const char *at = text; *at != '\0'; at++) {
        bool begins = at == text || isspace((unsigned char)at[-1]) || at[-1] == ')';
        size_t word = strcspn(at, " \t(");

        if (quote != '\0') {
            if (*at == quote)
                quote = '\0';
            continue;
        }
        if (*at == '\'' || *at == '"')
            quote = *at;
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        if (depth > 0 || !begins)
            continue;
        *from_out = word == 4 && strncasecmp(at, "from", 4) == 0;
        *size_out = word;
        if (*from_out || (word == 2 && strncasecmp(at, "to", 2) == 0))
            return at;
    }
    return NULL;
}

/* 'name', with '' for a quote, or a word; moves on. */
static bool
take_name(const char **next, char *out, size_t out_size)
{
    const char *at = *next;
    bool quoted = *at == '\'';
    size_t used = 0;

    at += quoted;
    while (*at != '\0' && used + 1 < out_size) {
        if (quoted && at[0] == '\'' && at[1] == '\'')
            at++;
        else if (quoted ? *at == '\'' : strchr(" \t;", *at) != NULL)
            break;
        out[used++] = *at++;
    }
    out[used] = '\0';
    *next = at + (quoted && *at == '\'');
    return used > 0 && used + 1 < out_size && (!quoted || *at == '\'');
}

static bool
split(const char *argument, struct parts *parts)
{
    size_t word = 0;
    const char *at = find_direction(argument, &parts->from, &word);

    if (at == NULL || at == argument)
        return false;
    parts->what = argument;
    parts->what_size = (size_t)(at - argument);
    at += word;
    at += strspn(at, " \t");
    bool quoted = *at == '\'';
    if (!take_name(&at, parts->file, sizeof(parts->file)))
        return false;
    const char *none = parts->from ? "stdin" : "stdout";
    if (!quoted && (strcasecmp(parts->file, none) == 0 || (strncasecmp(parts->file, "p", 1) == 0 &&
                                                           strcasecmp(parts->file + 1, none) == 0)))
        parts->file[0] = '\0';
    parts->options = at;
    return quoted || strcasecmp(parts->file, "program") != 0;
}

static bool
complain(struct shell *shell, const char *what, const char *why)
{
    tool_error(shell->tool, "%s: %s", what, why);
    shell->failed = true;
    return false;
}

/* The data are the file's for this statement. */
static bool
run_copy(struct shell *shell, const struct parts *parts)
{
    struct shell_place place = {.file = NULL, .line = 1};
    struct text_buffer sql;

    text_buffer_init(&sql, shell->env.memory);
    text_buffer_print(&sql, "COPY %.*s%s %s", (int)parts->what_size, parts->what,
                      parts->from ? "FROM STDIN" : "TO STDOUT", parts->options);
    bool ok = sql.failed ? complain(shell, "\\copy", "no memory")
                         : shell_run_statement(shell, sql.bytes, &place);
    text_buffer_deinit(&sql);
    return ok;
}

bool
shell_copy_command(struct shell *shell, const char *argument)
{
    struct parts parts = {.what = NULL};
    struct shell_data data = shell->data;
    FILE *file = NULL;

    if (!split(argument, &parts))
        return complain(shell, "\\copy",
                        "takes TABLE [(COLUMNS)] FROM | TO 'FILE' [OPTIONS], or "
                        "(QUERY) TO; a program is not supported");
    if (parts.file[0] == '\0')
        return run_copy(shell, &parts);
    file = fopen(parts.file, parts.from ? "rb" : "wb");
    if (file == NULL)
        return complain(shell, parts.file, strerror(errno));
    shell->data = (struct shell_data){.file = parts.from ? file : data.file,
                                      .whole = parts.from,
                                      .edit = data.edit,
                                      .out = parts.from ? NULL : file};
    bool ok = run_copy(shell, &parts);
    shell->data = data;
    shell->data.line_count = 0;
    if (fclose(file) != 0)
        ok = complain(shell, parts.file, strerror(errno));
    return ok;
}
