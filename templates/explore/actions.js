// The actions: with which arguments each is enabled in the current state, and what refuses the others. With a variant
// beside the baseline, calls are gathered by what both say of them.

const FOLDED = 8; // refused calls that are shown at once

function showActions(walk, take) {
  const { states, current } = walk;
  const numbering = { next: 1 };
  const shown = states.has(current.base.number, "") && (current.other === null || states.has(current.other.number, walk.guard));
  if (!shown) {
    const how = `This state lies at the border of what the file holds. protocheck explore ${states.protocol.target} shows what follows.`;
    replaceBody("actions", el("p", { class: "note" }, how));
    return;
  }
  const outside = (current.other || current.base).number;
  if (states.views.get(outside).outside.length > 0) {
    const names = states.views.get(outside).outside.join(", ");
    replaceBody("actions", el("p", { class: "note" }, `✗ Outside its domain: ${names}. Nothing is evaluated in such a state.`));
    return;
  }
  replaceBody("actions", states.protocol.actions.map((_, action) => actionShown(walk, action, numbering, take)));
}

function actionShown(walk, action, numbering, take) {
  const described = walk.states.protocol.actions[action];
  const groups = gathered(walk, action);
  const enabled = groups.some((group) => group.enabled);
  return el(
    "article",
    { class: enabled ? "action" : "action disabled" },
    el("h3", {}, el("span", {}, `${described.name}(${described.parameters.join(", ")})`), place(described.at)),
    described.doc && el("p", { class: "doc" }, described.doc),
    groups.map((group) => groupShown(walk, action, group, numbering, take)),
    described.more && el("p", { class: "note" }, `Only the first ${count(described.calls.length, "call")} are tried.`),
  );
}

// Calls with the same answer, those that are enabled somewhere first.
function gathered(walk, action) {
  const { states, current } = walk;
  const groups = new Map();
  states.protocol.actions[action].calls.forEach((_, call) => {
    const base = states.outcome(current.base.number, "", action, call);
    const other = current.other === null ? null : states.outcome(current.other.number, walk.guard, action, call);
    const key = `${answer(base, current.base.number)}|${current.other === null ? "" : answer(other, current.other.number)}`;
    if (!groups.has(key)) {
      const parts = current.other !== null && steps(base) !== steps(other);
      groups.set(key, { calls: [], base, other, parts, enabled: steps(base) || steps(other) });
    }
    groups.get(key).calls.push({ call, base, other });
  });
  return [...groups.values()].sort((one, two) => two.enabled - one.enabled || two.parts - one.parts);
}

function answer(outcome, number) {
  if (outcome === null) return "outside";
  if (outcome.no) return `no ${outcome.no.map(([guard]) => guard).join()}`;
  if (outcome.assumed !== undefined) return `assumed ${outcome.at}`;
  if (outcome.fault !== undefined) return `fault ${outcome.at} ${outcome.fault}`;
  return outcome.breaks ? `breaks ${outcome.breaks.join()}` : outcome.to === number ? "same" : "step";
}

function groupShown(walk, action, group, numbering, take) {
  const { current } = walk;
  const pair = current.other !== null;
  const alike = pair && answer(group.base, current.base.number) === answer(group.other, current.other.number);
  const verdicts =
    !pair || alike
      ? [verdict(walk, action, group.base, current.base.number)]
      : [
          sideShown("baseline", verdict(walk, action, group.base, current.base.number)),
          sideShown("variant", verdict(walk, action, group.other, current.other.number)),
        ];
  const buttons = group.calls.map((each) => callShown(walk, action, each, group, numbering, take));
  const open = group.enabled ? buttons : buttons.slice(0, FOLDED);
  const folded = buttons.slice(open.length);
  return el(
    "div",
    { class: `group ${group.enabled ? "enabled" : "refused"}${group.parts ? " parted" : ""}` },
    group.parts && el("span", { class: "parting" }, walk.apart(current) ? "≠ they answer differently" : "≠ they part here"),
    verdicts,
    el("ul", { class: "calls" }, open),
    folded.length > 0 && el("details", {}, el("summary", {}, `${folded.length} more`), el("ul", { class: "calls" }, folded)),
  );
}

const sideShown = (who, ...verdicts) => el("div", { class: "side" }, el("span", { class: "who" }, who), el("div", {}, verdicts));

function verdict(walk, action, outcome, number) {
  const { guards } = walk.states.protocol.actions[action];
  if (outcome === null) return el("p", { class: "why" }, "– its state is outside the domains");
  if (outcome.no) {
    return outcome.no.map(([name]) => {
      const guard = guards.find((each) => each.name === name);
      return el("p", { class: "why" }, "⊘ refused by ", el("b", {}, name), " ", code(guard.text), place(guard.at));
    });
  }
  if (outcome.assumed !== undefined) return el("p", { class: "why" }, "⊘ ruled out by an assumption ", code(outcome.assumed), place(outcome.at));
  if (outcome.fault !== undefined) return el("p", { class: "why bad" }, `✗ no value: ${outcome.fault} `, code(outcome.text), place(outcome.at));
  if (outcome.breaks) return el("p", { class: "why bad" }, `✗ enabled, and violates ${outcome.breaks.join(", ")}`);
  if (outcome.to === number) return el("p", { class: "why" }, "✓ enabled, changes nothing ∘");
  return el("p", { class: "why" }, "✓ enabled");
}

function callShown(walk, action, { call, base, other }, group, numbering, take) {
  const label = callLabel(walk, action, call);
  const told = reasons(base, other);
  if (!group.enabled) return el("li", { class: "call" }, el("bdi", {}, label), told && el("small", {}, value(told)));
  const key = numbering.next <= 9 ? String(numbering.next) : null;
  numbering.next += 1;
  const name = walk.states.label([action, call]);
  const attributes = { type: "button", class: "call", "data-key": key, "data-call": `${action}.${call}`, "aria-label": key ? `${name}, key ${key}` : name };
  return el("li", {}, el("button", { ...attributes, onclick: () => take([action, call]) }, key && el("kbd", {}, key), el("bdi", {}, label), group.parts && told && el("small", {}, value(told))));
}

function callLabel(walk, action, call) {
  const { name, parameters, calls } = walk.states.protocol.actions[action];
  if (parameters.length === 0) return `${name}()`;
  return parameters.map((parameter, place) => `${parameter}=${calls[call][place]}`).join(", ");
}

// What decides the guards that refuse a call; whose, where baseline and variant are in different states.
function reasons(base, other) {
  const [one, two] = [base, other].map((outcome) => (outcome && outcome.no ? outcome.no.map(([, why]) => why).filter(Boolean).join("; ") : ""));
  if (!one || !two || one === two) return one || two;
  return `baseline ${one} · variant ${two}`;
}
