/* What a search has reached; the same for every protocol. `search.c` goes on from here: level by level, what is violated.
 *
 * Every state that was reached lies in one array in the order in which it was reached. Whether a state was reached is
 * asked of a bitmap with a bit for each state that there may be, where states have few bits, and otherwise of a table
 * with open addressing of 32-bit entries: the place of a state in the array, and above it as many bits of its hash as
 * there is room for. States are compared as a whole, so that nothing is ever taken for something else.
 *
 * Successors are collected in a buffer and entered together, so that the memory that they need is on its way before it
 * is asked for. There are no parents: a trace is found again by searching each level, backwards, for a state from which
 * the one after it is reached.
 *
 * Threads share the levels chunk by chunk. Each begins with its own part of a level, which is about what it found
 * itself, since it has reached the successors of neighbouring states lately; then it helps the others. Each takes places
 * of the array in blocks of its own; an entry of the table is changed by compare-and-swap once the state that it stands
 * for is written. A table that becomes full is made anew while every thread waits.
 */

enum { BATCH = 1024, TOGETHER = 256, BLOCK = 4096, FEWEST_SLOTS = 1 << 16, CHUNK = 4096 };
enum { RECENT = 1 << 15 };
#define MOST_PLACES (UINT32_MAX - 2)
enum { LAST_SECONDS = 10 };  /* so long at least it may take to find out what is wrong, once something is */
enum { FEWEST_SHARED = 1 << 20 };  /* a table of more slots is filled by all threads together */
enum { CACHED = 1 << 19 };  /* so many bytes are asked for without announcing it */
enum { HERE, STEP, NEW, PLACES };  /* a violation: in a state, in a step out of it, in a state that was entered */
enum { SEARCH, JUDGE, LOOK, PROBE };  /* successors are entered, judged and not kept, left alone, compared with one */
enum { GOING_ON, OUT_OF_STATES, OUT_OF_TIME, OUT_OF_MEMORY, OUT_OF_PLACES };
static const char *const STOPPED[] = {"", "states", "time", "memory", "places"};

typedef struct { int raised; uint64_t place; State state; } Flag;
typedef struct { uint64_t first, end; } Range;
typedef struct { Range *items; size_t count, room; } Ranges;
typedef struct __attribute__((aligned(128))) { _Atomic size_t next; size_t end; } Share;  /* of the chunks of a level */

typedef struct {
    uint64_t taken[ACTIONS + 1], same, terminated;
} Counters;

/* Of its own cache lines: what one thread writes all the time is no neighbour of what another reads. */
typedef struct __attribute__((aligned(128))) Worker {
    State *buffer;
    State *recent;  /* at the place of their hashes: states that this thread has entered; NULL before there is any */
    int mode;
    Counters counters;
    Flag flags[PLACES][KINDS];
    uint64_t entered;
    uint64_t slot, block_end, range_first;
    Ranges found;
    State wanted;
    int hit;
    pthread_t thread;
} Worker;

static struct {
    Stored *states;
    uint64_t most_states;  /* for which there is room */
    _Atomic uint64_t next;  /* the first place that no thread has taken */
    _Atomic uint64_t *bitmap;
    _Atomic uint32_t *table;
    uint64_t slots, limit;
    uint32_t place_mask;
    uint64_t most_bytes, table_bytes, level_bytes;
    uint64_t budget_states;
    double timeout, started, told;
    int threads, deciding;
    Worker *workers;  /* of each thread, and of each one that looks a step further */
    _Atomic int stop;
    Range *chunks;
    size_t chunk_count;
    Share *shares;  /* for each thread, what it begins with */
    _Atomic uint64_t expanded;
    uint64_t depth, choices;
    _Atomic int reached[WANTED + 1];
    /* Threads meet here. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    _Atomic int growing;
    int busy, parked;
    uint64_t round;
    int quit;
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void expand(Worker *worker, uint64_t first, uint64_t count);
static inline void check(Worker *worker, State s, uint64_t place);
static inline void look(State s);
static void initial(Worker *worker);
static void print_result(void);

/* ------------------------------------------------------------------------------------------------------- helpers */

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

_Noreturn static void fail(const char *what) {
    printf("failed %s\n", what);
    fflush(stdout);
    exit(3);
}

/* The system has none left, whatever we may use: that is no fault of the search. */
_Noreturn static void no_memory(void) {
    puts("stopped memory");
    if (all.workers) print_result();
    else puts("end");
    fflush(stdout);
    _exit(0);
}

static void *reserve(uint64_t bytes) {
    void *found = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes > (4u << 20)) madvise(found, bytes, MADV_HUGEPAGE);
#endif
    return found;
}

