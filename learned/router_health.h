/*
 * Does a router still pay: counters beside a router in use, and the rule that says when to train anew.
 *
 * The counters are relaxed atomics: any thread adds, none waits. Look-ups are added in batches (a
 * thread's own tally, every few hundred), because a shared counter written at each look-up costs more
 * than the look-up. Counts may be a little behind; the rule does not care.
 */
#ifndef LEARNED_ROUTER_HEALTH_H
#define LEARNED_ROUTER_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Train anew when more than 2% of the leaves are unknown to the directory, ... */
#define ROUTER_HEALTH_NEW_PERCENT_MAX UINT64_C(2)
/* ... 0.05 hops or fall-backs a look-up were needed, once this many look-ups were seen, ... */
#define ROUTER_HEALTH_HOP_PERCENT_MAX UINT64_C(5)
#define ROUTER_HEALTH_LOOKUP_MIN UINT64_C(1000)
/* ... or an eighth of the directory was appended since. */
#define ROUTER_HEALTH_APPENDED_SHARE 8

struct router_health {
    uint32_t trained_count; /* Leaves at training. Fixed. */
    _Atomic uint64_t lookup_count;
    _Atomic uint64_t hop_count;      /* Sibling links followed. */
    _Atomic uint64_t fallback_count; /* Look-ups the tree had to answer. */
    _Atomic uint64_t split_count;    /* Leaves that came between others: not in the directory. */
    _Atomic uint64_t removed_count;  /* Leaves merged away or freed: still in the directory. */
    _Atomic uint64_t appended_count; /* Leaves added at the directory's right edge. */
};

/* What a thread has gathered. */
struct router_tally {
    uint64_t lookup_count;
    uint64_t hop_count;
    uint64_t fallback_count;
};

enum router_rebuild {
    ROUTER_KEEP = 0,
    ROUTER_REBUILD_LEAVES = 1,   /* Too many leaves came or went. */
    ROUTER_REBUILD_HOPS = 2,     /* Too many hops or fall-backs. */
    ROUTER_REBUILD_APPENDED = 3, /* The part without a model has become large. */
};

/** Zero counts for a router trained on `trained_count` leaves. */
void router_health_init(struct router_health *health, uint32_t trained_count);

/** Adds what a thread gathered, and clears it. */
void router_health_add(struct router_health *health, struct router_tally *tally);

void router_health_split(struct router_health *health);
void router_health_removed(struct router_health *health);
void router_health_appended(struct router_health *health);

/** Is it time to train anew, and why. A few relaxed loads; any thread. */
enum router_rebuild router_health_judge(const struct router_health *health);

/** Share of leaves the directory does not know, 0 to 1: also the hops a uniform look-up is expected to
 * need, since a leaf that came by a split is one link away. */
double router_health_new_share(const struct router_health *health);

/** Hops a look-up, as counted; 0 before the first one. */
double router_health_hops(const struct router_health *health);

#endif
