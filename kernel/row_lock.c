/*
 * The lock table: chains of claims by the hash of tree and key, each claim either granted, waiting, or
 * (an upgrade from shared to exclusive) both.
 *
 * A claim can be granted when no other holder has the key in a conflicting mode and no conflicting
 * claim arrived before it and waits; an upgrade goes ahead of those who wait, for they wait for its
 * holder anyway. Whoever gives a claim up looks through the chain and grants what can be granted now.
 *
 * Waiting: the claim is linked and its holder says what it waits for, under the latch of its partition;
 * then all latches are taken and the holders that it waits for are followed. New edges come about only
 * by a holder that begins to wait, and each looks before it sleeps, so the last one of a circle finds
 * it and is the victim: one a circle.
 */
#include "kernel/row_lock.h"

#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/row_lock_private.h"

enum { CHAINS_FIRST = 64, CHAIN_FILL = 1 };

struct lock_name {
    uint64_t hash;
    uint32_t tree_id;
    const void *key;
    size_t key_size;
};

/* ---- Life --------------------------------------------------------------------------------------- */

enum status
lock_table_init(struct lock_table *table, struct memory *memory)
{
    table->memory = memory;
    for (uint32_t i = 0; i < LOCK_PARTITIONS; i++) {
        struct lock_partition *partition = &table->partition[i];

        partition->chains =
            memory_alloc(memory, MEMORY_LOCKS, CHAINS_FIRST * sizeof(*partition->chains));
        if (partition->chains == NULL)
            return STATUS_NO_MEMORY;
        partition->chain_count = CHAINS_FIRST;
    }
    return STATUS_OK;
}

void
lock_table_deinit(struct lock_table *table)
{
    for (uint32_t i = 0; i < LOCK_PARTITIONS; i++) {
        struct lock_partition *partition = &table->partition[i];

        CHECK(partition->count == 0);
        memory_free(table->memory, MEMORY_LOCKS, partition->chains,
                    partition->chain_count * sizeof(*partition->chains));
    }
}

void
lock_holder_init(struct lock_holder *holder, struct memory *memory, size_t size_limit)
{
    *holder = (struct lock_holder){.size_limit = size_limit};
    arena_init_raw(&holder->arena, memory, MEMORY_LOCKS);
}

void
lock_holder_deinit(struct lock_holder *holder)
{
    CHECK(holder->locks == NULL && holder->waiting == NULL);
    arena_deinit(&holder->arena);
}

/* ---- Chains ------------------------------------------------------------------------------------- */

static struct lock_partition *
partition_of(struct lock_table *table, uint64_t hash)
{
    return &table->partition[hash % LOCK_PARTITIONS];
}

static struct row_lock **
chain_of(const struct lock_partition *partition, uint64_t hash)
{
    return &partition->chains[hash / LOCK_PARTITIONS & (partition->chain_count - 1)];
}

static bool
is_same(const struct row_lock *a, const struct row_lock *b)
{
    return a->hash == b->hash && a->tree_id == b->tree_id && a->key_size == b->key_size &&
           memcmp(a->key, b->key, a->key_size) == 0;
}

static bool
conflicts(enum lock_mode a, enum lock_mode b)
{
    return a != LOCK_NONE && b != LOCK_NONE && (a == LOCK_EXCLUSIVE || b == LOCK_EXCLUSIVE);
}

/* Does `other`, before or behind it in the chain, keep the claim from being granted? */
static bool
blocks(const struct row_lock *other, bool other_is_before, const struct row_lock *claim,
       enum lock_mode wanted)
{
    if (other->holder == claim->holder)
        return false;
    if (conflicts(other->mode, wanted))
        return true;
    return other_is_before && claim->mode == LOCK_NONE && conflicts(other->wanted, wanted);
}

static bool
is_grantable(struct row_lock *chain, const struct row_lock *claim, enum lock_mode wanted)
{
    bool is_before = true;

    for (const struct row_lock *other = chain; other != NULL; other = other->next) {
        if (other == claim)
            is_before = false;
        else if (is_same(other, claim) && blocks(other, is_before, claim, wanted))
            return false;
    }
    return true;
}

