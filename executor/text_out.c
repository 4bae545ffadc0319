/* Growth by doubling (text_out.h). */
#include "executor/text_out.h"

#include <string.h>

void
text_out_put(struct text_out *out, const void *bytes, size_t size)
{
    if (out->failed)
        return;
    if (out->bytes == NULL || out->size + size + 1 > out->capacity) {
        size_t capacity = 2 * (out->size + size) + 32;
        char *grown = capacity > UINT32_MAX / 2 ? NULL : arena_alloc(out->arena, capacity);

        out->failed = grown == NULL;
        if (out->failed)
            return;
        if (out->bytes != NULL)
            memcpy(grown, out->bytes, out->size);
        out->bytes = grown;
        out->capacity = capacity;
    }
    if (size > 0)
        memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
    out->bytes[out->size] = '\0';
}

void
text_out_puts(struct text_out *out, const char *text)
{
    text_out_put(out, text, strlen(text));
}

enum status
text_out_value(struct text_out *out, enum qtdb_type type, struct value *value_out)
{
    text_out_put(out, "", 0);
    if (out->failed)
        return STATUS_NO_MEMORY;
    *value_out = value_bytes(type, out->bytes, out->size);
    return STATUS_OK;
}
