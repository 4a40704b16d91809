// A walk: steps from an initial state, taken by hand or along a trace. With a variant beside the baseline, each step is
// tried in both, each in the state that it has come to; whoever refuses it stays where it is.

class Walk {
  constructor(states) {
    this.states = states;
    this.guard = "";
    this.steps = [];
    this.at = 0;
    this.trace = null; // the trace that is walked along, until a step is taken that is not in it
  }

  get current() {
    return this.steps[this.at];
  }

  get atEnd() {
    return this.at === this.steps.length - 1;
  }

  // Where a lasso goes back to, at its end.
  get loopTo() {
    return this.trace !== null && this.atEnd ? this.trace.loop_to : null;
  }

  async begin(place) {
    const { to } = this.states.protocol.init.choices[place];
    await this.states.need([to], this.guard);
    const side = { number: to, outcome: { to, breaks: this.states.protocol.init.choices[place].breaks }, moved: true };
    this.steps = [{ begin: place, call: null, base: side, other: this.guard ? side : null }];
    this.at = 0;
    this.trace = null;
  }

  // The step that a call makes from another one.
  async after(step, call) {
    const base = this.tried(step.base, "", call);
    const other = step.other === null ? null : this.tried(step.other, this.guard, call);
    await this.states.need([base.number, ...(other === null ? [] : [other.number])], this.guard);
    return { call, base, other };
  }

  tried(side, guard, call) {
    const outcome = this.states.outcome(side.number, guard, ...call);
    return { number: steps(outcome) ? outcome.to : side.number, outcome, moved: steps(outcome) };
  }

  async take(call) {
    const next = this.steps[this.at + 1];
    if (next === undefined || String(next.call) !== String(call)) {
      const step = await this.after(this.current, call);
      this.steps = [...this.steps.slice(0, this.at + 1), step];
      this.trace = null;
    }
    this.at += 1;
  }

  // From an initial state along calls, to the first; what cannot be tried for want of data ends the walk.
  async run(begin, calls) {
    await this.begin(begin);
    for (const call of calls) {
      const last = this.steps[this.steps.length - 1];
      if (!this.states.has(last.base.number, this.guard)) break;
      this.steps.push(await this.after(last, call));
    }
  }

  async follow(trace) {
    this.guard = trace.guard || "";
    await this.run(trace.begin, trace.calls);
    this.trace = trace;
  }

  // The same steps, with another variant beside the baseline or with none.
  async compare(guard) {
    const { at, trace, steps: before } = this;
    this.guard = guard;
    await this.run(before[0].begin, before.slice(1).map((step) => step.call));
    this.at = Math.min(at, this.steps.length - 1);
    this.trace = trace !== null && (trace.guard || "") === guard ? trace : null;
  }

  move(to) {
    this.at = Math.max(0, Math.min(to, this.steps.length - 1));
  }

  forward() {
    const { loopTo } = this;
    this.move(loopTo === null ? this.at + 1 : loopTo);
  }

  label(step) {
    return step.call === null ? this.states.beginning(step.begin) : this.states.label(step.call);
  }

  // What a step or its state violates, on the side that the walk is about.
  violated(step) {
    const side = step.other || step.base;
    const breaks = side.moved && side.outcome.breaks ? side.outcome.breaks : [];
    return [...breaks, ...this.states.violated(side.number, step.other ? this.guard : "")];
  }

  // Whether baseline and variant answer a step differently.
  parts(step) {
    return step.other !== null && step.base.moved !== step.other.moved;
  }

  apart(step) {
    return step.other !== null && step.base.number !== step.other.number;
  }

  toHash() {
    const calls = this.steps.slice(1).map((step) => step.call.join("."));
    const parameters = { begin: this.steps[0].begin, calls: calls.join(","), at: this.at };
    return `#${new URLSearchParams(this.guard ? { guard: this.guard, ...parameters } : parameters)}`;
  }
}

// The walk that an address names; null if it names none, or one of another protocol.
function walkOf(hash, protocol, guards) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  if (!given.has("begin")) return null;
  const begin = Number(given.get("begin"));
  const guard = given.get("guard") || "";
  const calls = (given.get("calls") || "").split(",").filter(Boolean).map((text) => text.split(".").map(Number));
  const known = ([action, call]) => protocol.actions[action] !== undefined && protocol.actions[action].calls[call] !== undefined;
  const first = protocol.init.choices[begin];
  if (first === undefined || first.to === undefined || (guard && !guards.includes(guard)) || !calls.every(known)) return null;
  return { guard, begin, calls, at: Number(given.get("at")) || 0 };
}
