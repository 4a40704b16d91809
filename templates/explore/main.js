// Everything together: what the user does, and what is shown after it.

const data = JSON.parse(byId("data").textContent);
const states = new States(data);
const walk = new Walk(states);
const walks = data.walks;
const said = { ...data.said };
let graph = null;

function refresh() {
  showTimeline(walk, (place) => moved(() => walk.move(place)));
  showBanner(walk);
  showState(walk);
  showProperties(walk);
  showActions(walk, (call) => moved(() => walk.take(call)));
  if (graph === null) graph = new Graph(states, walk, { go, ask });
  graph.draw();
  showChoices();
  remember();
}

// The address holds the walk.
function remember() {
  try {
    history.replaceState(null, "", walk.toHash());
  } catch {
    // Some browsers forbid it after many steps in a short time.
  }
}

// Runs what asks the server; what goes wrong is said on the page. Undefined where it did.
async function ask(promise) {
  document.body.setAttribute("aria-busy", "true");
  try {
    return await promise;
  } catch (error) {
    const banner = byId("banner");
    banner.textContent = error.message;
    banner.classList.add("bad");
    return undefined;
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

// One thing at a time: a step that is taken while another is under way waits for it.
let queue = Promise.resolve();

function moved(action) {
  queue = queue.then(async () => {
    const place = focused();
    const done = await ask(Promise.resolve(action()).then(() => true));
    if (!done) return;
    refresh();
    restore(place);
  });
  return queue;
}

// Panels are built anew after each step; the focus stays on the same thing, where it is still there.
function focused() {
  const active = document.activeElement;
  if (!active || active === document.body) return null;
  if (active.dataset.call) return `[data-call="${active.dataset.call}"]`;
  if (active.dataset.number) return "current node";
  return active.closest("#timeline") ? '#timeline [aria-current="step"]' : null;
}

function restore(selector) {
  if (selector === null) return;
  if (selector === "current node") graph.focusOn(graph.current);
  else (document.querySelector(selector) || byId("actions")).focus({ preventScroll: true });
}

// ------------------------------------------------------------------------------------------------------- go there

// To a state of the graph: along the walk if it is on it, by one step if one leads there, else from the beginning.
function go(number) {
  return moved(async () => {
    const places = walk.steps.flatMap((step, place) => ((step.other || step.base).number === number ? [place] : []));
    if (places.length > 0) {
      const nearest = places.reduce((best, place) => (Math.abs(place - walk.at) < Math.abs(best - walk.at) ? place : best));
      walk.move(nearest);
      return;
    }
    const direct = states.targets(graph.current, walk.guard).get(number);
    if (direct !== undefined && steps(states.outcome(graph.current, walk.guard, ...direct.calls[0]))) {
      await walk.take(direct.calls[0]);
      return;
    }
    const path = shortest(number);
    if (path === null) throw new Error("no way to this state is known: expand the states before it");
    await walk.run(path.begin, path.calls);
    walk.move(walk.steps.length - 1);
  });
}

function shortest(number) {
  const { choices } = data.protocol.init;
  const from = new Map();
  const queue = [];
  choices.forEach(({ to }, begin) => {
    if (to === undefined || from.has(to)) return;
    from.set(to, { begin, calls: [] });
    queue.push(to);
  });
  for (const each of queue) { // which grows while it is walked
    if (each === number) return from.get(each);
    for (const [target, { calls }] of states.targets(each, walk.guard)) {
      if (!from.has(target)) {
        from.set(target, { begin: from.get(each).begin, calls: [...from.get(each).calls, calls[0]] });
        queue.push(target);
      }
    }
  }
  return null;
}

// --------------------------------------------------------------------------------------------------- what is shown

function showChoices() {
  const trace = byId("trace");
  const shown = walks.map((each, place) => el("option", { value: place }, traceName(each)));
  const begins = data.protocol.init.choices.flatMap((choice, place) => {
    if (choice.to === undefined) return [];
    return [el("option", { value: `begin ${place}` }, data.protocol.init.choices.length > 1 ? `by hand from ${states.beginning(place)}` : "by hand")];
  });
  trace.replaceChildren(...shown, ...begins);
  trace.value = walk.trace === null ? `begin ${walk.steps[0].begin}` : String(walks.indexOf(walk.trace));
  byId("variant").value = walk.guard;
}

function traceName(trace) {
  const name = trace.violated ? `counter-example: ${trace.violated}` : trace.instance || trace.source || "trace";
  return `${name} (${count(trace.states.length, "state")})${trace.guard ? `, without ${trace.guard}` : ""}`;
}

async function chooseVariant(guard) {
  if (states.token !== null && !(guard in said) && !walks.some((each) => (each.guard || "") === guard)) {
    const answer = await states.ask("variant", { guard });
    states.add(answer.block);
    said[guard] = answer.said;
    if (answer.walk !== null) walks.push(answer.walk);
  }
  const own = walks.find((each) => guard && each.guard === guard);
  const byHand = walk.trace === null && walk.steps.length > 1;
  // Steps that were taken by hand are kept, and tried in the variant too.
  if (own !== undefined && !byHand) await walk.follow(own);
  else await walk.compare(guard);
  graph.expanded.clear();
}

async function chooseTrace(chosen) {
  if (chosen.startsWith("begin ")) {
    await walk.begin(Number(chosen.slice(6)));
    return;
  }
  await walk.follow(walks[Number(chosen)]);
}

function showHeader() {
  const { protocol } = data;
  byId("name").textContent = protocol.name;
  byId("constants").replaceChildren(...protocol.constants.map(([name, text]) => el("span", {}, `${name}=`, value(text))));
  byId("doc").textContent = protocol.doc;
  const options = data.guards.map((guard) => {
    const declared = protocol.survivors[guard] ? " (declared survivor)" : "";
    return el("option", { value: guard }, `without ${guard}${declared}`);
  });
  byId("variant").replaceChildren(el("option", { value: "" }, "none"), ...options);
  byId("footer").textContent = footer();
}

function footer() {
  const { embedded } = data;
  if (!embedded) return "Served from this machine. States are computed as they are needed.";
  const states = count(embedded.states, "state");
  if (embedded.baseline && embedded.variants) return `This file holds all ${states}${data.guards.length ? ", of the baseline and of its variants" : ""}.`;
  if (embedded.baseline) return `This file holds all states of the baseline, and ${states} with those of the variants, which have more.`;
  return `This file holds ${states} and the values of ${embedded.border.toLocaleString("en")} next to them. The protocol has more: protocheck explore ${data.protocol.target} computes them as they are needed.`;
}

// The steps up to the current one, as a file for `protocheck trace`: those that the variant took, if there is one.
async function save() {
  const taken = walk.steps.slice(1, walk.at + 1).filter((step) => (step.other || step.base).moved);
  const calls = taken.map((step) => step.call.join(".")).join(",");
  const answer = await ask(states.ask("trace", { guard: walk.guard, begin: walk.steps[0].begin, calls }));
  if (answer === undefined) return;
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(answer, null, 2)}\n`], { type: "application/json" }));
  el("a", { href: address, download: `${data.protocol.name}.trace.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  announce("saved");
}

// ----------------------------------------------------------------------------------------------------------- theme

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
  byId("theme").textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("protocheck-theme", theme);
  } catch {
    // A page in a file may not have a store.
  }
}

