/*
 * Goal: no text makes the parser or the conversion of its tree crash, leak or read out of bounds.
 * Method: the input is a text; whatever comes back is a list of statements or an error with a SQLSTATE.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory *memory = memory_new();
    struct ast_statement *statements = NULL;
    struct sql_error error = {.location = -1};
    uint32_t count = 0;
    struct arena arena;
    char *sql = malloc(size + 1);

    if (memory == NULL || sql == NULL)
        abort();
    memcpy(sql, data, size);
    sql[size] = '\0';
    arena_init(&arena, memory, MEMORY_SQL);
    enum status status = sql_parse(sql, &arena, &statements, &count, &error);
    if (status == STATUS_INVALID && strlen(error.sqlstate) != 5)
        abort();
    arena_deinit(&arena);
    memory_delete(memory);
    free(sql);
    return 0;
}
