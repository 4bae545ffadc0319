/* See back_token.h. */
#include "tools/qtdb-migrate/back_token.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct back_token
back_next_token(const char **at)
{
    const char *begin = *at + strspn(*at, " \t\r\n"), *end = begin;
    struct back_token token = {.begin = begin};

    if (*begin == '\0')
        return (struct back_token){.begin = NULL};
    if (*begin == '"' || *begin == '\'') {
        for (end++; *end != '\0'; end++) {
            if (*end == *begin && end[1] != *begin)
                break;
            end += *end == *begin;
        }
        end += *end != '\0';
        token.is_name = *begin == '"';
    } else if (isalpha((unsigned char)*begin) || *begin == '_' || (unsigned char)*begin >= 0x80) {
        while (isalnum((unsigned char)*end) || *end == '_' || *end == '$' ||
               (unsigned char)*end >= 0x80)
            end++;
        token.is_name = true;
    } else if (isdigit((unsigned char)*begin)) {
        while (isalnum((unsigned char)*end) || *end == '.')
            end++;
    } else {
        end++;
    }
    token.size = (size_t)(end - begin);
    *at = end;
    return token;
}

const char *
back_token_name(struct arena *arena, const struct back_token *token)
{
    size_t used = 0;

    if (token->begin[0] != '"')
        return arena_copy_text(arena, token->begin, token->size);
    char *name = arena_alloc(arena, token->size);
    for (size_t i = 1; name != NULL && i + 1 < token->size; i++) {
        name[used++] = token->begin[i];
        i += token->begin[i] == '"';
    }
    if (name != NULL)
        name[used] = '\0';
    return name;
}

bool
back_token_is(const struct back_token *token, const char *word)
{
    return token->begin != NULL && strlen(word) == token->size &&
           strncasecmp(token->begin, word, token->size) == 0;
}
