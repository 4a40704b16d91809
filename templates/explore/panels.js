// The steps, the state and the properties.

// ------------------------------------------------------------------------------------------------------- the steps

function showTimeline(walk, go) {
  const items = walk.steps.map((step, place) => {
    const violated = walk.violated(step);
    const parts = walk.parts(step);
    const here = place === walk.at;
    const button = el(
      "button",
      { type: "button", class: "step", "aria-current": here ? "step" : null, onclick: () => go(place) },
      el("span", { class: "number" }, String(place + 1)),
      el("bdi", { class: "label" }, walk.label(step)),
      parts && el("span", { class: "sign part", title: partingText(walk, step) }, "≠", unseen(partingText(walk, step))),
      violated.length > 0 && el("span", { class: "sign bad", title: `violates ${violated.join(", ")}` }, "✗", unseen(`violates ${violated.join(", ")}`)),
      walk.trace !== null && walk.trace.loop_to === place && el("span", { class: "sign", title: "the loop comes back here" }, "↻", unseen("the loop comes back here")),
    );
    return el("li", { class: place > walk.at ? "ahead" : null }, button);
  });
  const { trace } = walk;
  if (trace !== null && trace.loop_to !== null) {
    const by = trace.closing === null ? "" : ` by ${walk.states.label(trace.closing)}`;
    const text = `↻ back to ${trace.loop_to + 1}${by}, for ever`;
    items.push(el("li", { class: "ending" }, el("button", { type: "button", class: "step", onclick: () => go(trace.loop_to) }, text)));
  } else if (trace !== null && trace.stuttering) {
    items.push(el("li", { class: "ending" }, el("span", { class: "step" }, "∞ may stay here for ever")));
  }
  const timeline = byId("timeline");
  timeline.replaceChildren(...items);
  revealStep();
  byId("first").disabled = byId("back").disabled = walk.at === 0;
  byId("forward").disabled = walk.atEnd && walk.loopTo === null;
  byId("last").disabled = walk.atEnd;
}

// The calls at which baseline and variant would part, of the one action in which they can.
function partingCalls(walk, step) {
  const { states, guard } = walk;
  const action = states.places.get(guard.split(".")[0]);
  const calls = states.protocol.actions[action].calls.flatMap((_, call) => {
    const [base, other] = ["", guard].map((variant) => states.outcome(step.base.number, variant, action, call));
    return steps(base) !== steps(other) ? [states.label([action, call])] : [];
  });
  return calls.length === 0 ? [] : [`≠ they part at ${calls[0]}${calls.length > 1 ? ` and ${count(calls.length - 1, "other call")}` : ""}`];
}

function partingText(walk, step) {
  const [stays, goes] = step.base.moved ? [walk.guard && "the variant", "the baseline"] : ["the baseline", "the variant"];
  const side = step.base.moved ? step.other : step.base;
  return `${goes} takes it, ${stays} does not: ${refusalText(side.outcome)}`;
}

function refusalText(outcome) {
  if (outcome === null) return "its state is outside the domains";
  if (outcome.no) return `refused by ${outcome.no.map(([guard]) => guard).join(", ")}`;
  if (outcome.assumed !== undefined) return `ruled out by the assumption ${outcome.assumed}`;
  return outcome.fault === undefined ? "" : `no value: ${outcome.fault}`;
}

// Scrolls the strip of the steps, and nothing else, until the current one is in it.
function revealStep() {
  const timeline = byId("timeline");
  const current = timeline.querySelector("[aria-current]").parentElement;
  timeline.scrollLeft = current.offsetLeft - (timeline.clientWidth - current.offsetWidth) / 2;
}

function showBanner(walk) {
  const step = walk.current;
  const parts = [`Step ${walk.at + 1} of ${walk.steps.length}`];
  if (walk.parts(step)) parts.push(`≠ ${partingText(walk, step)}`);
  else if (step.other !== null && !walk.apart(step)) parts.push(...partingCalls(walk, step));
  for (const name of walk.violated(step)) parts.push(`✗ ${name} is violated`);
  const { trace } = walk;
  if (trace !== null && walk.atEnd && trace.violated) {
    const without = trace.guard ? ` without ${trace.guard}` : "";
    parts.push(`the counter-example to ${trace.violated}${without} ends here${trace.detail ? `: ${trace.detail}` : ""}`);
    if (trace.loop_to !== null) parts.push(`↻ and goes on from step ${trace.loop_to + 1}, for ever`);
    if (trace.stuttering) parts.push("∞ and may stay here for ever");
  }
  const banner = byId("banner");
  banner.textContent = parts.join(" · ");
  banner.classList.toggle("bad", walk.violated(step).length > 0);
}

// ------------------------------------------------------------------------------------------------------- the state