/* Twice the chains when they are long. Without memory they stay long. */
static void
grow(struct lock_table *table, struct lock_partition *partition)
{
    uint32_t old_count = partition->chain_count;
    struct row_lock **old = partition->chains;

    if (partition->count < old_count * CHAIN_FILL)
        return;
    struct row_lock **fresh =
        memory_alloc(table->memory, MEMORY_LOCKS, old_count * 2 * sizeof(*fresh));

    if (fresh == NULL) {
        error_clear();
        return;
    }
    partition->chains = fresh;
    partition->chain_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        /* Each chain falls into two; the order of arrival stays. */
        struct row_lock **end[2] = {&fresh[i], &fresh[i + old_count]};

        for (struct row_lock *at = old[i]; at != NULL; at = at->next) {
            uint32_t half = chain_of(partition, at->hash) == &fresh[i] ? 0 : 1;

            *end[half] = at;
            end[half] = &at->next;
        }
        *end[0] = NULL;
        *end[1] = NULL;
    }
    memory_free(table->memory, MEMORY_LOCKS, old, old_count * sizeof(*old));
}

static void
chain_claim(struct lock_table *table, struct lock_partition *partition, struct row_lock *claim)
{
    struct row_lock **link;

    grow(table, partition);
    link = chain_of(partition, claim->hash);
    while (*link != NULL)
        link = &(*link)->next;
    *link = claim;
    claim->next = NULL;
    partition->count++;
}

static void
link_claim(struct lock_table *table, struct lock_partition *partition, struct row_lock *claim)
{
    chain_claim(table, partition, claim);
    claim->holder_next = claim->holder->locks;
    claim->holder->locks = claim;
}

void
lock__chain(struct lock_table *table, struct row_lock *claim)
{
    claim->hash = checksum64(claim->key, claim->key_size, claim->tree_id);
    chain_claim(table, partition_of(table, claim->hash), claim);
}

void
lock__latch_all(struct lock_table *table)
{
    for (uint32_t i = 0; i < LOCK_PARTITIONS; i++)
        latch_lock(&table->partition[i].latch);
}

void
lock__unlatch_all(struct lock_table *table)
{
    for (uint32_t i = LOCK_PARTITIONS; i-- > 0;)
        latch_unlock(&table->partition[i].latch);
}

/* Takes the claim out of its chain; it stays in the holder's list. */
static void
unlink_claim(struct lock_partition *partition, struct row_lock *claim)
{
    struct row_lock **link = chain_of(partition, claim->hash);

    while (*link != claim) {
        CHECK(*link != NULL);
        link = &(*link)->next;
    }
    *link = claim->next;
    CHECK(partition->count > 0);
    partition->count--;
}

/* Grants what can be granted of the claim's key. The signal is sent under the latch: whoever wakes
 * takes it before going on, so the event is still there. */
static void
grant_next(struct lock_partition *partition, const struct row_lock *given_up)
{
    struct row_lock *chain = *chain_of(partition, given_up->hash);

    if (partition->wait_count == 0)
        return;
    for (struct row_lock *claim = chain; claim != NULL; claim = claim->next) {
        if (claim->wanted == LOCK_NONE || !is_same(claim, given_up) ||
            !is_grantable(chain, claim, claim->wanted))
            continue;
        claim->mode = claim->wanted;
        claim->wanted = LOCK_NONE;
        claim->holder->waiting = NULL;
        partition->wait_count--;
        event_signal(&claim->holder->event);
    }
}

/* ---- Deadlocks ---------------------------------------------------------------------------------- */

static void
push_blockers(struct lock_table *table, const struct row_lock *claim, struct lock_holder **stack)
{
    bool is_before = true;

    for (struct row_lock *other = *chain_of(partition_of(table, claim->hash), claim->hash);
         other != NULL; other = other->next) {
        if (other == claim)
            is_before = false;
        if (!is_same(other, claim) || !blocks(other, is_before, claim, claim->wanted) ||
            other->holder->visited == table->round)
            continue;
        other->holder->visited = table->round;
        other->holder->visit_next = *stack;
        *stack = other->holder;
    }
}

/* Does the holder wait for itself? Under all latches. */
static bool
is_in_circle(struct lock_table *table, struct lock_holder *holder)
{
    struct lock_holder *stack = holder;

    table->round++;
    holder->visit_next = NULL;
    while (stack != NULL) {
        struct lock_holder *at = stack;

        stack = at->visit_next;
        if (at->waiting != NULL)
            push_blockers(table, at->waiting, &stack);
        /* Only now: it is the first to be looked at, and found again only through others. */
        if (holder->visited == table->round)
            return true;
    }
    return false;
}

