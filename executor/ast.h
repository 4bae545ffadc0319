/*
 * The syntax tree of one SQL statement, in our own types and our own arena: what the grammar said,
 * nothing resolved. Made by parse.h, read by the binder. Definitions are in ast_define.h.
 *
 * Locations are byte offsets into the whole text given to sql_parse, -1 where unknown. Texts are
 * NUL-terminated and live in the arena. Lists are arrays with a count.
 */
#ifndef EXECUTOR_AST_H
#define EXECUTOR_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ast_expr_kind {
    AST_NULL = 1,
    AST_INTEGER = 2,   /* Fits 64 bits; `integer`. */
    AST_DECIMAL = 3,   /* `text`: digits with point or exponent, or too large an integer. */
    AST_STRING = 4,    /* `text` */
    AST_BOOLEAN = 5,   /* `integer` 0 or 1 */
    AST_PARAMETER = 6, /* $`integer` */
    AST_COLUMN = 7,    /* `names` */
    AST_STAR = 8,      /* * or t.*: `names` before the star */
    AST_OPERATOR = 9,  /* `text`: the operator; one argument (prefix) or two */
    AST_AND = 10,
    AST_OR = 11,
    AST_NOT = 12,
    AST_FUNCTION = 13, /* `names`; arguments; `star`, `distinct` */
    AST_CAST = 14,     /* argument 0 as `type` */
    AST_IS_NULL = 15,
    AST_IS_NOT_NULL = 16,
    AST_IN = 17,      /* argument 0 in arguments 1...; `negated` */
    AST_BETWEEN = 18, /* arguments: value, low, high; `negated` */
    AST_LIKE = 19,    /* arguments: value, pattern; `negated`; `text` "like" or "ilike" */
    AST_CASE = 20,    /* `has_operand` argument 0, then when, then, ..., `has_else` the last */
    AST_COALESCE = 21,
    AST_DEFAULT = 22,       /* In VALUES and SET. */
    AST_IS_TRUE = 23,       /* IS [NOT] TRUE / FALSE / UNKNOWN: `integer` 1, 0, -1; `negated` */
    AST_DISTINCT_FROM = 24, /* IS [NOT] DISTINCT FROM; `negated` */
    AST_NULLIF = 25,
    AST_SUBQUERY = 26,   /* `query`; `text`: "scalar", "exists", "any", "all"; for the last two
                        * argument 0 is compared by the operator names[0] */
    AST_ROW = 27,        /* (a, b, ...) */
    AST_QUANTIFIED = 28, /* arguments 0 `text` ANY or, `negated`, ALL of array 1 */
    AST_ARRAY = 29,
    AST_GREATEST = 30,      /* LEAST when `negated` */
    AST_GROUPING = 31,      /* GROUPING(arguments) */
    AST_GROUPING_SETS = 32, /* In GROUP BY: `integer` is an ast_grouping_kind over the arguments. */
};

enum ast_grouping_kind {
    AST_GROUPING_EMPTY = 1, /* () */
    AST_GROUPING_ROLLUP = 2,
    AST_GROUPING_CUBE = 3,
    AST_GROUPING_LIST = 4, /* GROUPING SETS (...) */
};

/* A type's name as written: pg_catalog is dropped, `integer` is "int4" and so on. */
struct ast_type {
    const char *schema; /* NULL: built in, or by search_path. */
    const char *name;
    uint32_t modifier_count; /* numeric(10,2): 10, 2 */
    int32_t modifiers[2];
    uint32_t array_depth;
    int32_t location;
};

struct ast_select;
struct ast_order;
struct ast_window;

struct ast_expr {
    enum ast_expr_kind kind;
    int32_t location;
    int64_t integer;
    const char *text;
    uint32_t name_count;
    const char **names;
    uint32_t argument_count;
    struct ast_expr **arguments;
    struct ast_type type;
    struct ast_select *query;
    struct ast_expr *filter;  /* Of an aggregate. */
    struct ast_order *orders; /* Inside an aggregate's parentheses. */
    uint32_t order_count;
    struct ast_window *over; /* Of a function; NULL: none. */
    bool negated;
    bool star;
    bool distinct;
    bool has_operand;
    bool has_else;
};

