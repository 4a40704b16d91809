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
        look_at_budget(own == 0);
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
static Ranges end_level(void) {
    if (level_count == level_room) {
        level_room = level_room ? 2 * level_room : 64;
        level_ends = resized(level_ends, level_room, sizeof(size_t));
    }
    size_t before = in_order.count;
    for (int i = 0; i < all.threads; i++) {
        Worker *worker = &all.workers[i];
        push_range(&worker->found, 0, worker->range_first, worker->slot);
        worker->range_first = worker->slot;
        for (size_t j = 0; j < worker->found.count; j++)
            push_range(&in_order, before, worker->found.items[j].first, worker->found.items[j].end);
        worker->found.count = 0;
    }
    level_ends[level_count++] = in_order.count;
    all.level_bytes = in_order.count * sizeof(Range) + level_count * sizeof(size_t);
    return level_of(level_count - 1);
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
        const Ranges level_before = level_of(step - 1), *before = &level_before;
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
    fflush(stdout);
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

static int anything_flagged(void) {
    return flagged(HERE) || flagged(STEP) || flagged(NEW);
}

/* Something is wrong. Which property is the first, and the way there, is found out beyond the limits of states and of time,
 * so that neither depends on them: at most as long again, half of it for the former. Who runs us waits so long. */
static void begin_deciding(void) {
    if (all.deciding) return;
    all.deciding = 1;
    all.budget_states = 0;
    if (all.timeout <= 0) return;
    double more = all.timeout > LAST_SECONDS ? all.timeout : LAST_SECONDS;
    all.timeout = seconds() - all.started + more / 2;
    printf("deciding %.3f\n", more);
    fflush(stdout);
}

/* A level once more, with nothing counted again. */
static void go_through(const Ranges *level, int mode) {
    Counters kept[all.threads];
    for (int i = 0; i < all.threads; i++) {
        kept[i] = all.workers[i].counters;
        all.workers[i].mode = mode;
    }
    atomic_store(&all.stop, GOING_ON);
    expand_level(level);
    for (int i = 0; i < all.threads; i++) {
        all.workers[i].counters = kept[i];
        all.workers[i].mode = SEARCH;
    }
}

/* Something is wrong in a level, or in the steps out of it: what else is, where that was cut off. */
static void finish_level(const Ranges *level) {
    int stop = atomic_load(&all.stop);
    begin_deciding();
    if (stop == OUT_OF_STATES || stop == OUT_OF_TIME) go_through(level, SEARCH);
    stop = atomic_load(&all.stop);
    /* States that there is no room for are judged all the same. */
    if (stop == OUT_OF_MEMORY || stop == OUT_OF_PLACES) go_through(level, JUDGE);
}

static int search(void) {
    Worker *first = &all.workers[0];
    Flag steps[KINDS], states[KINDS];
    memset(steps, 0, sizeof steps);
    all.busy = 1;
    initial(first);
    all.choices = first->counters.taken[0];
    if (atomic_load(&all.stop) && anything_flagged()) {
        first->mode = JUDGE;
        initial(first);
        first->mode = SEARCH;
    }
    memset(&first->counters, 0, sizeof first->counters);
    Ranges level = end_level();
    take_flags(NEW, states);
    int waiting = flagged(HERE);
    for (int kind = 0; kind < KINDS; kind++) waiting |= states[kind].raised;
    while (ranges_length(&level) || waiting) {
        all.depth++;
        if (waiting) {
            begin_deciding();
            if (LOOKS_AHEAD && !first_flag(HERE, 0).raised && !steps[0].raised && !states[0].raised) {
                go_through(&level, LOOK);
                for (int i = 0; i < all.threads; i++)
                    for (int kind = 0; kind < KINDS; kind++)
                        if (kind != WELL_DEFINED && all.workers[i].flags[HERE][kind].raised == 1)
                            all.workers[i].flags[HERE][kind].raised = 0;
            }
            return decide(all.depth, steps, states);
        }
        expand_level(&level);
        if (anything_flagged()) finish_level(&level);
        else if (atomic_load(&all.stop)) {
            end_level();
            break;
        }
        memset(steps, 0, sizeof steps);
        memset(states, 0, sizeof states);
        if (decide(all.depth, steps, states)) return 1;
        take_flags(STEP, steps);
        take_flags(NEW, states);
        level = end_level();
        for (int kind = 0; kind < KINDS; kind++) waiting |= steps[kind].raised || states[kind].raised;
    }
    if (atomic_load(&all.stop)) printf("stopped %s\n", STOPPED[atomic_load(&all.stop)]);
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- main */

static uint64_t initial_count(void) {
    Ranges level = level_count ? level_of(0) : (Ranges){0};
    return ranges_length(&level);
}

static void print_result(void) {
    Counters total = counters();
    printf("counts %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", entered(), generated(), all.depth,
           initial_count(), total.same);
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
    for (size_t i = 0; i < in_order.count; i++)
        for (uint64_t place = in_order.items[i].first; place < in_order.items[i].end; place++) {
            State s = load(&all.states[place]);
            for (int word = 0; word < WORDS; word++) {
                uint64_t written = word_of(s, word);
                if (fwrite(&written, sizeof written, 1, file) != 1) fail("the states cannot be written");
            }
        }
    if (fclose(file)) fail("the states cannot be written");
}

static void prepare(void) {
    if (posix_memalign((void **)&all.workers, 128, 2 * (size_t)all.threads * sizeof(Worker))) no_memory();
    memset(all.workers, 0, 2 * (size_t)all.threads * sizeof(Worker));
    if (posix_memalign((void **)&all.shares, 128, (size_t)all.threads * sizeof(Share))) no_memory();
    for (int i = 0; i < 2 * all.threads; i++) all.workers[i].buffer = allocate(BATCH + ROOM, sizeof(State));
    all.most_states = all.most_bytes / sizeof(Stored);
    if (all.most_states > MOST_PLACES) all.most_states = MOST_PLACES;
#if WIDTH <= NARROW
    all.table_bytes = ((UINT64_C(1) << WIDTH) + 7) / 8 + 8;
    if (all.table_bytes > all.most_bytes) all.most_states = 0;
    all.bitmap = reserve(all.table_bytes);
    if (all.bitmap == NULL) no_memory();
#else
    if (!new_table(FEWEST_SLOTS * (all.threads > 1 ? 4 * (uint64_t)all.threads : 1))) all.most_states = 0;
#endif
    all.states = reserve((all.most_states + 1 + (uint64_t)all.threads * (BATCH + ROOM)) * sizeof(Stored));
    if (all.states == NULL) no_memory();
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

/* Arguments: threads, most bytes, most states (0: any number), most seconds (0: any time), the file for all states,
 * where nothing is violated (-: none), and the process that we end with (0: any). */
int main(int count, char **arguments) {
    if (count != 7) fail("arguments");
#ifdef PR_SET_PDEATHSIG
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* It may have ended before that. */
    if (atoi(arguments[6]) && getppid() != atoi(arguments[6])) return 0;
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