function storedTheme() {
  try {
    const stored = localStorage.getItem("protocheck-theme");
    return THEMES.includes(stored) ? stored : "auto";
  } catch {
    return "auto";
  }
}

function nextTheme() {
  const now = document.documentElement.getAttribute("data-theme") || "auto";
  setTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
}

// ------------------------------------------------------------------------------------------------------------ keys

const KEYS = {
  ArrowLeft: () => moved(() => walk.move(walk.at - 1)),
  ArrowRight: () => moved(() => walk.forward()),
  Home: () => moved(() => walk.move(0)),
  End: () => moved(() => walk.move(walk.steps.length - 1)),
  e: () => graph.expand(graph.current),
  t: nextTheme,
  "?": () => byId("help").showModal(),
  "+": () => graph.zoom(1.25),
  "=": () => graph.zoom(1.25),
  "-": () => graph.zoom(1 / 1.25),
  0: () => graph.fit(),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (event.target.closest && event.target.closest("select, input, textarea, summary")) return;
  if (graph.key(event)) {
    event.preventDefault();
    return;
  }
  const button = /^[1-9]$/.test(event.key) ? document.querySelector(`button[data-key="${event.key}"]`) : null;
  const action = button ? () => button.click() : Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (action === null) return;
  event.preventDefault();
  action();
}

// ----------------------------------------------------------------------------------------------------------- start

async function start() {
  setTheme(storedTheme());
  showHeader();
  const named = walkOf(location.hash, data.protocol, data.guards);
  const first = data.protocol.init.choices.findIndex((choice) => choice.to !== undefined);
  if (first < 0) {
    byId("banner").textContent = "There is no initial state.";
    return;
  }
  await moved(async () => {
    if (named !== null) {
      walk.guard = named.guard;
      await walk.run(named.begin, named.calls);
      walk.move(named.at);
    } else if (data.start.walk !== null) {
      await walk.follow(walks[data.start.walk]);
    } else {
      walk.guard = data.start.guard || "";
      await walk.begin(first);
    }
  });
  document.addEventListener("keydown", pressed);
  byId("variant").addEventListener("change", (event) => moved(() => chooseVariant(event.target.value)));
  byId("trace").addEventListener("change", (event) => moved(() => chooseTrace(event.target.value)));
  byId("theme").addEventListener("click", nextTheme);
  byId("save").addEventListener("click", save);
  byId("save").hidden = states.token === null;
  byId("help-button").addEventListener("click", KEYS["?"]);
  byId("first").addEventListener("click", KEYS.Home);
  byId("back").addEventListener("click", KEYS.ArrowLeft);
  byId("forward").addEventListener("click", KEYS.ArrowRight);
  byId("last").addEventListener("click", KEYS.End);
  new ResizeObserver(() => {
    graph.resize();
    revealStep();
  }).observe(graph.frame);
  document.documentElement.setAttribute("data-ready", "");
}

start();
