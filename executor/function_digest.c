/* Digests of texts and bytes: md5 as hexadecimal digits, the sha family as bytes. libcrypto computes them;
 * only this file sees it. */
#include <openssl/evp.h>
#include <string.h>

#include "executor/function.h"

static enum status
digest(const struct value *value, const EVP_MD *kind, struct eval *eval, uint8_t *out,
       unsigned *size_out)
{
    if (EVP_Digest(value->bytes, value->size, out, size_out, kind, NULL) == 1)
        return STATUS_OK;
    return sql_error_set(eval->error, "XX000", -1,
                         "the cryptographic library refuses this kind of digest");
}

static enum status
call_md5(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    (void)expr;
    TRY(digest(&arguments[0], EVP_md5(), eval, bytes, &size));
    char *text = arena_alloc(eval->arena, 2 * (size_t)size);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    *out = value_bytes(QTDB_TYPE_TEXT, text, 2 * (size_t)size);
    return STATUS_OK;
}

static enum status
call_sha(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    const char *name = expr->function->name;
    const EVP_MD *kind = strcmp(name, "sha224") == 0   ? EVP_sha224()
                         : strcmp(name, "sha256") == 0 ? EVP_sha256()
                         : strcmp(name, "sha384") == 0 ? EVP_sha384()
                                                       : EVP_sha512();
    uint8_t *bytes = arena_alloc(eval->arena, EVP_MAX_MD_SIZE);
    unsigned size = 0;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    TRY(digest(&arguments[0], kind, eval, bytes, &size));
    *out = value_bytes(QTDB_TYPE_BYTEA, bytes, size);
    return STATUS_OK;
}

const struct function function_digest_table[] = {
    {"md5", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_md5},
    {"md5", 1, 1, {QTDB_TYPE_BYTEA}, QTDB_TYPE_TEXT, false, false, call_md5},
    {"sha224", 1, 1, {QTDB_TYPE_BYTEA}, QTDB_TYPE_BYTEA, false, false, call_sha},
    {"sha256", 1, 1, {QTDB_TYPE_BYTEA}, QTDB_TYPE_BYTEA, false, false, call_sha},
    {"sha384", 1, 1, {QTDB_TYPE_BYTEA}, QTDB_TYPE_BYTEA, false, false, call_sha},
    {"sha512", 1, 1, {QTDB_TYPE_BYTEA}, QTDB_TYPE_BYTEA, false, false, call_sha},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