static void *allocate(size_t count, size_t size) {
    void *found = calloc(count ? count : 1, size);
    if (found == NULL) no_memory();
    return found;
}

static void *resized(void *old, size_t count, size_t size) {
    void *found = realloc(old, count * size);
    if (found == NULL) no_memory();
    return found;
}

static void add_range(Ranges *ranges, uint64_t first, uint64_t end) {
    if (ranges->count == ranges->room) {
        ranges->room = ranges->room ? 2 * ranges->room : 16;
        ranges->items = resized(ranges->items, ranges->room, sizeof(Range));
    }
    ranges->items[ranges->count++] = (Range){first, end};
}

/* The same, joined to the last one where that ends here, and is none of the first `kept`. */
static void push_range(Ranges *ranges, size_t kept, uint64_t first, uint64_t end) {
    if (first == end) return;
    if (ranges->count > kept && ranges->items[ranges->count - 1].end == first) ranges->items[ranges->count - 1].end = end;
    else add_range(ranges, first, end);
}

static uint64_t ranges_length(const Ranges *ranges) {
    uint64_t total = 0;
    for (size_t i = 0; i < ranges->count; i++) total += ranges->items[i].end - ranges->items[i].first;
    return total;
}

__attribute__((cold, noinline, unused)) static void raise_flag(Worker *worker, int where, int kind, State s, uint64_t place) {
    Flag *flag = &worker->flags[where][kind];
    if (!flag->raised || place < flag->place) *flag = (Flag){1, place, s};
}

__attribute__((cold, noinline, unused)) static void raise_nowhere(Worker *worker, int kind) {
    if (!worker->flags[HERE][kind].raised) worker->flags[HERE][kind] = (Flag){2, 0, no_state};
}

/* Numbers that one thread changes and another may read meanwhile. */
static inline uint64_t read_shared(const uint64_t *number) { return __atomic_load_n(number, __ATOMIC_RELAXED); }
static inline void add_shared(uint64_t *number, uint64_t more) {
    __atomic_store_n(number, read_shared(number) + more, __ATOMIC_RELAXED);
}

static uint64_t entered(void) {
    uint64_t total = 0;
    for (int i = 0; i < all.threads; i++) total += read_shared(&all.workers[i].entered);
    return total;
}

static Counters counters(void) {
    Counters total = {0};
    for (int i = 0; i < all.threads; i++) {
        for (int action = 0; action < ACTIONS; action++)
            total.taken[action] += read_shared(&all.workers[i].counters.taken[action]);
        total.same += read_shared(&all.workers[i].counters.same);
        total.terminated += read_shared(&all.workers[i].counters.terminated);
    }
    return total;
}

static uint64_t generated(void) {
    Counters total = counters();
    uint64_t found = all.choices + total.terminated;
    for (int action = 0; action < ACTIONS; action++) found += total.taken[action];
    return found;
}

/* ----------------------------------------------------------------------------------------------- what was reached */

static uint64_t bytes_used(void) {
    return atomic_load_explicit(&all.next, memory_order_relaxed) * sizeof(Stored) + all.table_bytes + all.level_bytes;
}

#if WIDTH > NARROW
static uint32_t entry_of(uint64_t place, uint64_t hash) {
    return (uint32_t)(place + 1) | ((uint32_t)hash & ~all.place_mask);
}

static uint64_t slot_of(uint64_t hash) {
    return ((hash >> 32) * all.slots) >> 32;
}

static int new_table(uint64_t slots) {
    uint64_t bytes = slots * sizeof(uint32_t);
    if (bytes + atomic_load(&all.next) * sizeof(Stored) + all.level_bytes > all.most_bytes) return 0;
    void *found = reserve(bytes);
    if (found == NULL) return 0;
    all.table = found;
    all.table_bytes = bytes;
    all.slots = slots;
    all.limit = slots - slots / 4;
    int bits = 1;
    while (bits < 32 && (UINT64_C(1) << bits) <= slots) bits++;
    all.place_mask = bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
    return 1;
}