struct ast_name {
    const char *schema; /* NULL: by search_path. */
    const char *name;
    int32_t location;
};

enum ast_join_kind { AST_JOIN_INNER = 1, AST_JOIN_LEFT = 2, AST_JOIN_RIGHT = 3, AST_JOIN_FULL = 4 };
enum ast_from_kind {
    AST_FROM_TABLE = 1,
    AST_FROM_JOIN = 2,
    AST_FROM_QUERY = 3,
    AST_FROM_FUNCTION = 4,
};

struct ast_from {
    enum ast_from_kind kind;
    struct ast_name table;
    const char *alias;          /* NULL: none. */
    uint32_t column_name_count; /* AS alias (names ...) */
    const char **column_names;
    bool lateral;
    struct ast_select *query;
    struct ast_expr *function; /* AST_FUNCTION; the first of several. */
    uint32_t function_count;   /* ROWS FROM (...): all of them, side by side; else 0. */
    struct ast_expr **functions;
    bool ordinality; /* WITH ORDINALITY */
    enum ast_join_kind join;
    bool natural;
    uint32_t using_count;
    const char **using_names;
    struct ast_from *left;
    struct ast_from *right;
    struct ast_expr *on; /* NULL: cross join. */
};

struct ast_target {
    struct ast_expr *expr;
    const char *name; /* AS; NULL: derived. Column name in UPDATE SET. */
    int32_t location;
};

struct ast_order {
    struct ast_expr *expr;
    bool descending;
    bool nulls_first; /* After applying the default for the direction. */
};

enum ast_frame_mode { AST_FRAME_RANGE = 1, AST_FRAME_ROWS = 2, AST_FRAME_GROUPS = 3 };
enum ast_frame_bound {
    AST_BOUND_FIRST = 1, /* UNBOUNDED PRECEDING */
    AST_BOUND_PRECEDING = 2,
    AST_BOUND_CURRENT = 3,
    AST_BOUND_FOLLOWING = 4,
    AST_BOUND_LAST = 5, /* UNBOUNDED FOLLOWING */
};
enum ast_frame_exclusion {
    AST_EXCLUDE_NOTHING = 0,
    AST_EXCLUDE_CURRENT = 1,
    AST_EXCLUDE_GROUP = 2,
    AST_EXCLUDE_TIES = 3,
};

/* A window of OVER or of the WINDOW clause. */
struct ast_window {
    const char *name;      /* WINDOW name AS (...), or OVER name; NULL: OVER (...). */
    const char *reference; /* The window it goes on from; NULL: none. */
    uint32_t partition_count;
    struct ast_expr **partitions;
    uint32_t order_count;
    struct ast_order *orders;
    bool has_frame; /* Else RANGE from the first row to the current one's peers. */
    enum ast_frame_mode mode;
    enum ast_frame_bound start;
    enum ast_frame_bound end;
    struct ast_expr *start_offset; /* Of PRECEDING and FOLLOWING. */
    struct ast_expr *end_offset;
    enum ast_frame_exclusion exclusion;
    int32_t location;
};

enum ast_set_kind { AST_UNION = 1, AST_INTERSECT = 2, AST_EXCEPT = 3 };

enum ast_materialize {
    AST_MATERIALIZE_SHARED = 0, /* Once, if its name stands twice or more. */
    AST_MATERIALIZE_ALWAYS = 1,
    AST_MATERIALIZE_NEVER = 2,
};

struct ast_cte {
    const char *name;
    int32_t location;
    enum ast_materialize materialize;
    uint32_t column_name_count;
    const char **column_names;
    struct ast_select *query;
    struct ast_statement *change; /* INSERT, UPDATE or DELETE in place of the query; else NULL. */
};

