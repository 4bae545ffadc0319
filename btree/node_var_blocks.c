/*
 * Blocks and hints of a variable node: which slots a search has to look at.
 *
 * A hint bounds the heads of the block before it from above and those behind it from below. Heads may
 * be equal, so a key's lower bound lies in one of the blocks whose bounds allow its head: with heads
 * that differ that is one block, sometimes two, and with equal ones as many as have them.
 *
 * A slot put in goes to the first block that position and head allow. One appended behind all others
 * opens a new block when the last one has its share of what the page will hold, judged by the rows so
 * far. When a block has become too long all are made anew, of one size. Of a damaged page hints may
 * say anything: then too.
 */
#include "btree/node_int_search.h"
#include "btree/node_private.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BLOCK_LONG = 16 };

#if defined(__SSE2__)

/* How many hints are below `head`: at most 15, for the last is the highest number. SSE2 compares signed numbers: both sides get a bit turned. */
static uint32_t
hints_below(const uint8_t *hints, uint32_t head)
{
    const __m128i turn = _mm_set1_epi32(INT32_MIN);
    const __m128i wanted = _mm_xor_si128(_mm_set1_epi32((int)head), turn);
    __m128i sum = _mm_setzero_si128();

    for (uint32_t i = 0; i < NODE_BLOCK_COUNT; i += 4) {
        __m128i found = _mm_loadu_si128((const __m128i *)(const void *)(hints + (size_t)i * 4));

        sum = _mm_sub_epi32(sum, _mm_cmpgt_epi32(wanted, _mm_xor_si128(found, turn)));
    }
    sum = _mm_add_epi32(sum, _mm_srli_si128(sum, 8));
    sum = _mm_add_epi32(sum, _mm_srli_si128(sum, 4));
    return (uint32_t)_mm_cvtsi128_si32(sum);
}

#else

static uint32_t
hints_below(const uint8_t *hints, uint32_t head)
{
    uint32_t below = 0;

    for (uint32_t i = 0; i < NODE_BLOCK_COUNT; i++)
        below += __atomic_load_n((const uint32_t *)(const void *)(hints + (size_t)i * 4),
                                 __ATOMIC_RELAXED) < head;
    return below;
}

#endif

bool
node__var_block_bounds(const struct node *node, uint32_t head, uint32_t *from_out, uint32_t *to_out)
{
    const uint8_t *hints = node->bytes + offsetof(struct node_header, hint);
    const uint8_t *blocks = node->bytes + offsetof(struct node_header, block);
    uint32_t first = hints_below(hints, head);
    /* The last block that a head of this size may be in. */
    uint32_t last = head == UINT32_MAX ? NODE_BLOCK_COUNT : hints_below(hints, head + 1);
    *from_out = node__blocks_sum(blocks, first & (NODE_BLOCK_COUNT - 1));
    *to_out = node__blocks_sum(blocks, last < NODE_BLOCK_COUNT ? last + 1 : NODE_BLOCK_COUNT);
    return *from_out <= *to_out && *to_out <= node->count;
}

void
node__var_blocks_make(void *page)
{
    struct node_header *header = node__header(page);
    const struct node_slot *slots = node__slots(page);
    uint32_t count = le16_get(header->count);
    uint32_t share = (count + NODE_BLOCK_COUNT - 1) / NODE_BLOCK_COUNT;

    for (uint32_t block = 0; block < NODE_BLOCK_COUNT; block++) {
        uint32_t first = block * share;
        uint32_t end = first + share;

        header->hint[block] = end < count ? slots[end - 1].head : le32_of(UINT32_MAX);
        header->block[block] = (uint8_t)(first >= count ? 0 : end < count ? share : count - first);
    }
    CHECK(share <= NODE_BLOCK_MAX);
}

/* Slots that a block has when the page is full, if rows go on like those that are there. */
static uint32_t
full_share(const void *page, uint32_t count)
{
    uint32_t used = node__var_used_size(page) - NODE_HEADER_SIZE;
    uint32_t share = (PAGE_SIZE - NODE_HEADER_SIZE) * count / (used | 1) / NODE_BLOCK_COUNT;

    return share < 2 ? 2 : share;
}

void
node__var_blocks_insert(void *page, uint32_t index)
{
    struct node_header *header = node__header(page);
    const struct node_slot *slots = node__slots(page);
    uint32_t count = le16_get(header->count);
    uint32_t head = le32_get(slots[index].head);
    uint32_t longest = 2 * (count / NODE_BLOCK_COUNT);
    uint32_t block = hints_below((const uint8_t *)header->hint, head) & (NODE_BLOCK_COUNT - 1);
    uint32_t end = 0;

    for (uint32_t i = 0; i <= block; i++)
        end += header->block[i];
    /* Among equal heads the position decides. */
    while (end < index && block < NODE_BLOCK_COUNT - 1 && le32_get(header->hint[block]) <= head)
        end += header->block[++block];
    if (index + 1 == count && end == index && index > 0 && block < NODE_BLOCK_COUNT - 1 &&
        le32_get(header->hint[block]) == UINT32_MAX &&
        header->block[block] >= full_share(page, count)) {
        header->hint[block] = slots[index - 1].head;
        block++;
    }
    if (end < index || end - header->block[block] > index ||
        header->block[block] >= (longest < BLOCK_LONG ? BLOCK_LONG : longest))
        node__var_blocks_make(page);
    else
        header->block[block]++;
}

void
node__var_blocks_remove(void *page, uint32_t index)
{
    struct node_header *header = node__header(page);
    uint32_t block = 0;
    uint32_t end = header->block[0];

    while (end <= index && block < NODE_BLOCK_COUNT - 1)
        end += header->block[++block];
    CHECK(header->block[block] > 0);
    header->block[block]--;
}
