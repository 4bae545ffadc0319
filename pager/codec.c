/*
 * Codecs for readers and writers of compressed values. Making one takes longer than most of its uses,
 * so a few idle ones are kept; what is given back beyond them is freed.
 */
#include "kernel/base/compress.h"
#include "pager/pager_private.h"

enum status
pager_codec_take(struct pager *pager, struct compress **out)
{
    struct codec_pool *pool = &pager->codecs;

    latch_lock(&pool->latch);
    struct compress *codec = pool->count > 0 ? pool->idle[--pool->count] : NULL;

    latch_unlock(&pool->latch);
    if (codec == NULL)
        return compress_new(pager->env.memory, out);
    *out = codec;
    return STATUS_OK;
}

void
pager_codec_give(struct pager *pager, struct compress *codec)
{
    struct codec_pool *pool = &pager->codecs;

    latch_lock(&pool->latch);
    bool kept = pool->count < CODECS_KEPT;

    if (kept)
        pool->idle[pool->count++] = codec;
    latch_unlock(&pool->latch);
    if (!kept)
        compress_free(codec);
}

void
pager__codec_close(struct pager *pager)
{
    while (pager->codecs.count > 0)
        compress_free(pager->codecs.idle[--pager->codecs.count]);
}
