/* Breadth-first search over what `reached.c` keeps: the levels, what was violated and the way to it, and the program. */

/* ---------------------------------------------------------------------------------------------------------- levels */

static void tell(double now) {
    uint64_t done = atomic_load_explicit(&all.expanded, memory_order_relaxed), distinct = entered();
    printf("progress %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", distinct, generated(), all.depth,
           distinct > done ? distinct - done : 0);
    fflush(stdout);
    all.told = now;
}

static void look_at_budget(int first) {
    int none = GOING_ON, why = GOING_ON;
    double now = seconds();
    if (all.budget_states && entered() > all.budget_states) why = OUT_OF_STATES;
    else if (all.timeout > 0 && now - all.started > all.timeout) why = OUT_OF_TIME;
    if (why) atomic_compare_exchange_strong(&all.stop, &none, why);
    if (first && now - all.told >= 0.2) tell(now);
}

/* What nobody has begun of its own share, then of the others'; the number of chunks when there is none. */
static size_t next_chunk(int own) {
    for (int i = 0; i < all.threads; i++) {
        Share *share = &all.shares[(own + i) % all.threads];
        if (atomic_load_explicit(&share->next, memory_order_relaxed) >= share->end) continue;
        size_t chunk = atomic_fetch_add(&share->next, 1);
        if (chunk < share->end) return chunk;
    }
    return all.chunk_count;
}

static void work(Worker *worker) {
    int own = (int)(worker - all.workers);
    while (!atomic_load_explicit(&all.stop, memory_order_relaxed)) {
        size_t chunk = next_chunk(own);
        if (chunk == all.chunk_count) break;
        uint64_t count = all.chunks[chunk].end - all.chunks[chunk].first;
        expand(worker, all.chunks[chunk].first, count);
        atomic_fetch_add_explicit(&all.expanded, count, memory_order_relaxed);
        if (worker->mode == SEARCH) look_at_budget(own == 0);
    }
}

static void *run_worker(void *given) {
    Worker *worker = given;
    uint64_t round = 0;
    for (;;) {
        pthread_mutex_lock(&all.mutex);
        while (all.round == round && !all.quit) pthread_cond_wait(&all.changed, &all.mutex);
        round = all.round;
        int quit = all.quit;
        pthread_mutex_unlock(&all.mutex);
        if (quit) return NULL;
        work(worker);
        pthread_mutex_lock(&all.mutex);
        all.busy--;
        grow_if_all_wait();
        pthread_cond_broadcast(&all.changed);
        pthread_mutex_unlock(&all.mutex);
    }
}

static void plan_chunks(const Ranges *ranges) {
    uint64_t length = ranges_length(ranges), size = length / ((uint64_t)all.threads * 8);
    if (all.threads == 1 || size > CHUNK) size = CHUNK;
    if (size < 64) size = 64;
    size_t count = 0;
    for (size_t i = 0; i < ranges->count; i++)
        count += (size_t)((ranges->items[i].end - ranges->items[i].first + size - 1) / size);
    free(all.chunks);
    all.chunks = allocate(count, sizeof(Range));
    all.chunk_count = count;
    count = 0;
    for (size_t i = 0; i < ranges->count; i++)
        for (uint64_t first = ranges->items[i].first; first < ranges->items[i].end; first += size) {
            uint64_t end = first + size < ranges->items[i].end ? first + size : ranges->items[i].end;
            all.chunks[count++] = (Range){first, end};
        }
    size_t threads = (size_t)all.threads;
    for (size_t i = 0; i < threads; i++) {
        atomic_store(&all.shares[i].next, count * i / threads);
        all.shares[i].end = count * (i + 1) / threads;
    }
}

/* What the threads have entered becomes a level. */
static const Ranges *end_level(void) {
    if (level_count == level_room) {
        level_room = level_room ? 2 * level_room : 64;
        levels = realloc(levels, level_room * sizeof(Ranges));
        if (levels == NULL) fail("no memory");
    }
    Ranges *level = &levels[level_count++];
    *level = (Ranges){0};
    for (int i = 0; i < all.threads; i++) {
        Worker *worker = &all.workers[i];
        push_range(&worker->found, worker->range_first, worker->slot);
        worker->range_first = worker->slot;
        for (size_t j = 0; j < worker->found.count; j++)
            push_range(level, worker->found.items[j].first, worker->found.items[j].end);
        worker->found.count = 0;
    }
    return level;
}

static void expand_level(const Ranges *level) {
    plan_chunks(level);
    if (all.threads > 1 && all.chunk_count > 2) {
        pthread_mutex_lock(&all.mutex);
        all.busy = all.threads;
        all.round++;
        pthread_cond_broadcast(&all.changed);
        pthread_mutex_unlock(&all.mutex);
        work(&all.workers[0]);
        pthread_mutex_lock(&all.mutex);
        all.busy--;
        grow_if_all_wait();
        while (all.busy) pthread_cond_wait(&all.changed, &all.mutex);
        pthread_mutex_unlock(&all.mutex);
    } else {
        all.busy = 1;
        work(&all.workers[0]);
    }
}

