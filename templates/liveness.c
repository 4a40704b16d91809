/* Liveness under fairness, on the graph of all states: is there a fair behaviour that a property forbids?
 *
 * Such a behaviour goes round in a strongly connected set of states for ever, or stays in one. A set is fair if each
 * constraint is content with it; where a strong one is not, being possible somewhere and taken nowhere, the set is
 * searched again without the states where it is possible (Emerson and Lei 1987, for Streett's condition). Components are
 * Tarjan's (1972), without recursion. The search had one thread, so that places of the array have no gaps.
 */

static struct {
    uint64_t count;        /* of states */
    uint64_t *first;       /* state → its first edge; one more for the end */
    uint32_t *target;      /* edge → the place of the state that it leads to */
    Constraints *served;   /* edge → the constraints that are served by taking it */
    Constraints *possible; /* state → those of which some step is possible */
    uint64_t edges;
    uint8_t *body, *goal, *allowed;
    uint32_t *region, *number, *lowest, *path, *component, *work;
    uint64_t *edge;
    uint32_t components;
} graph;

static uint64_t place_of(State s) {
    uint64_t hash = hash_of(s), slot = slot_of(hash);
    uint32_t tag = (uint32_t)hash & ~all.place_mask;
    for (;;) {
        uint32_t entry = atomic_load_explicit(&all.table[slot], memory_order_relaxed);
        if (entry == 0) fail("a step leads to a state that was not reached");
        uint64_t place = (entry & all.place_mask) - 1;
        if ((entry & ~all.place_mask) == tag && equal(load(&all.states[place]), s)) return place;
        slot = slot + 1 == all.slots ? 0 : slot + 1;
    }
}

__attribute__((unused)) static void note_edge(State t, Constraints served) {
    graph.target[graph.edges] = (uint32_t)place_of(t);
    graph.served[graph.edges] = served;
    graph.edges++;
}

static void edges(State s);
static int body_holds(int property, State s);
static int goal_holds(int property, State s);

static int out_of_time(void) {
    return all.timeout > 0 && seconds() - all.started > all.timeout;
}

/* 0: not enough memory, or no time. */
static int build_graph(void) {
    uint64_t count = entered(), steps = generated() - all.choices;
    uint64_t bytes = count * (8 + sizeof(Constraints) + 3 + 6 * 4 + 8) + steps * (4 + sizeof(Constraints));
    if (bytes + bytes_used() > all.most_bytes) {
        puts("stopped memory");
        return 0;
    }
    graph.count = count;
    graph.first = reserve((count + 1) * 8);
    graph.target = reserve((steps + 1) * 4);
    graph.served = reserve((steps + 1) * sizeof(Constraints));
    graph.possible = reserve((count + 1) * sizeof(Constraints));
    graph.body = reserve(count + 1);
    graph.goal = reserve(count + 1);
    graph.allowed = reserve(count + 1);
    uint32_t **each[] = {&graph.region, &graph.number, &graph.lowest, &graph.path, &graph.component, &graph.work};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) *each[i] = reserve((count + 1) * 4);
    graph.edge = reserve((count + 1) * 8);
    int missing = !graph.first || !graph.target || !graph.served || !graph.possible || !graph.edge;
    missing |= !graph.body || !graph.goal || !graph.allowed;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) missing |= !*each[i];
    if (missing) {
        puts("stopped memory");
        return 0;
    }
    for (uint64_t place = 0; place < count; place++) {
        graph.first[place] = graph.edges;
        edges(load(&all.states[place]));
        Constraints possible = 0;
        for (uint64_t edge = graph.first[place]; edge < graph.edges; edge++) possible |= graph.served[edge];
        graph.possible[place] = possible;
        if (place % 65536 == 0 && out_of_time()) {
            puts("stopped time");
            return 0;
        }
    }
    graph.first[count] = graph.edges;
    return 1;
}

/* What is reached from the states that are marked in `graph.allowed`, within a set that has them. */
static void close_within(const uint8_t *within, uint8_t wanted) {
    uint64_t waiting = 0;
    for (uint64_t place = 0; place < graph.count; place++)
        if (graph.allowed[place]) graph.work[waiting++] = (uint32_t)place;
    while (waiting) {
        uint32_t place = graph.work[--waiting];
        for (uint64_t edge = graph.first[place]; edge < graph.first[place + 1]; edge++) {
            uint32_t next = graph.target[edge];
            if (within[next] == wanted && !graph.allowed[next]) {
                graph.allowed[next] = 1;
                graph.work[waiting++] = next;
            }
        }
    }
}

/* Whether a fair behaviour can go round in a component for ever; else the strong constraints that forbid it as a whole
 * come back in `unserved`, or none where a weak one does. */
static int is_fair(const uint32_t *members, uint64_t count, int must_visit, Constraints *unserved) {
    Constraints taken = 0, somewhere = 0, everywhere = ALL_CONSTRAINTS;
    int visited = !must_visit;
    uint32_t own = ++graph.components;
    for (uint64_t i = 0; i < count; i++) graph.component[members[i]] = own;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t place = members[i];
        somewhere |= graph.possible[place];
        everywhere &= graph.possible[place];
        visited |= !graph.body[place];
        for (uint64_t edge = graph.first[place]; edge < graph.first[place + 1]; edge++)
            if (graph.component[graph.target[edge]] == own) taken |= graph.served[edge];
    }
    *unserved = 0;
    if (!visited || (everywhere & ~taken & ~STRONG)) return 0;
    *unserved = somewhere & ~taken & STRONG;
    return !*unserved;
}

