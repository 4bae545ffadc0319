/*
 * The syntax of definitions: CREATE, ALTER, DROP, TRUNCATE, COMMENT, and of SET, SHOW, MERGE, COPY and PREPARE. Conventions are
 * those of ast.h.
 */
#ifndef EXECUTOR_AST_DEFINE_H
#define EXECUTOR_AST_DEFINE_H

#include "executor/ast.h"

enum ast_constraint_kind {
    AST_CONSTRAINT_NOT_NULL = 1,
    AST_CONSTRAINT_PRIMARY_KEY = 2,
    AST_CONSTRAINT_UNIQUE = 3,
    AST_CONSTRAINT_CHECK = 4,
    AST_CONSTRAINT_DEFAULT = 5,
    AST_CONSTRAINT_REFERENCES = 6,
    AST_CONSTRAINT_NULL = 7,
    AST_CONSTRAINT_IDENTITY = 8,
    AST_CONSTRAINT_GENERATED = 9,
};

enum ast_action {
    AST_NO_ACTION = 0,
    AST_RESTRICT = 1,
    AST_CASCADE = 2,
    AST_SET_NULL = 3,
    AST_SET_DEFAULT = 4,
};

enum ast_sequence_option_kind {
    AST_SEQUENCE_TYPE = 1, /* `text` */
    AST_SEQUENCE_INCREMENT = 2,
    AST_SEQUENCE_START = 3,
    AST_SEQUENCE_MIN = 4, /* `none`: NO MINVALUE */
    AST_SEQUENCE_MAX = 5,
    AST_SEQUENCE_CYCLE = 6,   /* `integer` 0 or 1 */
    AST_SEQUENCE_RESTART = 7, /* `none`: with the start value */
    AST_SEQUENCE_OWNED = 8,   /* `names`; one name: NONE */
    AST_SEQUENCE_CACHE = 9,
};

struct ast_sequence_option {
    enum ast_sequence_option_kind kind;
    bool none;
    int64_t integer;
    const char *text;
    uint32_t name_count;
    const char **names;
    int32_t location;
};

struct ast_constraint {
    enum ast_constraint_kind kind;
    const char *name;      /* NULL: unnamed. */
    uint32_t column_count; /* Of table constraints. */
    const char **columns;
    struct ast_expr *expr; /* CHECK, DEFAULT, GENERATED. */
    struct ast_name foreign_table;
    uint32_t foreign_count;
    const char **foreign_columns;
    enum ast_action on_update;
    enum ast_action on_delete;
    bool not_valid;   /* CHECK, REFERENCES: rows that are there are not looked at. */
    bool nulls_equal; /* UNIQUE NULLS NOT DISTINCT */
    bool always;      /* IDENTITY */
    uint32_t option_count;
    struct ast_sequence_option *options;
    int32_t location;
};

struct ast_column_definition {
    const char *name;
    const char *comment; /* Taken over by LIKE; NULL: none. */
    struct ast_type type;
    uint32_t constraint_count;
    struct ast_constraint *constraints;
    int32_t location;
};

/* What becomes of a temporary table when a transaction commits. */
enum ast_on_commit { AST_COMMIT_PRESERVE = 0, AST_COMMIT_DELETE = 1, AST_COMMIT_DROP = 2 };

/* What LIKE copies besides names, types and NOT NULL: bits. */
enum ast_like_option {
    AST_LIKE_COMMENTS = 1,
    AST_LIKE_CHECKS = 2,
    AST_LIKE_DEFAULTS = 4,
    AST_LIKE_GENERATED = 8,
    AST_LIKE_IDENTITY = 16,
    AST_LIKE_INDEXES = 32,
};

struct ast_like {
    struct ast_name table;
    uint32_t options;
    uint32_t column; /* Its columns come before this one of those written. */
};

struct ast_create_table {
    struct ast_name table;
    uint32_t like_count;
    struct ast_like *likes;
    bool if_not_exists;
    enum ast_on_commit on_commit;
    uint32_t column_count;
    struct ast_column_definition *columns;
    uint32_t constraint_count;
    struct ast_constraint *constraints;
};

