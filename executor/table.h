/*
 * Tables as the executor knows them: definitions, and where they are kept.
 *
 * The catalog is the kernel tree "sql/catalog". Its keys: 's' schema name; 't' schema name, 0, table
 * name; 'i' and 'w' the same for indexes (value: table name) and views (value: text); 'n' for the next
 * table id; 'v' for the version of the definitions. Rows of table N are in the kernel tree "sql/tN",
 * entries of its index K in "sql/uN.K". Definitions are read within the transaction that uses them, so
 * DDL is transactional as every other change.
 *
 * Other keys: 'q' for sequences (sql_sequence.h), 'e' for enums, 'c' for comments on what is no table.
 *
 * Definition bytes, written as format 3 (table_format.c; 1 and 2 still decode):
 *   u8 format | u32 id | varint column count | columns | varint key column count, positions |
 *   varint next index id | varint index count | indexes | varint slot count |
 *   varint dropped count, each (varint slot, u8 type) |
 *   varint expression count, each (text, u8 type, u32 precision, u32 scale) |
 *   varint check count, each (text name, text expression, u8 flags) |
 *   varint foreign key count, each (text name, varint count, positions, text schema, text table,
 *       varint count, text parent columns, u8 on update, u8 on delete, u8 flags) |
 *   varint reference count, each (text schema, text table) | text name of the primary key | text comment
 * Flags of an index: 1 unique, 2 constraint, 4 USING rmi, 8 entries store INCLUDE's columns, 16 a column is not in
 * ascending order with nulls last, 32 NULLS NOT DISTINCT.
 * A column: text name | u8 type | u32 precision (of an enum: its number) | u32 scale | u8 flags | [text default] and, from format
 * 3, [text expression] | [text missing] | [text sequence] | [text comment] | u8 generated | varint slot.
 * An index: text name | varint count, positions | varint id | u8 flags and, from format 3, varint
 * predicate | varint count, positions of INCLUDE | with flag 16, a u8 for each key column: 1 descending, 2 nulls
 * first. DESC of indexes from before that flag was not kept: they ascend. Format 1 has neither next index id nor ids and flags:
 * every index is a unique constraint and its id its position.
 */
#ifndef EXECUTOR_TABLE_H
#define EXECUTOR_TABLE_H

#include "executor/row.h"
#include "executor/value.h"

enum {
    TABLE_KEY_COLUMNS_MAX = 32,
    TABLE_INDEX_MAX = 32,
    TABLE_RULES_MAX = 1024,            /* Checks, foreign keys, references, expressions: of each. */
    TABLE_EXPR_BASE = ROW_COLUMNS_MAX, /* Positions in an index from here on are expressions. */
};

enum table_generated {
    TABLE_PLAIN = 0,
    TABLE_STORED = 1, /* GENERATED ALWAYS AS (expression) STORED */
    TABLE_IDENTITY_DEFAULT = 2,
    TABLE_IDENTITY_ALWAYS = 3,
};

struct enumeration;

struct table_column {
    const char *name;
    struct sql_type type;
    const struct enumeration *enumeration; /* Of an enum or an array of one; not stored. */
    bool not_null;
    enum table_generated generated;
    uint32_t slot;            /* Where its value stands in a stored row. */
    const char *default_text; /* A constant in the type's input syntax; NULL: none. */
    const char *expr;         /* SQL of a DEFAULT that is no constant, or of what is generated. */
    const char *missing;      /* Value in rows older than the column; NULL: null. */
    const char *sequence;     /* Owned by it, in the table's schema; NULL: none. */
    const char *comment;      /* NULL: none. */
};

/* An index: a tree of its columns' keys to row keys. A unique one has no entry for rows with a null in
 * it; in any other the row's key follows the columns. Rows that the predicate does not hold for have
 * none. */
struct table_index {
    const char *name;
    uint32_t id; /* Of its tree; never used again in this table. */
    bool unique;
    bool constraint; /* Made by UNIQUE in the table's definition. */
    bool learned;    /* USING rmi: its tree asks for that router. */
    uint32_t column_count;
    uint32_t columns[TABLE_KEY_COLUMNS_MAX]; /* From TABLE_EXPR_BASE on: of `exprs`. */
    uint8_t orders[TABLE_KEY_COLUMNS_MAX];   /* Bits of enum key_order. */
    bool nulls_equal;                        /* A unique one has entries for nulls too. */
    uint32_t predicate;                      /* One more than its place in `exprs`; 0: none. */
    uint32_t include_count;
    uint32_t includes[TABLE_KEY_COLUMNS_MAX];
    bool stores; /* Entries have the values of INCLUDE too; those of older indexes have not. */
};