function showState(walk) {
  const { states, current } = walk;
  const before = walk.at > 0 ? walk.steps[walk.at - 1] : null;
  const pair = current.other !== null;
  const sides = pair ? [["baseline", "base"], ["variant", "other"]] : [["value", "base"]];
  const texts = sides.map(([, side]) => states.values.get(current[side].number));
  const past = sides.map(([, side]) => (before === null ? null : states.values.get(before[side].number)));
  const rows = states.protocol.variables.map((variable, place) => {
    const changed = texts.some((own, side) => past[side] !== null && past[side][place] !== own[place]);
    const differs = pair && texts[0][place] !== texts[1][place];
    return el(
      "tr",
      { class: [changed && "changed", differs && "differs"].filter(Boolean).join(" ") || null },
      el("td", { class: "mark" }, changed && ["▸", unseen("changed")], differs && ["≠", unseen("baseline and variant differ")]),
      el("th", { scope: "row" }, variable.name, el("small", {}, variable.ghost ? `ghost, ${variable.domain}` : variable.domain)),
      texts.map((own, side) => el("td", {}, valueWith(own[place], past[side] && past[side][place]))),
    );
  });
  const head = pair && el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, "variable"), sides.map(([name]) => el("th", { scope: "col" }, name))));
  const numbers = sides.map(([, side]) => `#${current[side].number + 1}`);
  byId("state-heading").textContent = numbers[0] === numbers[numbers.length - 1] ? `State ${numbers[0]}` : `States ${numbers.join(" and ")}`;
  replaceBody(
    "state",
    walk.apart(current) && el("p", { class: "note" }, "≠ Baseline and variant are in different states: every step is tried in both."),
    el("div", { class: "scroll" }, el("table", { class: "values" }, head, el("tbody", {}, rows))),
    sides.map(([name, side]) => seenAs(walk, current[side].number, pair ? name : "")),
  );
}

function seenAs(walk, number, side) {
  const view = walk.states.views.get(number);
  const { refines } = walk.states.protocol;
  if (!refines || view === undefined || !view.seen) return null;
  const text = refines.variables.map((name, place) => `${name} = ${view.seen[place]}`).join(", ");
  return el("p", { class: "note" }, `As ${refines.name} sees ${side ? `the state of the ${side}` : "it"}: `, value(text));
}

// A value with what is new in it marked, and the value before.
function valueWith(text, before) {
  if (before === null || before === text) return value(text);
  const [from, to] = differing(tokens(before), tokens(text));
  const parts = tokens(text);
  const fresh = parts.slice(from, to).join("");
  const marked = fresh ? el("mark", {}, fresh) : null;
  return [value(parts.slice(0, from).join(""), marked, parts.slice(to).join("")), el("small", { class: "was" }, "was ", value(before))];
}

const tokens = (text) => text.match(/"(?:[^"\\]|\\.)*"|[\p{L}\p{N}_.]+|\s+|./gsu) || [];

// The stretch of tokens in which the second text differs from the first.
function differing(old, fresh) {
  let from = 0;
  while (from < Math.min(old.length, fresh.length) && old[from] === fresh[from]) from += 1;
  let end = 0;
  while (end < Math.min(old.length, fresh.length) - from && old[old.length - 1 - end] === fresh[fresh.length - 1 - end]) end += 1;
  return [from, fresh.length - end];
}

// -------------------------------------------------------------------------------------------------- the properties

// What is violated comes first.
function showProperties(walk) {
  const { states } = walk;
  const violated = new Set(walk.violated(walk.current));
  const items = [...states.protocol.properties].sort((one, two) => violated.has(two.name) - violated.has(one.name));
  replaceBody("properties", el("ul", { class: "judged" }, items.map((item) => propertyShown(walk, item))));
}

function propertyShown(walk, item) {
  const { states, current } = walk;
  const judged = [["baseline", current.base, ""], ...(current.other === null ? [] : [["variant", current.other, walk.guard]])].map(
    ([who, side, guard]) => ({ who, ...judgement(states, item, side, guard) }),
  );
  const alike = judged.every(({ mark, text }) => mark === judged[0].mark && text === judged[0].text);
  const told = alike ? sign(judged[0]) : judged.map((each) => el("span", {}, el("span", { class: "who" }, `${each.who} `), sign(each)));
  return el(
    "li",
    {},
    el("div", { class: "head" }, el("b", {}, item.name), el("small", {}, item.kind), place(item.at)),
    el("div", { class: "told" }, told),
    el("small", {}, item.doc, item.texts.map((text) => [" ", code(text)])),
  );
}

function judgement(states, item, side, guard) {
  const judged = (mark, text, kind = "plain") => ({ mark, text, kind });
  if (item.scope === "step") {
    if (!side.moved) return judged("–", "no step");
    return (side.outcome.breaks || []).includes(item.name) ? judged("✗", "violated by the last step", "bad") : judged("✓", "kept by the last step", "good");
  }
  const all = states.truths(side.number, guard);
  if (all === null) return judged("–", "not known");
  const truths = item.truths.map((place) => all[place]);
  const word = (truth) => (truth === null ? "no value" : truth ? "true in this state" : "not true in this state");
  if (item.scope === "behaviour") return judged("·", truths.map(word).join(" ~> "));
  if (item.kind === "reachable" || item.kind === "terminal") return judged(truths[0] ? "●" : "○", word(truths[0]));
  if (truths[0] === null) return judged("–", "no value");
  return truths[0] ? judged("✓", "holds here", "good") : judged("✗", "violated here", "bad");
}

const sign = ({ mark, text, kind }) => el("span", { class: `verdict ${kind}` }, el("b", {}, mark), ` ${text}`);