struct ast_create_schema {
    const char *name;
    bool if_not_exists;
};

struct ast_create_index {
    const char *name; /* NULL: derived. */
    struct ast_name table;
    bool unique;
    bool if_not_exists;
    bool learned; /* USING rmi */
    uint32_t column_count;
    const char **columns;    /* NULL where an expression stands. */
    struct ast_expr **exprs; /* NULL where a column stands. */
    uint8_t *orders;         /* Bits: 1 descending, 2 nulls first. */
    bool nulls_equal;        /* NULLS NOT DISTINCT */
    uint32_t include_count;
    const char **includes;
    struct ast_expr *where; /* NULL: every row. */
};

enum ast_check { AST_CHECK_NONE = 0, AST_CHECK_LOCAL = 1, AST_CHECK_CASCADED = 2 };

struct ast_create_view {
    struct ast_name name;
    bool replace;
    enum ast_check check; /* WITH CHECK OPTION */
    uint32_t column_name_count;
    const char **column_names;
    struct ast_select *query;
};

enum ast_drop_kind {
    AST_DROP_TABLE = 1,
    AST_DROP_SCHEMA = 2,
    AST_DROP_INDEX = 3,
    AST_DROP_VIEW = 4,
    AST_DROP_SEQUENCE = 5,
    AST_DROP_TYPE = 6,
};

struct ast_drop {
    enum ast_drop_kind kind;
    bool if_exists;
    bool cascade;
    uint32_t name_count;
    struct ast_name *names;
};

enum ast_alter_kind {
    AST_ADD_COLUMN = 1,
    AST_DROP_COLUMN = 2,
    AST_COLUMN_DEFAULT = 3, /* `expr` NULL: DROP DEFAULT */
    AST_SET_NOT_NULL = 4,
    AST_DROP_NOT_NULL = 5,
    AST_ADD_CONSTRAINT = 6,
    AST_DROP_CONSTRAINT = 7,
    AST_COLUMN_TYPE = 8, /* `type`; `expr`: USING, or NULL */
    AST_ADD_IDENTITY = 9,
    AST_DROP_IDENTITY = 10,
    AST_DROP_EXPRESSION = 11,
    AST_VALIDATE = 12,
};

struct ast_alter {
    enum ast_alter_kind kind;
    const char *name; /* Of the column or constraint. */
    bool if_exists;   /* ADD COLUMN: IF NOT EXISTS. */
    bool cascade;
    struct ast_column_definition *column;
    struct ast_constraint *constraint;
    struct ast_expr *expr;
    struct ast_type type;
};

struct ast_alter_table {
    struct ast_name table;
    bool if_exists;
    uint32_t count;
    struct ast_alter *alters;
};

enum ast_rename_kind {
    AST_RENAME_TABLE = 1,
    AST_RENAME_COLUMN = 2,
    AST_RENAME_CONSTRAINT = 3,
    AST_RENAME_INDEX = 4,
    AST_RENAME_SEQUENCE = 5,
    AST_RENAME_VIEW = 6,
    AST_RENAME_TYPE = 7,
};

/* RENAME and SET SCHEMA: `to` is the new name or the new schema. */
struct ast_rename {
    enum ast_rename_kind kind;
    struct ast_name name;
    const char *part; /* Column or constraint. */
    const char *to;
    bool if_exists;
};

struct ast_sequence {
    struct ast_name name;
    bool missing_ok; /* IF [NOT] EXISTS */
    uint32_t option_count;
    struct ast_sequence_option *options;
};

struct ast_truncate {
    uint32_t count;
    struct ast_name *tables;
    bool restart;
    bool cascade;
};

struct ast_create_table_as {
    struct ast_name table;
    bool if_not_exists;
    enum ast_on_commit on_commit;
    bool no_data;
    uint32_t column_name_count;
    const char **column_names;
    struct ast_select *query;
};

/* CREATE TYPE ... AS ENUM (labels), ALTER TYPE ... ADD VALUE label [BEFORE | AFTER neighbour], and
 * ... RENAME VALUE `renamed` TO label. */