enum ast_lock_wait {
    AST_LOCK_WAIT = 0,
    AST_LOCK_SKIP = 1, /* SKIP LOCKED */
    AST_LOCK_FAIL = 2, /* NOWAIT */
};

/* FOR UPDATE, FOR SHARE and between; of the named FROM items, or of all tables. */
struct ast_locking {
    const char *words; /* "FOR UPDATE" */
    bool shared;
    enum ast_lock_wait wait;
    uint32_t name_count;
    struct ast_name *names;
};

struct ast_select {
    int32_t location;
    uint32_t locking_count;
    struct ast_locking *lockings;
    bool recursive;
    uint32_t cte_count;
    struct ast_cte *ctes;
    enum ast_set_kind set; /* 0: none; otherwise only order, limit and WITH are set beside. */
    bool set_all;
    struct ast_select *set_left;
    struct ast_select *set_right;
    bool distinct;
    uint32_t distinct_count; /* DISTINCT ON (...) */
    struct ast_expr **distinct_exprs;
    uint32_t target_count;
    struct ast_target *targets;
    uint32_t from_count;
    struct ast_from **from;
    struct ast_expr *where;
    uint32_t group_count;
    struct ast_expr **groups;
    bool group_distinct; /* GROUP BY DISTINCT: equal grouping sets count once. */
    struct ast_expr *having;
    uint32_t window_count; /* WINDOW */
    struct ast_window *windows;
    uint32_t order_count;
    struct ast_order *orders;
    struct ast_expr *limit;
    struct ast_expr *offset;
    bool ties; /* FETCH FIRST ... WITH TIES */
    /* VALUES (...), (...): rows of the same width; then there are no targets. */
    uint32_t row_count;
    uint32_t row_width;
    struct ast_expr **rows; /* row_count * row_width */
};

/* ON CONFLICT (columns) DO NOTHING or DO UPDATE SET ... WHERE ... */
struct ast_conflict {
    bool update;
    uint32_t column_count;      /* 0: any constraint. */
    const char **columns;       /* NULL where an expression stands. */
    struct ast_expr **exprs;    /* NULL where a column stands. */
    struct ast_expr *predicate; /* Of a partial index; NULL: none. */
    const char *constraint;     /* ON CONSTRAINT; NULL: none. */
    uint32_t set_count;
    struct ast_target *sets;
    struct ast_expr *where;
    int32_t location;
};

enum ast_overriding { AST_OVERRIDING_NONE = 0, AST_OVERRIDING_USER = 1, AST_OVERRIDING_SYSTEM = 2 };

struct ast_insert {
    const struct ast_select *with; /* Of which only WITH counts; NULL: none. */
    struct ast_name table;
    const char *alias;
    enum ast_overriding overriding;
    uint32_t column_count; /* 0: all, in order. */
    const char **columns;
    struct ast_select *source;     /* NULL: DEFAULT VALUES. */
    struct ast_conflict *conflict; /* NULL: none. */
    uint32_t returning_count;
    struct ast_target *returning;
};

struct ast_update {
    const struct ast_select *with; /* As of INSERT. */
    struct ast_name table;
    const char *alias;
    uint32_t set_count;
    struct ast_target *sets;
    uint32_t from_count;
    struct ast_from **from;
    struct ast_expr *where;
    uint32_t returning_count;
    struct ast_target *returning;
};

struct ast_delete {
    const struct ast_select *with; /* As of INSERT. */
    struct ast_name table;
    const char *alias;
    uint32_t from_count; /* USING */
    struct ast_from **from;
    struct ast_expr *where;
    uint32_t returning_count;
    struct ast_target *returning;
};

enum ast_transaction_kind {
    AST_BEGIN = 1,
    AST_COMMIT = 2,
    AST_ROLLBACK = 3,
    AST_SAVEPOINT = 4,
    AST_ROLLBACK_TO = 5,
    AST_RELEASE = 6,
};

