/*
 * Tables as the executor knows them: definitions, and where they are kept.
 *
 * The catalog is the kernel tree "sql/catalog". Its keys: 's' schema name; 't' schema name, 0, table
 * name; 'n' for the next table id; 'v' for the version of the definitions. Rows of table N are in the kernel tree "sql/tN", entries of its
 * unique constraint K in "sql/uN.K". Definitions are read within the transaction that uses them, so
 * DDL is transactional as every other change.
 *
 * Definition bytes: u8 format (1) | u32 id | varint column count | columns | varint key column count,
 * indexes | varint unique count, each (name, varint count, indexes). A column: text name | u8 type |
 * u32 precision | u32 scale | u8 flags | text default.
 */
#ifndef EXECUTOR_TABLE_H
#define EXECUTOR_TABLE_H

#include "executor/row.h"
#include "executor/value.h"

enum { TABLE_KEY_COLUMNS_MAX = 32, TABLE_UNIQUE_MAX = 32 };

struct table_column {
    const char *name;
    struct sql_type type;
    bool not_null;
    const char *default_text; /* A constant in the type's input syntax; NULL: none. */
};

struct table_unique {
    const char *name;
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
    uint32_t unique_count;
    struct table_unique *uniques;
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

/** The kernel trees of a table; `unique` UINT32_MAX: its rows. */
MUST_CHECK enum status table_tree(struct qtdb_txn *txn, const struct table *table, uint32_t unique,
                                  struct qtdb_tree **out, struct sql_error *error);

/** The key of a row with the given values; columns of the key may not be null. 54000 when it is too
 * long. `out` has QTDB_KEY_SIZE_MAX bytes. */
MUST_CHECK enum status table_row_key(const struct table *table, const struct value *values,
                                     uint8_t *out, size_t *size_out, struct sql_error *error);
/** The entry's key of a unique constraint; false in `*any_null_out` means it must be unique. */
MUST_CHECK enum status table_unique_key(const struct table *table, uint32_t unique,
                                        const struct value *values, uint8_t *out, size_t *size_out,
                                        bool *any_null_out, struct sql_error *error);

/** Any kernel code as a status, with the message carried over. QTDB_OK is STATUS_OK. */
MUST_CHECK enum status sql_from_code(enum qtdb_code code, struct sql_error *error);

#endif
