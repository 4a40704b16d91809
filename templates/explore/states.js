// What is known of states, and where the rest is asked for. A state is known by its number; `guard` names a variant, "" is
// the baseline. What comes of a call is {to}, {no: [[guard, why]]}, {assumed} or {fault}; a step that itself violates
// something says so in `breaks`.

class States {
  constructor(data) {
    this.protocol = data.protocol;
    this.token = data.live;
    this.values = new Map();
    this.views = new Map();
    this.complete = new Set(data.complete);
    this.places = new Map(data.protocol.actions.map((action, place) => [action.name, place]));
    this.judged = data.protocol.properties.filter((item) => item.scope === "state" && !["reachable", "terminal"].includes(item.kind));
    this.add(data.block);
  }

  add(block) {
    this.reached = new Map();
    for (const [number, texts] of Object.entries(block.values)) this.values.set(Number(number), texts);
    for (const [number, view] of Object.entries(block.views)) {
      const known = this.views.get(Number(number)) || { variants: {} };
      known.truths = view.truths;
      known.outside = view.outside || [];
      known.seen = view.seen;
      known.steps = view.steps.map((codes) => ({ codes, results: block.results }));
      for (const [guard, own] of Object.entries(view.variants)) {
        known.variants[guard] = { row: { codes: own.steps, results: block.results }, truths: own.truths || view.truths };
      }
      this.views.set(Number(number), known);
    }
  }

  has(number, guard) {
    const view = this.views.get(number);
    return view !== undefined && (!guard || view.outside.length > 0 || guard in view.variants);
  }

  // Asks the server, if there is one, for the states that are not known yet.
  async need(numbers, guard) {
    const missing = [...new Set(numbers)].filter((number) => !this.has(number, guard));
    if (missing.length === 0 || this.token === null) return;
    for (let from = 0; from < missing.length; from += 500) {
      const answer = await this.ask("states", { ids: missing.slice(from, from + 500).join(","), guard });
      this.add(answer.block);
    }
  }

  async ask(question, parameters) {
    let response;
    try {
      response = await fetch(`api/${question}?${new URLSearchParams(parameters)}`, {
        headers: { "X-Protocheck-Session": this.token },
      });
    } catch {
      throw new Error("protocheck explore no longer runs: start it again, then load this page again");
    }
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  row(number, guard, action) {
    const view = this.views.get(number);
    if (view === undefined || view.outside.length > 0) return null;
    if (guard && this.places.get(guard.split(".")[0]) === action) return (view.variants[guard] || { row: null }).row;
    return view.steps[action];
  }

  outcome(number, guard, action, call) {
    const row = this.row(number, guard, action);
    return row === null ? null : decoded(row, call);
  }

  truths(number, guard) {
    const view = this.views.get(number);
    if (view === undefined) return null;
    return guard && guard in view.variants ? view.variants[guard].truths : view.truths;
  }

  // The properties that a state violates.
  violated(number, guard) {
    const truths = this.truths(number, guard);
    return truths === null ? [] : this.judged.filter((item) => truths[item.truths[0]] === 0).map((item) => item.name);
  }

  // Where steps lead from a state: target → {calls, own}; `own` if only the variant goes there.
  targets(number, guard) {
    const found = new Map();
    for (let action = 0; action < this.protocol.actions.length; action += 1) {
      for (const variant of guard ? ["", guard] : [""]) {
        const row = this.row(number, variant, action);
        for (let call = 0; row !== null && call < row.codes.length; call += 1) {
          const outcome = decoded(row, call);
          if (outcome.to === undefined || outcome.to === number) continue;
          if (!found.has(outcome.to)) found.set(outcome.to, { calls: [], own: variant !== "" });
          const target = found.get(outcome.to);
          if (!target.calls.some(([a, c]) => a === action && c === call)) target.calls.push([action, call]);
        }
      }
    }
    return found;
  }

  // The states that are known to be reachable, those at the border of what is known among them.
  reachable(guard) {
    if (!this.reached.has(guard)) {
      const found = new Set(this.protocol.init.choices.map((choice) => choice.to).filter((to) => to !== undefined));
      for (const number of found) for (const target of this.targets(number, guard).keys()) found.add(target); // which grows
      this.reached.set(guard, found);
    }
    return this.reached.get(guard);
  }

  label([action, call]) {
    const { name, parameters, calls } = this.protocol.actions[action];
    return `${name}(${parameters.map((parameter, place) => `${parameter}=${calls[call][place]}`).join(", ")})`;
  }

  beginning(place) {
    const { parameters, choices } = this.protocol.init;
    const chosen = parameters.map((parameter, each) => `${parameter}=${choices[place].args[each]}`);
    return chosen.length ? `init(${chosen.join(", ")})` : "init";
  }

  // A state in one line.
  summary(number) {
    const texts = this.values.get(number) || [];
    return this.protocol.variables.map((variable, place) => `${variable.name} = ${texts[place]}`).join(", ");
  }
}

const decoded = (row, call) => (row.codes[call] >= 0 ? { to: row.codes[call] } : row.results[-row.codes[call] - 1]);
const steps = (outcome) => outcome !== null && outcome.to !== undefined;