/* Whether some component of the states of a region is fair. States of a component that is searched again get a region of
 * their own, and are listed in `again`. */
static int search_region(uint32_t region, int must_visit, Ranges *again, uint32_t *regions, const uint32_t *roots,
                         uint64_t root_count, uint32_t **listed, uint64_t *listed_count, uint64_t *listed_room) {
    uint32_t next_number = 0;
    uint64_t open = 0, depth = 0;
    for (uint64_t at = 0; at < root_count; at++) {
        uint32_t root = roots ? roots[at] : (uint32_t)at;
        if (graph.region[root] != region || graph.number[root]) continue;
        graph.number[root] = graph.lowest[root] = ++next_number;
        graph.path[open++] = root;
        graph.edge[root] = graph.first[root];
        graph.work[depth++] = root;
        while (depth) {
            uint32_t place = graph.work[depth - 1];
            if (graph.edge[place] < graph.first[place + 1]) {
                uint32_t next = graph.target[graph.edge[place]++];
                if (graph.region[next] != region) continue;
                if (!graph.number[next]) {
                    graph.number[next] = graph.lowest[next] = ++next_number;
                    graph.path[open++] = next;
                    graph.edge[next] = graph.first[next];
                    graph.work[depth++] = next;
                } else if (graph.number[next] < graph.lowest[place]) graph.lowest[place] = graph.number[next];
                continue;
            }
            depth--;
            if (depth && graph.lowest[place] < graph.lowest[graph.work[depth - 1]])
                graph.lowest[graph.work[depth - 1]] = graph.lowest[place];
            if (graph.lowest[place] != graph.number[place]) continue;
            uint64_t start = open;
            while (graph.path[--start] != place) continue;
            Constraints unserved;
            if (is_fair(graph.path + start, open - start, must_visit, &unserved)) return 1;
            uint64_t kept = *listed_count;
            uint32_t own = unserved ? ++*regions : 0;
            for (uint64_t i = start; i < open; i++) {
                uint32_t member = graph.path[i];
                /* What is finished is left: no later component has it. */
                graph.region[member] = 0;
                if (!unserved || (graph.possible[member] & unserved)) continue;
                if (*listed_count == *listed_room) {
                    *listed_room = *listed_room ? 2 * *listed_room : 1024;
                    *listed = resized(*listed, *listed_room, sizeof(uint32_t));
                }
                (*listed)[(*listed_count)++] = member;
                graph.region[member] = own;
                graph.number[member] = 0;
            }
            if (*listed_count > kept) add_range(again, kept, *listed_count);
            open = start;
        }
    }
    return 0;
}

static int has_fair_behaviour(int must_visit) {
    for (uint64_t place = 0; place < graph.count; place++) {
        if (graph.allowed[place] && !graph.possible[place] && (!must_visit || !graph.body[place])) return 1;
        graph.region[place] = graph.allowed[place];
        graph.number[place] = 0;
    }
    uint32_t regions = 1, *listed = NULL;
    uint64_t count = 0, room = 0;
    Ranges again = {0};
    int found = search_region(1, must_visit, &again, &regions, NULL, graph.count, &listed, &count, &room);
    while (!found && again.count) {
        Range next = again.items[--again.count];
        uint64_t length = next.end - next.first;
        uint32_t *members = allocate(length, sizeof(uint32_t));
        memcpy(members, listed + next.first, length * sizeof(uint32_t));
        found = search_region(graph.region[members[0]], must_visit, &again, &regions, members, length, &listed, &count, &room);
        free(members);
    }
    free(again.items);
    free(listed);
    return found;
}

enum { EVENTUALLY, INFINITELY_OFTEN, EVENTUALLY_ALWAYS, LEADS_TO };

static int violates(int property, int kind) {
    uint64_t initial = initial_count();
    for (uint64_t place = 0; place < graph.count; place++) {
        State s = load(&all.states[place]);
        graph.body[place] = (uint8_t)body_holds(property, s);
        graph.goal[place] = kind == LEADS_TO ? (uint8_t)goal_holds(property, s) : 0;
        switch (kind) {
        case EVENTUALLY: graph.allowed[place] = place < initial && !graph.body[place]; break;
        case INFINITELY_OFTEN: graph.allowed[place] = !graph.body[place]; break;
        case EVENTUALLY_ALWAYS: graph.allowed[place] = 1; break;
        default: graph.allowed[place] = graph.body[place] && !graph.goal[place];
        }
    }
    if (kind == EVENTUALLY) close_within(graph.body, 0);
    if (kind == LEADS_TO) close_within(graph.goal, 0);
    return has_fair_behaviour(kind == EVENTUALLY_ALWAYS);
}

static const int liveness_kinds[LIVENESS];

/* Whether a property is violated; a line for each until then. */
static int judge_liveness(void) {
    if (!build_graph()) return 0;
    for (int property = 0; property < LIVENESS; property++) {
        if (out_of_time()) {
            puts("stopped time");
            return 0;
        }
        int violated = violates(property, liveness_kinds[property]);
        printf("liveness %d %s\n", property, violated ? "violated" : "holds");
        if (violated) return 1;
    }
    return 0;
}