/* Whether a slot was free; the entry is in it then. */
static inline int put_into(uint64_t slot, uint32_t entry) {
    _Atomic uint32_t *place = &all.table[slot];
    uint32_t none = 0;
    if (atomic_load_explicit(place, memory_order_relaxed)) return 0;
    if (all.threads > 1)
        return atomic_compare_exchange_strong_explicit(place, &none, entry, memory_order_relaxed, memory_order_relaxed);
    atomic_store_explicit(place, entry, memory_order_relaxed);
    return 1;
}

static void put_again(uint64_t first, uint64_t end) {
    uint64_t hashes[TOGETHER];
    while (first < end) {
        size_t count = end - first < TOGETHER ? (size_t)(end - first) : TOGETHER;
        for (size_t i = 0; i < count; i++) {
            hashes[i] = hash_of(load(&all.states[first + i]));
            __builtin_prefetch((const void *)&all.table[slot_of(hashes[i])], 1);
        }
        for (size_t i = 0; i < count; i++) {
            uint64_t slot = slot_of(hashes[i]);
            while (!put_into(slot, entry_of(first + i, hashes[i]))) slot = slot + 1 == all.slots ? 0 : slot + 1;
        }
        first += count;
    }
}

typedef struct {
    const Ranges *everything;
    size_t count;
    uint64_t part, parts;
    pthread_t thread;
} Refill;

/* The states of one part of each range. */
static void *refill(void *given) {
    const Refill *task = given;
    for (size_t i = 0; i < task->count; i++)
        for (size_t j = 0; j < task->everything[i].count; j++) {
            Range range = task->everything[i].items[j];
            uint64_t length = range.end - range.first;
            put_again(range.first + length * task->part / task->parts, range.first + length * (task->part + 1) / task->parts);
        }
    return NULL;
}

/* Every state into an empty table: what the search does alone here, it does with helpers where it has threads that wait
 * meanwhile, since it would make up a quarter of all the time otherwise. */
static void refill_table(const Ranges *everything, size_t count) {
    uint64_t parts = all.slots > FEWEST_SHARED ? (uint64_t)all.threads : 1;
    Refill *tasks = allocate((size_t)parts, sizeof(Refill));
    for (uint64_t part = 0; part < parts; part++) {
        tasks[part] = (Refill){.everything = everything, .count = count, .part = part, .parts = parts};
        if (part && pthread_create(&tasks[part].thread, NULL, refill, &tasks[part])) fail("no threads");
    }
    refill(&tasks[0]);
    for (uint64_t part = 1; part < parts; part++) pthread_join(tasks[part].thread, NULL);
    free(tasks);
}

/* A larger table, with every state that was entered. The old one goes first: a state lies in the array, too. */
static void grow(const Ranges *everything, size_t count) {
    uint64_t slots = all.slots + (all.slots > (1 << 20) ? all.slots / 5 * 2 : all.slots);
    if (slots > UINT32_MAX) slots = UINT32_MAX;
    if (slots == all.slots) {
        atomic_store(&all.stop, OUT_OF_PLACES);
        return;
    }
    uint64_t before = all.slots;
    munmap((void *)all.table, all.table_bytes);
    all.table_bytes = 0;
    if (!new_table(slots)) {
        atomic_store(&all.stop, OUT_OF_MEMORY);
        if (!new_table(before)) no_memory();
    }
    refill_table(everything, count);
}
#endif

static Ranges in_order;  /* every state that was entered, level by level: those that are finished, and the present one */
static size_t *level_ends;  /* where the ranges of each level end */
static size_t level_count, level_room;

static Ranges level_of(size_t number) {
    size_t first = number ? level_ends[number - 1] : 0;
    return (Ranges){in_order.items + first, level_ends[number] - first, 0};
}

#if WIDTH > NARROW
/* Every thread waits, and one makes the table larger. */
static void grow_alone(void) {
    Ranges *everything = allocate(1 + 2 * (size_t)all.threads, sizeof(Ranges));
    size_t count = 0;
    everything[count++] = in_order;
    Ranges *open = allocate((size_t)all.threads, sizeof(Ranges));
    for (int i = 0; i < all.threads; i++) {
        everything[count++] = all.workers[i].found;
        push_range(&open[i], 0, all.workers[i].range_first, all.workers[i].slot);
        everything[count++] = open[i];
    }
    grow(everything, count);
    for (int i = 0; i < all.threads; i++) free(open[i].items);
    free(open);
    free(everything);
}
#endif