/* ------------------------------------------------------------------------------------------------------- violations */

static Flag first_flag(int where, int kind) {
    Flag found = {0};
    for (int i = 0; i < all.threads; i++) {
        Flag flag = all.workers[i].flags[where][kind];
        if (flag.raised && (!found.raised || flag.place < found.place)) found = flag;
    }
    return found;
}

static int flagged(int where) {
    for (int kind = 0; kind < KINDS; kind++)
        if (first_flag(where, kind).raised) return 1;
    return 0;
}

static void forget_flags(int where) {
    for (int i = 0; i < all.threads; i++) memset(all.workers[i].flags[where], 0, sizeof all.workers[i].flags[where]);
}

static void print_state(State s) {
    for (int place = WORDS - 1; place >= 0; place--) printf(place == WORDS - 1 ? "%" PRIx64 : "%016" PRIx64, word_of(s, place));
}

/* The states on the way to one of a level, found again backwards. */
static void print_path(State target, size_t level) {
    State *path = allocate(level, sizeof(State));
    Worker *worker = &all.workers[0];
    Worker saved = *worker;
    path[level - 1] = target;
    worker->mode = PROBE;
    for (size_t step = level - 1; step > 0; step--) {
        worker->wanted = path[step];
        const Ranges *before = &levels[step - 1];
        int found = 0;
        for (size_t i = 0; i < before->count && !found; i++)
            for (uint64_t first = before->items[i].first; first < before->items[i].end && !found; first += 64) {
                uint64_t count = before->items[i].end - first < 64 ? before->items[i].end - first : 64;
                worker->hit = 0;
                expand(worker, first, count);
                for (uint64_t place = first; worker->hit && place < first + count && !found; place++) {
                    worker->hit = 0;
                    expand(worker, place, 1);
                    if (worker->hit) {
                        path[step - 1] = load(&all.states[place]);
                        found = 1;
                    }
                    worker->hit = 1;
                }
            }
        if (!found) fail("a state that was reached has no predecessor");
    }
    *worker = saved;
    printf("path");
    for (size_t i = 0; i < level; i++) {
        putchar(' ');
        print_state(path[i]);
    }
    putchar('\n');
    free(path);
}

static void print_violation(int where, int kind, Flag flag, uint64_t depth) {
    /* What a step violates is shown by a state more than the one that it starts in. */
    printf("violation %d %" PRIu64 " %s\n", kind, where == STEP ? depth + 1 : depth,
           flag.raised == 2 ? "nowhere" : where == STEP ? "step" : "state");
    if (flag.raised == 1) print_path(flag.state, (size_t)depth);
}

/* Decide about what was flagged in the states of a level (and, before, in the steps to it). */
static int decide(uint64_t depth, Flag *steps, Flag *states) {
    for (int kind = 0; kind < KINDS; kind++) {
        Flag here = first_flag(HERE, kind), step = steps[kind], state = states[kind];
        if (here.raised == 2) print_violation(HERE, kind, here, depth);
        else if (step.raised) print_violation(STEP, kind, step, depth - 1);
        else if (state.raised && (!here.raised || state.place <= here.place)) print_violation(NEW, kind, state, depth);
        else if (here.raised) print_violation(HERE, kind, here, depth);
        else continue;
        return 1;
    }
    return 0;
}

static void take_flags(int where, Flag *flags) {
    for (int kind = 0; kind < KINDS; kind++) flags[kind] = first_flag(where, kind);
    forget_flags(where);
}