struct ast_enum {
    struct ast_name name;
    uint32_t label_count;
    const char **labels;
    const char *neighbour;
    const char *renamed; /* NULL: ADD VALUE. */
    bool after;
    bool if_not_exists;
};

struct ast_comment {
    bool column;
    enum ast_drop_kind kind; /* Of what is not a column. */
    struct ast_name name;
    const char *part;
    const char *text; /* NULL: taken away. */
};

enum ast_set_what {
    AST_SET_VALUE = 1,
    AST_SET_RESET = 2, /* To the default; `name` NULL: all. */
    AST_SET_TRANSACTION = 3,
    AST_SET_SESSION = 4, /* SESSION CHARACTERISTICS */
};

struct ast_set {
    enum ast_set_what what;
    const char *name;     /* SHOW: NULL: all. */
    const char *database; /* ALTER DATABASE. */
    bool local;
    bool to_default; /* RESET written as SET ... TO DEFAULT. */
    uint32_t value_count;
    const char **values;
    struct ast_transaction_modes modes;
};

/* An option of COPY: a text, a list of columns, * or nothing. */
struct ast_copy_option {
    const char *name;
    const char *text; /* NULL: none. */
    bool star;
    bool is_list;
    uint32_t name_count;
    const char **names;
    int32_t location;
};

struct ast_copy {
    struct ast_name table;
    struct ast_select *query; /* COPY (query) TO; NULL: the table. */
    bool from;
    const char *file; /* NULL: the client's bytes. */
    uint32_t column_count;
    const char **columns;
    uint32_t option_count;
    struct ast_copy_option *options;
    struct ast_expr *where; /* FROM; NULL: all rows. */
};

/* PREPARE name (types) AS query; EXECUTE name (arguments); DEALLOCATE name. */
struct ast_prepare {
    const char *name; /* DEALLOCATE: NULL: all. */
    uint32_t type_count;
    struct ast_type *types;
    uint32_t parameter_count; /* The highest $n. */
    struct ast_statement *query;
    struct ast_select *arguments; /* One row; NULL: none. */
};

/* DECLARE, FETCH and MOVE, CLOSE */
enum ast_fetch {
    AST_FETCH_FORWARD = 1,
    AST_FETCH_BACKWARD = 2,
    AST_FETCH_ABSOLUTE = 3,
    AST_FETCH_RELATIVE = 4,
};

struct ast_cursor {
    const char *name; /* CLOSE: NULL: all. */
    struct ast_statement *query;
    bool hold;
    bool no_scroll;
    bool moves;
    enum ast_fetch direction;
    int64_t count; /* INT64_MAX: ALL. */
};

/* LOCK TABLE */
struct ast_lock {
    uint32_t count;
    struct ast_name *tables;
    bool exclusive; /* A mode that keeps others from changing rows. */
    bool wait;
};

struct ast_merge_when {
    bool matched;
    enum ast_statement_kind action; /* AST_INSERT, AST_UPDATE, AST_DELETE; 0: DO NOTHING. */
    struct ast_expr *condition;     /* NULL: always. */
    uint32_t column_count;          /* INSERT */
    const char **columns;
    uint32_t value_count;
    struct ast_expr **values; /* None: DEFAULT VALUES. */
    uint32_t set_count;       /* UPDATE */
    struct ast_target *sets;
    int32_t location;
};

struct ast_merge {
    const struct ast_select *with; /* Of which only WITH counts; NULL: none. */
    struct ast_name table;
    const char *alias;
    struct ast_from *source;
    struct ast_expr *on;
    uint32_t when_count;
    struct ast_merge_when *whens;
};

/* ANALYZE and VACUUM: of all tables when none is named. */
struct ast_analyze_table {
    struct ast_name name;
    uint32_t column_count; /* 0: all. */
    const char **columns;
};

struct ast_analyze {
    bool analyzes; /* VACUUM (ANALYZE). */
    uint32_t count;
    struct ast_analyze_table *tables;
};

#endif