/* False: rows with a null in the index's columns have no entry. */
static inline bool
table_index_has_nulls(const struct table_index *index)
{
    return !index->unique || index->nulls_equal;
}

/* An expression or predicate of an index. */
struct table_expr {
    const char *text;
    struct sql_type type;
};

struct table_check {
    const char *name;
    const char *text;
    bool not_valid;
};

enum table_action {
    TABLE_NO_ACTION = 0,
    TABLE_RESTRICT = 1,
    TABLE_CASCADE = 2,
    TABLE_SET_NULL = 3,
    TABLE_SET_DEFAULT = 4,
};

struct table_foreign {
    const char *name;
    uint32_t column_count;
    uint32_t columns[TABLE_KEY_COLUMNS_MAX];
    const char *schema; /* Of the table referred to. */
    const char *table;
    const char *parents[TABLE_KEY_COLUMNS_MAX]; /* Its columns. */
    enum table_action on_update;
    enum table_action on_delete;
    bool not_valid;
};

/* A table with a foreign key to this one. */
struct table_reference {
    const char *schema;
    const char *table;
};

struct table {
    uint32_t id;
    const char *schema;
    const char *name;
    uint32_t column_count;
    struct table_column *columns;
    uint32_t key_count; /* 0: a hidden row number is the key. */
    uint32_t keys[TABLE_KEY_COLUMNS_MAX];
    const char *key_name; /* NULL: NAME_pkey. */
    uint32_t index_count;
    struct table_index *indexes; /* With room for one more. */
    uint32_t next_index;         /* Id of the next one. */
    struct sql_type *types;      /* Of the columns. */

    /* A stored row has a value a slot. Slots of dropped columns stay: their values are skipped, and
     * new rows have null there. */
    uint32_t slot_count;
    struct sql_type *slot_types;
    bool plain; /* Slot i is column i, and there are no more. */

    uint32_t expr_count;
    struct table_expr *exprs;
    uint32_t check_count;
    struct table_check *checks;
    uint32_t foreign_count;
    struct table_foreign *foreigns;
    uint32_t reference_count;
    struct table_reference *references;
    const char *comment; /* NULL: none. */
};

enum { TABLE_DEFINITION_SIZE_MAX = 1 << 20 };

/* table_format.c */
/** False when it does not fit. */
bool table_encode(const struct table *table, struct byte_writer *out);
/** Sets all but schema and name. STATUS_CORRUPT for anything but what table_encode wrote. */
MUST_CHECK enum status table_decode(const uint8_t *bytes, size_t size, struct arena *arena,
                                    struct table *out);

/** Fills `types`, `slot_types` and `plain` anew after a change of columns. */
MUST_CHECK enum status table_settle(struct table *table, struct arena *arena);
/** UINT32_MAX: none. */
uint32_t table_column_find(const struct table *table, const char *name);
/** Forgets expressions that no index uses any more. */
void table_prune(struct table *table);
/** NAME_pkey unless it was given another. */
const char *table_key_name(const struct table *table, struct arena *arena);

/** True when the key is one integer column or the hidden row number: 8 bytes as they are. */
bool table_key_is_integer(const struct table *table);

/** Reads a definition within `txn`. 42P01 when there is none; `schema` NULL: "public". */
MUST_CHECK enum status table_find(struct qtdb_txn *txn, const struct ast_name *name,
                                  struct arena *arena, struct table **out, struct sql_error *error);
/** Stores a new definition and makes its trees; sets the id. 42P07 when the name is taken. */
MUST_CHECK enum status table_create(struct qtdb_txn *txn, struct table *table, struct arena *arena,
                                    struct sql_error *error);
MUST_CHECK enum status table_drop(struct qtdb_txn *txn, const struct table *table,
                                  struct sql_error *error);
/** 42P06 when there is one; 3F000 from table_create when there is none. "public" always exists. */
MUST_CHECK enum status schema_create(struct qtdb_txn *txn, const char *name,
                                     struct sql_error *error);
/** Grows with every change of definitions; 0 while there are none. */
MUST_CHECK enum status catalog_version(struct qtdb_txn *txn, uint64_t *out,
                                       struct sql_error *error);
