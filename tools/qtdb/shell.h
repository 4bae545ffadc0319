/*
 * The shell: reads statements and commands from an argument, a file, standard input or a terminal,
 * runs them one by one, and shows rows in one of five ways. It uses qtdb.h and nothing below it.
 *
 *    text --sql_scan--> one statement --qtdb_prepare, qtdb_step--> rows --shell_output--> stdout
 *    text beginning with '.' or '\' at the start of a statement --> shell_command
 *
 * Memory is one statement and, for boxes, a block of rows. One thread; an interrupt ends the running
 * statement only.
 */
#ifndef TOOLS_QTDB_SHELL_H
#define TOOLS_QTDB_SHELL_H

#include "tools/common/text_buffer.h"
#include "tools/common/tool.h"
#include "tools/qtdb/shell_output.h"

struct shell_edit;

/* Where the data of COPY FROM STDIN come from: the source of the statements, or \copy's file. */
struct shell_data {
    FILE *file; /* NULL: the terminal. */
    struct shell_edit *edit;
    bool whole;          /* The file is \copy's: what is left of it means nothing. */
    FILE *out;           /* NULL: standard output. */
    const char *rest;    /* Of the terminal's line: not handed out yet; NULL: none. */
    bool begun;          /* Something was asked for. */
    bool ended;          /* A line \. or the end was handed out. */
    bool inside;         /* The line that was handed out last goes on. */
    char head[2];        /* Its first bytes, */
    size_t line_size;    /* and how many it has. */
    uint64_t line_count; /* Lines handed out. */
};

/* What is open. */
struct shell_database {
    struct qtdb *db;
    struct qtdb_session *session;
    char path[IO_PATH_SIZE];
    char temporary[IO_PATH_SIZE]; /* A database that goes when this is closed; empty: none. */
    bool read_only;
};

struct shell {
    const struct tool *tool;
    struct env env;
    struct shell_database database;
    struct qtdb *db;              /* The database's. */
    struct qtdb_session *session; /* The database's. */
    bool read_only;               /* --readonly, of every database that is opened. */
    bool migrate;                 /* Convert a legacy or SQLite file without asking. */
    bool interactive;
    bool timer;
    enum output_mode mode_before;  /* \x off goes back to it. */
    int read_depth;                /* Files of .read that are being run. */
    uint64_t pool_mib;             /* 0: the default. */
    struct qtdb_statistics before; /* The running statement. */
    bool counting;
    uint64_t last_logged; /* Bytes, of the last statement. */
    uint64_t last_written;
    uint64_t last_user;
    struct output output;
    struct shell_data data;
    bool quit;   /* .quit was said. */
    bool failed; /* Exit status 1. */
};

/* Where statements come from, for messages. */
struct shell_place {
    const char *file; /* NULL: no file, lines are not counted in messages. */
    uint64_t line;    /* Of the statement's first byte, from 1. */
};

/** Runs one statement; complains with line and caret. False: it failed. */
bool shell_run_statement(struct shell *shell, const char *sql, const struct shell_place *place);
/** All statements and commands of a text. False after the first that failed. */
bool shell_run_text(struct shell *shell, const char *text, size_t size);
/** The same of a file, read as a stream; `name` NULL: standard input. */
bool shell_run_file(struct shell *shell, FILE *file, const char *name);
/** The file of this name; - is standard input. */
bool shell_run_named(struct shell *shell, const char *name);
/** From a terminal, until its end or .quit; failures do not stop it. */
void shell_run_terminal(struct shell *shell);

/* shell_database.c */
/** Opens the file, or a temporary database (NULL), in place of what is open. False: told why, nothing changed. */
bool shell_open(struct shell *shell, const char *path);
void shell_close(struct shell *shell);
/** A path in a directory of its own, so that the log's folder beside the file is in it too. False: told why,
 * and the path is empty. */
bool shell_make_temporary(const struct shell *shell, char path[IO_PATH_SIZE]);
/** Removes file and directory; an empty path is none. */
void shell_remove_temporary(const struct shell *shell, char *path);
/** Version, and what is open. */
void shell_print_banner(const struct shell *shell);

/** A command, without its line end. False: it failed. */
bool shell_command(struct shell *shell, const char *line, const struct shell_place *place);
/** The commands' names one by one; NULL past the last. */
const char *shell_command_name(size_t index);

/* shell_copy.c */
/** COPY's STDIN and STDOUT are the shell's from here on. */
void shell_copy_open(struct shell *shell);
/** Before a statement, and after it: what is left of its data is passed over. */
void shell_copy_begin(struct shell *shell);
void shell_copy_end(struct shell *shell);
/** \copy: COPY with a file of the shell's own directory. */
bool shell_copy_command(struct shell *shell, const char *argument);

/* shell_upkeep.c: copies to a new file, compressed when its name ends in .zst; shrinks. */
bool shell_backup(struct shell *shell, const char *path);
bool shell_compact(struct shell *shell, const char *path);
bool shell_shrink(struct shell *shell, const char *argument);
/** The whole database as SQL (tools/common/sql_dump.h), on standard output. */
bool shell_dump(struct shell *shell, const char *argument);

/* shell_legacy.c: files of other kinds. */
enum shell_offer {
    SHELL_REFUSED = 0,   /* Not converted; told why. */
    SHELL_CONVERTED = 1, /* There is a database beside the file. */
    SHELL_BORROWED = 2,  /* There is a temporary one, to be read only. */
};
/** True when the file may be a legacy or an SQLite file, and is no database. */
bool shell_is_foreign(const char *path);
/** Converts the file, asking on a terminal; `out` gets the database's path. */
enum shell_offer shell_offer(struct shell *shell, const char *path, const char *temporary,
                             char out[IO_PATH_SIZE]);
/** Runs qtdb-migrate on SOURCE with TARGET. False: it failed, and said why. */
bool shell_convert(struct shell *shell, const char *source, const char *target, bool quiet);
/** Puts all schemas on the session's search path. False: told why. */
bool shell_set_path(struct shell *shell, struct qtdb_session *session);

/* shell_import.c */
bool shell_import(struct shell *shell, const char *argument);

/* shell_numbers.c */
bool shell_print_stats(struct shell *shell, const char *argument);
bool shell_print_metrics(struct shell *shell, const char *argument);
bool shell_print_wa(struct shell *shell, const char *argument);
/** Around a statement, for .wa. */
void shell_count_begin(struct shell *shell);
void shell_count_end(struct shell *shell);

/* shell_models.c */
bool shell_print_models(struct shell *shell, const char *argument);

/* shell_catalog.c */
bool shell_print_tables(struct shell *shell, const char *argument);
/** The statements that make a table, or everything. */
bool shell_print_schema(struct shell *shell, const char *name);
bool shell_print_indexes(struct shell *shell, const char *argument);
bool shell_print_views(struct shell *shell, const char *argument);
bool shell_print_types(struct shell *shell, const char *argument);
bool shell_print_sequences(struct shell *shell, const char *argument);
bool shell_print_schemas(struct shell *shell, const char *argument);
typedef bool (*shell_row_fn)(void *context, uint32_t count, const char *const *values,
                             const char *const *names);
/** Asks the catalog in a session of its own; `each` gets the rows as texts. False: told why. */
bool shell_ask(struct shell *shell, const char *sql, shell_row_fn each, void *context);
/** The same, printed as rows of the output's mode. */
bool shell_show(struct shell *shell, const char *sql);

/* shell_describe.c */
/** Columns, indexes, constraints of NAME, or a view's query; without a name the tables. */
bool shell_describe(struct shell *shell, const char *name);

#endif