/* Takes back a claim that waits: an upgrade keeps what it had. Under the latch of its partition. */
static void
cancel(struct lock_partition *partition, struct row_lock *claim)
{
    struct lock_holder *holder = claim->holder;

    claim->wanted = LOCK_NONE;
    holder->waiting = NULL;
    CHECK(partition->wait_count > 0);
    partition->wait_count--;
    if (claim->mode == LOCK_NONE) {
        CHECK(holder->locks == claim);
        holder->locks = claim->holder_next;
        unlink_claim(partition, claim);
    }
    grant_next(partition, claim);
}

/* True when the holder would wait for ever; then its claim is taken back. */
static bool
is_victim(struct lock_table *table, struct row_lock *claim)
{
    bool victim;

    lock__latch_all(table);
    victim = claim->wanted != LOCK_NONE && is_in_circle(table, claim->holder);
    if (victim)
        cancel(partition_of(table, claim->hash), claim);
    lock__unlatch_all(table);
    return victim;
}

/* ---- Acquiring ---------------------------------------------------------------------------------- */

static enum status
refuse_busy(void)
{
    return error_raise(STATUS_BUSY, "the row is locked by another transaction: try again later");
}

static enum status
wait_for(struct lock_table *table, struct row_lock *claim, uint64_t timeout_ns)
{
    struct lock_partition *partition = partition_of(table, claim->hash);
    struct lock_holder *holder = claim->holder;
    bool in_time = true;

    if (is_victim(table, claim)) {
        atomic_fetch_add_explicit(&table->deadlock_count, 1, memory_order_relaxed);
        return error_raise(
            STATUS_CONFLICT,
            "deadlock: this transaction waits for a row that another one has locked, "
            "and that one waits for this one; run it again");
    }
    atomic_fetch_add_explicit(&table->wait_count, 1, memory_order_relaxed);
    for (;;) {
        uint32_t seen = event_count(&holder->event);

        latch_lock(&partition->latch);
        bool granted = claim->wanted == LOCK_NONE;

        if (!granted && !in_time)
            cancel(partition, claim);
        latch_unlock(&partition->latch);
        if (granted)
            return STATUS_OK;
        if (!in_time)
            return refuse_busy();
        if (timeout_ns == LOCK_WAIT_FOR_EVER)
            event_wait(&holder->event, seen);
        else
            in_time = event_wait_for(&holder->event, seen, timeout_ns);
    }
}

/* The holder's own claim on the key, or NULL. */
static struct row_lock *
find_own(const struct lock_partition *partition, const struct lock_holder *holder,
         const struct lock_name *name)
{
    for (struct row_lock *at = *chain_of(partition, name->hash); at != NULL; at = at->next)
        if (at->hash == name->hash && at->holder == holder && at->tree_id == name->tree_id &&
            at->key_size == name->key_size && memcmp(at->key, name->key, at->key_size) == 0)
            return at;
    return NULL;
}

enum status
lock__claim_new(struct lock_holder *holder, const struct lock_row *row, struct row_lock **out)
{
    if (holder->arena.total_size > holder->size_limit)
        return error_raise(STATUS_FULL,
                           "the transaction's row locks take more than %zu bytes (write_set_limit)",
                           holder->size_limit);
    struct row_lock *claim = arena_alloc_raw(&holder->arena, sizeof(*claim) + row->key_size);

    if (claim == NULL)
        return STATUS_NO_MEMORY;
    *claim = (struct row_lock){
        .holder = holder, .tree_id = row->tree_id, .key_size = (uint32_t)row->key_size};
    memcpy(claim->key, row->key, row->key_size);
    *out = claim;
    return STATUS_OK;
}

static enum status
claim_new(struct lock_holder *holder, const struct lock_name *name, struct row_lock **out)
{
    struct lock_row row = {.key = name->key, .key_size = name->key_size, .tree_id = name->tree_id};

    struct row_lock *claim = NULL;

    TRY(lock__claim_new(holder, &row, &claim));
    CHECK(claim != NULL);
    claim->hash = name->hash;
    *out = claim;
    return STATUS_OK;
}