/* The version as a session saw it last. */
struct catalog_seen {
    struct qtdb_tree *tree; /* NULL: not yet. */
    uint64_t csn;
    uint64_t version;
};
/** The same, without a look where no commit has changed the catalog since; not in a transaction that has
 * changed definitions itself. */
MUST_CHECK enum status catalog_version_seen(struct qtdb_txn *txn, struct catalog_seen *seen,
                                            uint64_t *out, struct sql_error *error);
/** Calls `each` for every table, in order of schema and name. */
MUST_CHECK enum status table_list(struct qtdb_txn *txn,
                                  void (*each)(void *context, const char *schema, const char *name),
                                  void *context, struct sql_error *error);

/** The kernel trees of a table; `index` UINT32_MAX: its rows. */
MUST_CHECK enum status table_tree(struct qtdb_txn *txn, const struct table *table, uint32_t index,
                                  struct qtdb_tree **out, struct sql_error *error);

/** The key of a row with the given values; columns of the key may not be null. 54000 when it is too
 * long. `out` has QTDB_KEY_SIZE_MAX bytes. */
MUST_CHECK enum status table_row_key(const struct table *table, const struct value *values,
                                     uint8_t *out, size_t *size_out, struct sql_error *error);
/**
 * What an entry holds under its key: the row's key, or, of an index that stores INCLUDE's columns, varint size of
 * the row's key | row's key | a row (row.h) of those columns. `*out` borrows from `row_key` or the arena.
 */
MUST_CHECK enum status table_entry_value(const struct table *table, uint32_t index,
                                         const struct value *values, const void *row_key,
                                         size_t row_key_size, struct arena *arena, const void **out,
                                         size_t *size_out);
/** The row's key in an entry's value; false: it is damaged. */
bool table_entry_row_key(const struct table *table, uint32_t index, const void *value,
                         size_t value_size, const void **out, size_t *size_out);
/** An index's entry has the column's value: in its key, in the row's key that it leads to, or by INCLUDE. */
bool table_index_has(const struct table *table, uint32_t index, uint32_t column);
/** The values of all columns that table_index_has; the others stay as they are. They borrow from the entry
 * where they can. STATUS_CORRUPT. */
MUST_CHECK enum status table_decode_entry(const struct table *table, uint32_t index,
                                          const void *key, size_t key_size, const void *value,
                                          size_t value_size, struct arena *arena,
                                          struct value *values);
/** The key of a row's entry in an index. `*size_out` is 0 when the row has none. `values` go on with
 * those of the table's expressions. */
MUST_CHECK enum status table_index_key(const struct table *table, uint32_t index,
                                       const struct value *values, const void *row_key,
                                       size_t row_key_size, uint8_t *out, size_t *size_out,
                                       struct sql_error *error);

/** Looks the enums of its columns up, as table_find does. */
MUST_CHECK enum status table_link_enums(struct qtdb_txn *txn, struct table *table,
                                        struct arena *arena, struct sql_error *error);
/** A value of the column from its input syntax. */
MUST_CHECK enum status table_parse_value(const struct table_column *column, const char *text,
                                         size_t size, struct arena *arena, struct value *out,
                                         struct sql_error *error);

/** A row as it is stored. False when the writer is full. `scratch` has room for slot_count values. */
bool table_encode_row(const struct table *table, const struct value *values, struct value *scratch,
                      struct byte_writer *out);
/** A stored row; columns added after it was written have their defaults. Values borrow from `bytes`.
 * XX001 when it is damaged. */
MUST_CHECK enum status table_decode_row(const struct table *table, const void *bytes, size_t size,
                                        struct arena *arena, struct value *out,
                                        struct sql_error *error);
/** The value of a column in rows that are older than it. */
MUST_CHECK enum status table_missing_value(const struct table *table, uint32_t column,
                                           struct arena *arena, struct value *out,
                                           struct sql_error *error);

/** Stores a changed definition. */
MUST_CHECK enum status table_replace(struct qtdb_txn *txn, const struct table *table,
                                     struct arena *arena, struct sql_error *error);

/* Names of indexes lead to their tables; views to the text that defined them. Both share the names of
 * tables. */