enum ast_statement_kind {
    AST_SELECT = 1,
    AST_INSERT = 2,
    AST_UPDATE = 3,
    AST_DELETE = 4,
    AST_CREATE_TABLE = 5,
    AST_DROP = 6,
    AST_TRANSACTION = 7,
    AST_EXPLAIN = 8,
    AST_CREATE_SCHEMA = 9,
    AST_CREATE_INDEX = 10,
    AST_CREATE_VIEW = 11,
    AST_ALTER_TABLE = 12,
    AST_RENAME = 13,
    AST_SET_SCHEMA = 14,
    AST_CREATE_SEQUENCE = 15,
    AST_ALTER_SEQUENCE = 16,
    AST_TRUNCATE = 17,
    AST_CREATE_TABLE_AS = 18,
    AST_CREATE_ENUM = 19,
    AST_ALTER_ENUM = 20,
    AST_COMMENT = 21,
    AST_SET = 22,
    AST_SHOW = 23,
    AST_MERGE = 24,
    AST_COPY = 25,
    AST_PREPARE = 26,
    AST_EXECUTE = 27,
    AST_DEALLOCATE = 28,
    AST_ANALYZE = 29,
    AST_VACUUM = 30,
    AST_LOCK = 31,
    AST_CHECKPOINT = 32,
    AST_DISCARD = 33,
    AST_ALTER_DATABASE = 34,
    AST_DECLARE = 35,
    AST_FETCH = 36,
    AST_CLOSE = 37,
};

enum ast_discard {
    AST_DISCARD_ALL = 1,
    AST_DISCARD_PLANS = 2,
    AST_DISCARD_SEQUENCES = 3,
    AST_DISCARD_TEMPORARY = 4,
};

/* BEGIN, SET TRANSACTION and SET SESSION CHARACTERISTICS: what was said; -1: nothing. */
struct ast_transaction_modes {
    int32_t isolation; /* enum qtdb_isolation */
    int32_t read_only;
};

struct ast_explain {
    bool analyze; /* Run it. */
    bool buffers;
    bool costs; /* These three are on unless turned off; times need `analyze`. */
    bool timing;
    bool summary;
    bool json;
};

struct ast_statement {
    enum ast_statement_kind kind;
    int32_t location; /* Where the statement starts and how long it is, in bytes. */
    int32_t size;
    bool locks;   /* A query in it, or it itself, is FOR UPDATE or FOR SHARE. */
    bool changes; /* A query of its WITH is INSERT, UPDATE or DELETE. */
    enum ast_transaction_kind transaction;
    bool chain; /* COMMIT and ROLLBACK: AND CHAIN */
    const char *savepoint;
    struct ast_select *select;
    struct ast_insert *insert;
    struct ast_update *update;
    struct ast_delete *delete_from;
    struct ast_create_table *create_table;
    struct ast_create_schema *create_schema;
    struct ast_create_index *create_index;
    struct ast_create_view *create_view;
    struct ast_drop *drop;
    struct ast_alter_table *alter_table;
    struct ast_rename *rename; /* RENAME, SET_SCHEMA */
    struct ast_sequence *sequence;
    struct ast_truncate *truncate;
    struct ast_create_table_as *create_table_as;
    struct ast_enum *enumeration;
    struct ast_comment *comment;
    struct ast_set *set;         /* SET, SHOW */
    struct ast_analyze *analyze; /* ANALYZE, VACUUM */
    struct ast_merge *merge;
    struct ast_copy *copy;
    struct ast_prepare *prepare;        /* PREPARE, EXECUTE, DEALLOCATE */
    struct ast_cursor *cursor;          /* DECLARE, FETCH, CLOSE */
    struct ast_lock *lock;              /* LOCK */
    enum ast_discard discard;           /* DISCARD */
    struct ast_transaction_modes modes; /* BEGIN */
    /* EXPLAIN: of what. EXPLAIN of an EXECUTE is an EXECUTE, whose prepared query is put into this EXPLAIN. */
    struct ast_statement *explained;
    struct ast_explain explain;
};

#endif