static int too_full(void) {
#if WIDTH > NARROW
    uint64_t slack = (uint64_t)all.threads * (TOGETHER + BLOCK);
    return atomic_load_explicit(&all.next, memory_order_relaxed) + (all.threads > 1 ? slack : BLOCK) > all.limit;
#else
    return 0;
#endif
}

/* Called with the mutex held, by whoever is the last to stop. */
static void grow_if_all_wait(void) {
#if WIDTH > NARROW
    if (all.growing && all.parked == all.busy) {
        if (too_full() && !atomic_load(&all.stop)) grow_alone();
        all.growing = 0;
        pthread_cond_broadcast(&all.changed);
    }
#endif
}

static void make_room(void) {
    if (__builtin_expect(!too_full() && !atomic_load_explicit(&all.growing, memory_order_relaxed), 1)) return;
#if WIDTH > NARROW
    if (all.threads == 1) {
        while (too_full() && !atomic_load(&all.stop)) grow_alone();
        return;
    }
#endif
    pthread_mutex_lock(&all.mutex);
    while (!atomic_load(&all.stop) && (all.growing || too_full())) {
        all.growing = 1;
        all.parked++;
        grow_if_all_wait();
        while (all.growing) pthread_cond_wait(&all.changed, &all.mutex);
        all.parked--;
    }
    pthread_mutex_unlock(&all.mutex);
}

/* A place of the array for one more state. */
static inline uint64_t take_slot(Worker *worker) {
    if (__builtin_expect(worker->slot == worker->block_end, 0)) {
        push_range(&worker->found, 0, worker->range_first, worker->slot);
        worker->slot = worker->range_first = atomic_fetch_add(&all.next, BLOCK);
        worker->block_end = worker->slot + BLOCK;
    }
    return worker->slot;
}

static int room_for_block(void) {
    uint64_t next = atomic_load_explicit(&all.next, memory_order_relaxed) + (uint64_t)all.threads * BLOCK;
    if (next > MOST_PLACES) return OUT_OF_PLACES;
    if (next > all.most_states) return OUT_OF_MEMORY;
    return next * sizeof(Stored) + all.table_bytes + all.level_bytes > all.most_bytes ? OUT_OF_MEMORY : GOING_ON;
}

static inline void keep(Worker *worker, State t, uint64_t place) {
    worker->slot++;
    add_shared(&worker->entered, 1);
    check(worker, t, place);
    if (WANTED) look(t);
}

#if WIDTH <= NARROW
static inline void enter(Worker *worker, State t) {
    _Atomic uint64_t *word = &all.bitmap[t >> 6];
    uint64_t bit = UINT64_C(1) << (t & 63), found = atomic_load_explicit(word, memory_order_relaxed);
    if (found & bit) return;
    if (all.threads == 1) atomic_store_explicit(word, found | bit, memory_order_relaxed);
    else if (atomic_fetch_or_explicit(word, bit, memory_order_relaxed) & bit) return;
    uint64_t place = take_slot(worker);
    store(&all.states[place], t);
    keep(worker, t, place);
}
#else
static inline void enter(Worker *worker, State t, uint64_t hash, uint64_t slot) {
    uint32_t tag = (uint32_t)hash & ~all.place_mask;
    int written = 0;
    for (;;) {
        uint32_t entry = atomic_load_explicit(&all.table[slot], memory_order_acquire);
        if (entry == 0) {
            uint64_t place = take_slot(worker);
            if (!written) store(&all.states[place], t);
            written = 1;
            if (all.threads == 1) {
                atomic_store_explicit(&all.table[slot], entry_of(place, hash), memory_order_relaxed);
                keep(worker, t, place);
                return;
            }
            if (atomic_compare_exchange_strong_explicit(
                    &all.table[slot], &entry, entry_of(place, hash), memory_order_acq_rel, memory_order_acquire)) {
                keep(worker, t, place);
                return;
            }
        }
        if ((entry & ~all.place_mask) == tag && equal(load(&all.states[(entry & all.place_mask) - 1]), t)) return;
        slot = slot + 1 == all.slots ? 0 : slot + 1;
    }
}
#endif