enum catalog_kind {
    CATALOG_TABLE = 't',
    CATALOG_INDEX = 'i',
    CATALOG_VIEW = 'w',
    CATALOG_SEQUENCE = 'q',
    CATALOG_ENUM = 'e',
    CATALOG_SCHEMA = 's',
    CATALOG_COMMENT = 'c', /* Name: kind and name. */
    CATALOG_SETTING = 'd', /* A setting's default of the file; schema: pg_catalog. */
};
/** STATUS_NOT_FOUND without an error set when there is none. */
MUST_CHECK enum status catalog_find(struct qtdb_txn *txn, enum catalog_kind kind,
                                    const struct ast_name *name, struct arena *arena,
                                    const char **text_out, struct sql_error *error);
/** STATUS_OK or STATUS_NOT_FOUND. */
MUST_CHECK enum status catalog_has(struct qtdb_txn *txn, enum catalog_kind kind, const char *schema,
                                   const char *name, struct sql_error *error);
/** 42P07 when a table, view or index has the name; `replace` allows one of the same kind. */
MUST_CHECK enum status catalog_put(struct qtdb_txn *txn, enum catalog_kind kind,
                                   const struct ast_name *name, const char *text, bool replace,
                                   struct sql_error *error);
/** As catalog_find, for values that are bytes. */
MUST_CHECK enum status catalog_find_bytes(struct qtdb_txn *txn, enum catalog_kind kind,
                                          const struct ast_name *name, struct arena *arena,
                                          const uint8_t **out, size_t *size_out,
                                          struct sql_error *error);
/** As catalog_put. */
MUST_CHECK enum status catalog_put_bytes(struct qtdb_txn *txn, enum catalog_kind kind,
                                         const struct ast_name *name, const void *bytes,
                                         size_t size, bool replace, struct sql_error *error);
/** The next number for what is made; never the same again, save for what was rolled back. */
MUST_CHECK enum status catalog_next_id(struct qtdb_txn *txn, uint32_t *out,
                                       struct sql_error *error);
/** Calls `each` for every entry of the kind, in order of schema and name. */
MUST_CHECK enum status catalog_each(struct qtdb_txn *txn, enum catalog_kind kind,
                                    enum status (*each)(void *context, const char *schema,
                                                        const char *name, const uint8_t *value,
                                                        size_t size),
                                    void *context, struct sql_error *error);
/** Keeps other transactions from changing the definition (SHARED: what a change of rows takes), or from
 * using it for changes (EXCLUSIVE), until the end of this one. */
MUST_CHECK enum status catalog_lock(struct qtdb_txn *txn, const char *schema, const char *name,
                                    enum qtdb_lock_mode mode, struct sql_error *error);
/** The same; `wait` false: STATUS_BUSY where another transaction is in the way. */
MUST_CHECK enum status catalog_try_lock(struct qtdb_txn *txn, const char *schema, const char *name,
                                        enum qtdb_lock_mode mode, bool wait,
                                        struct sql_error *error);
/** Definitions change one transaction after the other. */
MUST_CHECK enum status catalog_lock_all(struct qtdb_txn *txn, struct sql_error *error);

/** The definition under another schema and name; the table's own are not changed. */
MUST_CHECK enum status table_move(struct qtdb_txn *txn, const struct table *table,
                                  const char *schema, const char *name, struct arena *arena,
                                  struct sql_error *error);
/** Makes trees for rows and indexes anew under a new id, and drops those of the id before. */
MUST_CHECK enum status table_renew(struct qtdb_txn *txn, struct table *table,
                                   struct sql_error *error);
MUST_CHECK enum status table_drop_trees(struct qtdb_txn *txn, const struct table *table,
                                        struct sql_error *error);
/** Of the table's first index. */
MUST_CHECK enum status table_drop_index_tree(struct qtdb_txn *txn, const struct table *table,
                                             struct sql_error *error);
/** STATUS_NOT_FOUND without an error set when there is none. */
MUST_CHECK enum status schema_find(struct qtdb_txn *txn, const char *name, struct sql_error *error);
MUST_CHECK enum status schema_drop(struct qtdb_txn *txn, const char *name, struct sql_error *error);

MUST_CHECK enum status catalog_remove(struct qtdb_txn *txn, enum catalog_kind kind,
                                      const char *schema, const char *name,
                                      struct sql_error *error);

/** Any kernel code as a status, with the message carried over. QTDB_OK is STATUS_OK. */
MUST_CHECK enum status sql_from_code(enum qtdb_code code, struct sql_error *error);

#endif
