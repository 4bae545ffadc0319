/*
 * Tables as the executor knows them: definitions, and where they are kept.
 *
 * The catalog is the kernel tree "sql/catalog". Its keys: 's' schema name; 't' schema name, 0, table
 * name; 'i' and 'w' the same for indexes (value: table name) and views (value: text); 'n' for the next
 * table id; 'v' for the version of the definitions. Rows of table N are in the kernel tree "sql/tN",
 * entries of its index K in "sql/uN.K". Definitions are read within the transaction that uses them, so
 * DDL is transactional as every other change.
 *
 * Definition bytes: u8 format (2) | u32 id | varint column count | columns | varint key column count,
 * positions | varint next index id | varint index count, each (name, varint count, positions, varint id,
 * u8 flags). A column: text name | u8 type | u32 precision | u32 scale | u8 flags | text default.
 * Format 1 has neither next index id nor ids and flags: every index is a unique constraint and its id
 * its position.
 */
#ifndef EXECUTOR_TABLE_H
#define EXECUTOR_TABLE_H

#include "executor/row.h"
#include "executor/value.h"

enum { TABLE_KEY_COLUMNS_MAX = 32, TABLE_INDEX_MAX = 32 };

struct table_column {
    const char *name;
    struct sql_type type;
    bool not_null;
    const char *default_text; /* A constant in the type's input syntax; NULL: none. */
};

/* An index: a tree of its columns' keys to row keys. A unique one has no entry for rows with a null in
 * it; in any other the row's key follows the columns. */
struct table_index {
    const char *name;
    uint32_t id; /* Of its tree; never used again in this table. */
    bool unique;
    bool constraint; /* Made by UNIQUE in the table's definition. */
    uint32_t column_count;
    uint32_t columns[TABLE_KEY_COLUMNS_MAX];
};

struct table {
    uint32_t id;
    const char *schema;
    const char *name;
    uint32_t column_count;
    struct table_column *columns;
    uint32_t key_count; /* 0: a hidden row number is the key. */
    uint32_t keys[TABLE_KEY_COLUMNS_MAX];
    uint32_t index_count;
    struct table_index *indexes;
    uint32_t next_index;    /* Id of the next one. */
    struct sql_type *types; /* Of the columns, for row_decode. */
};

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
/** The key of a row's entry in an index. `*size_out` is 0 when the row has none. */
MUST_CHECK enum status table_index_key(const struct table *table, uint32_t index,
                                       const struct value *values, const void *row_key,
                                       size_t row_key_size, uint8_t *out, size_t *size_out,
                                       struct sql_error *error);

/** A stored row; columns added after it was written have their defaults. Values borrow from `bytes`.
 * XX001 when it is damaged. */
MUST_CHECK enum status table_decode_row(const struct table *table, const void *bytes, size_t size,
                                        struct arena *arena, struct value *out,
                                        struct sql_error *error);

/** Stores a changed definition. */
MUST_CHECK enum status table_replace(struct qtdb_txn *txn, const struct table *table,
                                     struct arena *arena, struct sql_error *error);

/* Names of indexes lead to their tables; views to the text that defined them. Both share the names of
 * tables. */
enum catalog_kind { CATALOG_INDEX = 'i', CATALOG_VIEW = 'w' };
/** STATUS_NOT_FOUND without an error set when there is none. */
MUST_CHECK enum status catalog_find(struct qtdb_txn *txn, enum catalog_kind kind,
                                    const struct ast_name *name, struct arena *arena,
                                    const char **text_out, struct sql_error *error);
/** 42P07 when a table, view or index has the name; `replace` allows one of the same kind. */
MUST_CHECK enum status catalog_put(struct qtdb_txn *txn, enum catalog_kind kind,
                                   const struct ast_name *name, const char *text, bool replace,
                                   struct sql_error *error);
MUST_CHECK enum status catalog_remove(struct qtdb_txn *txn, enum catalog_kind kind,
                                      const char *schema, const char *name,
                                      struct sql_error *error);

/** Any kernel code as a status, with the message carried over. QTDB_OK is STATUS_OK. */
MUST_CHECK enum status sql_from_code(enum qtdb_code code, struct sql_error *error);

#endif