/* Nobody has or wants the key, as far as hashes tell. */
static bool
is_unclaimed(const struct lock_partition *partition, uint64_t hash)
{
    for (const struct row_lock *at = *chain_of(partition, hash); at != NULL; at = at->next)
        if (at->hash == hash)
            return false;
    return true;
}

/* Under the latch: grants the claim or lets it wait. */
static enum status
claim_key(struct lock_table *table, struct lock_holder *holder, const struct lock_name *name,
          enum lock_mode mode, bool may_wait, struct row_lock **out, bool *new_out)
{
    struct lock_partition *partition = partition_of(table, name->hash);
    struct row_lock *claim = NULL;

    *new_out = is_unclaimed(partition, name->hash);
    if (*new_out) {
        TRY(claim_new(holder, name, &claim));
        CHECK(claim != NULL);
        link_claim(table, partition, claim);
        claim->mode = mode;
        *out = claim;
        return STATUS_OK;
    }
    struct row_lock *own = find_own(partition, holder, name);

    claim = own;
    *new_out = own == NULL;
    if (own == NULL)
        TRY(claim_new(holder, name, &claim));
    CHECK(claim != NULL);
    *out = claim;
    if (claim->mode >= mode)
        return STATUS_OK;
    bool granted = is_grantable(*chain_of(partition, claim->hash), claim, mode);

    if (!granted && !may_wait)
        return refuse_busy();
    if (own == NULL)
        link_claim(table, partition, claim);
    claim->mode = granted ? mode : claim->mode;
    claim->wanted = granted ? LOCK_NONE : mode;
    holder->waiting = granted ? NULL : claim;
    partition->wait_count += !granted;
    return STATUS_OK;
}

enum status
lock__key(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id, const void *key,
          size_t key_size, enum lock_mode mode, uint64_t timeout_ns, bool *new_out)
{
    struct lock_name name = {checksum64(key, key_size, tree_id), tree_id, key, key_size};
    struct lock_partition *partition = partition_of(table, name.hash);
    struct row_lock *claim = NULL;

    CHECK(mode != LOCK_NONE && holder->waiting == NULL);
    latch_lock(&partition->latch);
    for (;;) {
        const struct lock_holder *loner = atomic_load_explicit(&table->loner, memory_order_acquire);

        if (loner == NULL || loner == holder)
            break;
        latch_unlock(&partition->latch);
        lock__end_loner(table);
        latch_lock(&partition->latch);
    }
    enum status status = claim_key(table, holder, &name, mode, timeout_ns > 0, &claim, new_out);
    bool waits = status == STATUS_OK && holder->waiting != NULL;

    latch_unlock(&partition->latch);
    return waits ? wait_for(table, claim, timeout_ns) : status;
}

bool
lock__is_held(struct lock_table *table, const struct lock_holder *holder,
              const struct lock_row *row)
{
    struct lock_name name = {checksum64(row->key, row->key_size, row->tree_id), row->tree_id,
                             row->key, row->key_size};
    struct lock_partition *partition = partition_of(table, name.hash);

    latch_lock(&partition->latch);
    const struct row_lock *own = find_own(partition, holder, &name);
    bool held = own != NULL && own->mode >= row->mode;

    latch_unlock(&partition->latch);
    return held;
}

/* Out of list, chain and sight; the next ones may have it. */
static void
give_back(struct lock_table *table, struct row_lock *claim)
{
    struct lock_partition *partition = partition_of(table, claim->hash);

    CHECK(claim->holder->locks == claim);
    claim->holder->locks = claim->holder_next;
    latch_lock(&partition->latch);
    unlink_claim(partition, claim);
    grant_next(partition, claim);
    latch_unlock(&partition->latch);
}

void
lock__give_back_newest(struct lock_table *table, struct lock_holder *holder)
{
    CHECK(holder->waiting == NULL && holder->locks != NULL);
    give_back(table, holder->locks);
}

void
lock_release_all(struct lock_table *table, struct lock_holder *holder)
{
    CHECK(holder->waiting == NULL);
    if (holder->locks == NULL)
        return;
    lock__disown_all(table, holder);
    lock__leave_alone(table, holder);
    while (holder->locks != NULL)
        give_back(table, holder->locks);
    arena_reset(&holder->arena);
}