#if WIDTH > NARROW
/* The states of a batch that were not entered lately, and their hashes: most steps lead to a state that was reached a
 * moment ago by another order of the same actions, and need not ask a table that lies far away. */
static size_t not_recent(Worker *worker, const State *batch, size_t count, State *others, uint64_t *hashes) {
    if (worker->recent == NULL) {
        worker->recent = allocate(RECENT, sizeof(State));
        for (size_t i = 0; i < RECENT; i++) worker->recent[i] = load(&all.states[0]);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = hash_of(batch[i]);
        State *recent = &worker->recent[hash % RECENT];
        if (equal(*recent, batch[i])) continue;
        *recent = others[kept] = batch[i];
        hashes[kept++] = hash;
    }
    return kept;
}
#endif

static void enter_all(Worker *worker, size_t filled) {
    const State *buffer = worker->buffer;
    for (size_t start = 0; start < filled; start += TOGETHER) {
        size_t count = filled - start < TOGETHER ? filled - start : TOGETHER;
        const State *batch = buffer + start;
        make_room();
        int full = room_for_block();
        if (full) {
            int none = GOING_ON;
            atomic_compare_exchange_strong(&all.stop, &none, full);
        }
        if (atomic_load_explicit(&all.stop, memory_order_relaxed)) return;
#if WIDTH <= NARROW
        if ((UINT64_C(1) << WIDTH) / 8 > CACHED)
            for (size_t i = 0; i < count; i++) __builtin_prefetch((const void *)&all.bitmap[batch[i] >> 6], 1);
        for (size_t i = 0; i < count; i++) enter(worker, batch[i]);
#else
        uint64_t hashes[TOGETHER], slots[TOGETHER];
        State others[TOGETHER];
        int far = all.table_bytes > CACHED;
        if (far && read_shared(&all.workers[0].entered)) count = not_recent(worker, batch, count, others, hashes), batch = others;
        else
            for (size_t i = 0; i < count; i++) hashes[i] = hash_of(batch[i]);
        for (size_t i = 0; i < count; i++) {
            slots[i] = slot_of(hashes[i]);
            if (far) __builtin_prefetch((const void *)&all.table[slots[i]], 1);
        }
        if (far)
            for (size_t i = 0; i < count; i++) {
                uint32_t tag = (uint32_t)hashes[i] & ~all.place_mask;
                for (;;) {
                    uint32_t entry = atomic_load_explicit(&all.table[slots[i]], memory_order_relaxed);
                    if (entry == 0) break;
                    if ((entry & ~all.place_mask) == tag) {
                        __builtin_prefetch(&all.states[(entry & all.place_mask) - 1], 0);
                        break;
                    }
                    slots[i] = slots[i] + 1 == all.slots ? 0 : slots[i] + 1;
                }
            }
        for (size_t i = 0; i < count; i++) enter(worker, batch[i], hashes[i], slots[i]);
#endif
    }
}

/* The successors in the buffer are judged as the states that they would be. What was reached before has been judged, and
 * nothing was wrong with it. */
__attribute__((cold, noinline)) static void judge(Worker *worker, size_t filled) {
    for (size_t i = 0; i < filled; i++) check(worker, worker->buffer[i], UINT64_MAX);
    if (!LOOKS_AHEAD) return;
    uint64_t own = (uint64_t)(worker - all.workers), place = all.most_states + 1 + own * (BATCH + ROOM);
    Worker *ahead = &all.workers[(uint64_t)all.threads + own];
    Flag *undefined = &ahead->flags[HERE][WELL_DEFINED];
    for (size_t i = 0; i < filled; i++) store(&all.states[place + i], worker->buffer[i]);
    ahead->mode = LOOK;
    expand(ahead, place, filled);
    if (undefined->raised) raise_flag(worker, NEW, WELL_DEFINED, undefined->state, UINT64_MAX);
    undefined->raised = 0;
}

/* What becomes of the successors in the buffer; it is empty after that. */
static size_t flush(Worker *worker, size_t filled) {
    if (worker->mode == SEARCH) enter_all(worker, filled);
    else if (worker->mode == JUDGE) judge(worker, filled);
    else if (worker->mode == PROBE)
        for (size_t i = 0; i < filled; i++) worker->hit |= equal(worker->buffer[i], worker->wanted);
    return 0;
}