static int search(void) {
    Worker *first = &all.workers[0];
    Flag steps[KINDS], states[KINDS];
    memset(steps, 0, sizeof steps);
    all.busy = 1;
    initial(first);
    all.choices = first->counters.taken[0];
    memset(&first->counters, 0, sizeof first->counters);
    const Ranges *level = end_level();
    take_flags(NEW, states);
    int waiting = flagged(HERE);
    for (int kind = 0; kind < KINDS; kind++) waiting |= states[kind].raised;
    while (ranges_length(level) || waiting) {
        all.depth++;
        if (waiting) {
            if (LOOKS_AHEAD && !first_flag(HERE, 0).raised && !steps[0].raised && !states[0].raised) {
                Counters kept[all.threads];
                for (int i = 0; i < all.threads; i++) {
                    kept[i] = all.workers[i].counters;
                    all.workers[i].mode = LOOK;
                }
                atomic_store(&all.stop, GOING_ON);
                Ranges present = *level;
                expand_level(&present);
                for (int i = 0; i < all.threads; i++) {
                    all.workers[i].counters = kept[i];
                    for (int kind = 0; kind < KINDS; kind++)
                        if (kind != WELL_DEFINED && all.workers[i].flags[HERE][kind].raised == 1)
                            all.workers[i].flags[HERE][kind].raised = 0;
                }
            }
            return decide(all.depth, steps, states);
        }
        Ranges present = *level;
        expand_level(&present);
        int stop = atomic_load(&all.stop);
        if (!stop || flagged(HERE) || flagged(STEP) || flagged(NEW)) {
            memset(steps, 0, sizeof steps);
            memset(states, 0, sizeof states);
            if (decide(all.depth, steps, states)) return 1;
            take_flags(STEP, steps);
            take_flags(NEW, states);
        }
        level = end_level();
        waiting = 0;
        for (int kind = 0; kind < KINDS; kind++) waiting |= steps[kind].raised || states[kind].raised;
        if (stop) {
            /* Not all that could be said, but a violation it is. */
            if (waiting) return decide(all.depth + 1, steps, states);
            printf("stopped %s\n", STOPPED[stop]);
            return 0;
        }
    }
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- main */

static void print_result(void) {
    Counters total = counters();
    printf("counts %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", entered(), generated(), all.depth,
           level_count ? ranges_length(&levels[0]) : 0, total.same);
    printf("taken");
    for (int action = 0; action < ACTIONS; action++) printf(" %" PRIu64, total.taken[action]);
    printf("\nbytes %" PRIu64 "\nseconds %.6f\n", bytes_used(), seconds() - all.started);
    for (int wanted = 0; wanted < WANTED; wanted++)
        if (all.reached[wanted]) printf("reached %d\n", wanted);
    puts("end");
    fflush(stdout);
}

/* Every state, level by level, as words from the lowest. */
static void write_states(const char *path) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) fail("the states cannot be written");
    for (size_t i = 0; i < level_count; i++)
        for (size_t j = 0; j < levels[i].count; j++)
            for (uint64_t place = levels[i].items[j].first; place < levels[i].items[j].end; place++) {
                State s = load(&all.states[place]);
                for (int word = 0; word < WORDS; word++) {
                    uint64_t written = word_of(s, word);
                    if (fwrite(&written, sizeof written, 1, file) != 1) fail("the states cannot be written");
                }
            }
    if (fclose(file)) fail("the states cannot be written");
}

static void prepare(void) {
    if (posix_memalign((void **)&all.workers, 128, (size_t)all.threads * sizeof(Worker))) fail("no memory");
    memset(all.workers, 0, (size_t)all.threads * sizeof(Worker));
    if (posix_memalign((void **)&all.shares, 128, (size_t)all.threads * sizeof(Share))) fail("no memory");
    for (int i = 0; i < all.threads; i++) all.workers[i].buffer = allocate(BATCH + ROOM, sizeof(State));
    all.most_states = all.most_bytes / sizeof(Stored);
    if (all.most_states > UINT32_MAX - 2) all.most_states = UINT32_MAX - 2;
#if WIDTH <= NARROW
    all.table_bytes = ((UINT64_C(1) << WIDTH) + 7) / 8 + 8;
    if (all.table_bytes > all.most_bytes) all.most_states = 0;
    all.bitmap = reserve(all.table_bytes);
    if (all.bitmap == NULL) fail("no memory");
#else
    if (!new_table(FEWEST_SLOTS * (all.threads > 1 ? 4 * (uint64_t)all.threads : 1))) all.most_states = 0;
#endif
    all.states = reserve((all.most_states + 1) * sizeof(Stored));
    if (all.states == NULL) fail("no memory");
    if (all.most_states == 0) all.stop = OUT_OF_MEMORY;
    for (int i = 1; i < all.threads; i++)
        if (pthread_create(&all.workers[i].thread, NULL, run_worker, &all.workers[i])) fail("no threads");
}

static void finish(void) {
    pthread_mutex_lock(&all.mutex);
    all.quit = 1;
    pthread_cond_broadcast(&all.changed);
    pthread_mutex_unlock(&all.mutex);
    for (int i = 1; i < all.threads; i++) pthread_join(all.workers[i].thread, NULL);
}

/* Arguments: threads, most bytes, most states (0: any number), most seconds (0: any time), and the file for all states,
 * where nothing is violated (-: none). */
int main(int count, char **arguments) {
    if (count != 6) fail("arguments");
#ifdef PR_SET_PDEATHSIG
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    all.threads = atoi(arguments[1]);
    all.most_bytes = strtoull(arguments[2], NULL, 10);
    all.budget_states = strtoull(arguments[3], NULL, 10);
    all.timeout = atof(arguments[4]);
    all.started = all.told = seconds();
    if (all.threads < 1 || all.threads > 256) fail("threads");
    prepare();
    int violated = 0;
    if (all.stop) printf("stopped memory\n");
    else violated = search();
    int states_wanted = !violated && !all.stop && strcmp(arguments[5], "-");
#if LIVENESS
    /* They are for the trace alone. */
    if (!violated && !all.stop) states_wanted &= judge_liveness();
#endif
    if (states_wanted) write_states(arguments[5]);
    print_result();
    finish();
    return 0;
}
