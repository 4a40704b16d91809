// The state graph: what is known of it, drawn as far as it has been expanded, with the walk in it.

const DRAWN = 400; // states that are drawn at once
const DRAWN_WHOLE = 60; // a graph with so many states is drawn whole from the start
const DETAILED = 120; // so many nodes show values, more of them numbers alone
const LINES = 6; // variables in a node, of those that tell the drawn states apart
const CHARACTERS = 34; // of a variable in a node, where strings have no quotes
const CHARACTER = 6.7; // width of a character in a node, in pixels
const LINE = 15;
const NOTE_GAP = " · ";

class Graph {
  constructor(states, walk, actions) {
    this.states = states;
    this.walk = walk;
    this.actions = actions; // {go(number), refresh(), ask(promise)}
    this.expanded = new Set();
    this.whole = null; // null: if it is small
    this.detailed = true;
    this.scale = null; // null: as the frame allows
    this.focus = null;
    this.build();
  }

  build() {
    const button = (text, title, onclick) => el("button", { type: "button", title, onclick }, text);
    this.tools = {
      expand: button("Expand", "Draw the successors of the current state (e)", () => this.expand(this.current)),
      whole: button("Whole graph", "Draw every state that is known, and ask for more", () => this.showWhole()),
      walk: button("Only the walk", "Draw the walk and what follows the current state", () => this.showWalk()),
      smaller: button("−", "Smaller (-)", () => this.zoom(1 / 1.25)),
      larger: button("+", "Larger (+)", () => this.zoom(1.25)),
      fit: button("Fit", "Fit the drawing in (0)", () => this.fit()),
    };
    this.tools.smaller.setAttribute("aria-label", "Smaller");
    this.tools.larger.setAttribute("aria-label", "Larger");
    const values = el("input", { type: "checkbox", checked: true, onchange: (event) => this.setDetailed(event.target.checked) });
    this.said = el("p", { class: "note" });
    this.frame = el("div", { class: "frame" });
    this.drag();
    this.frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    const bar = el("div", { class: "tools", role: "group", "aria-label": "The drawing" }, Object.values(this.tools), el("label", {}, values, " values"));
    replaceBody("graph", bar, this.said, this.frame);
  }

  get guard() {
    return this.walk.guard;
  }

  get side() {
    return this.walk.current.other || this.walk.current.base;
  }

  get current() {
    return this.side.number;
  }

  // ----------------------------------------------------------------------------------------------- what is drawn

  roots() {
    return [...new Set(this.states.protocol.init.choices.map((choice) => choice.to).filter((to) => to !== undefined))];
  }

  shown() {
    const { walk, states } = this;
    const found = new Set(walk.steps.flatMap((step) => [step.base.number, ...(step.other ? [step.other.number] : [])]));
    found.add(this.roots().find((root) => found.has(root)) ?? this.roots()[0]);
    const extend = (numbers) => {
      for (const number of numbers) if (found.size < DRAWN) found.add(number);
    };
    extend(states.targets(this.current, this.guard).keys());
    for (const number of this.expanded) {
      extend([number]);
      extend(states.targets(number, this.guard).keys());
    }
    if (this.whole ?? (states.complete.has(this.guard) && states.reachable(this.guard).size <= DRAWN_WHOLE)) {
      extend(this.roots());
      for (const number of found) extend(states.targets(number, this.guard).keys()); // which grows while it is walked
    }
    return [...found];
  }

  async expand(number) {
    await this.actions.ask(this.states.need([number], this.guard));
    this.expanded.add(number);
    // What is there to be drawn of the successors, and how many follow them, is known of described states only.
    await this.actions.ask(this.states.need([...this.states.targets(number, this.guard).keys()], this.guard));
    this.draw();
    announce(`${count(this.drawn.length, "state")} drawn`);
  }

  async showWhole() {
    this.whole = true;
    const { states, guard } = this;
    if (states.token !== null && !states.complete.has(guard)) {
      const known = this.walk.steps.map((step) => (step.other || step.base).number);
      const answer = await this.actions.ask(states.ask("more", { guard, ids: known.slice(0, 500).join(","), most: 2000 }));
      if (answer) {
        states.add(answer.block);
        if (answer.complete) states.complete.add(guard).add("");
      }
    }
    this.draw();
    this.fit();
  }

  showWalk() {
    this.whole = false;
    this.expanded.clear();
    this.scale = null;
    this.draw();
  }

  setDetailed(detailed) {
    this.detailed = detailed;
    this.draw();
  }

  // ---------------------------------------------------------------------------------------------------- the drawing

  draw() {
    const { states, guard } = this;
    this.drawn = this.shown();
    const inside = new Set(this.drawn);
    const targets = new Map(this.drawn.map((number) => [number, states.targets(number, guard)]));
    const successors = (number) => [...targets.get(number).keys()].filter((target) => inside.has(target));
    const detailed = this.detailed && this.drawn.length <= DETAILED;
    const told = detailed ? this.telling() : [];
    const lines = new Map(this.drawn.map((number) => [number, this.lines(number, told)]));
    const size = (number) => ({
      width: Math.max(...lines.get(number).map((line) => line.length), detailed ? 17 : 8) * CHARACTER + 18,
      height: lines.get(number).length * LINE + 12,
    });
    const trail = this.trail();
    const edges = this.drawn.flatMap((from) => successors(from).map((to) => ({ from, to, ...targets.get(from).get(to), walked: trail.has(`${from}-${to}`) })));
    for (const edge of edges) edge.label = this.edgeLabel(edge);
    const labelled = new Map(edges.map(({ from, to, label }) => [`${from}-${to}`, label.length * CHARACTER]));
    const at = layered(this.drawn, this.roots(), successors, size, (from, to) => labelled.get(`${from}-${to}`) || 0);
    edges.sort((one, two) => one.walked - two.walked);
    for (const edge of edges) edge.path = curve(at.get(edge.from), size(edge.from), at.get(edge.to), size(edge.to));
    const room = bounds(at, size, edges, (number) => this.notes(number).join(NOTE_GAP).length * CHARACTER);
    this.size = { width: room.right - room.left, height: room.bottom - room.top };
    const drawing = svg(
      "svg",
      { viewBox: `${room.left} ${room.top} ${this.size.width} ${this.size.height}`, role: "group", "aria-label": "State graph" },
      markers(),
      edges.map((edge) => this.edge(edge)),
      this.loop(at, size),
      this.drawn.map((number) => this.node(number, at.get(number), size(number), lines.get(number), targets.get(number), inside)),
    );
    this.at = at;
    this.frame.replaceChildren(drawing);
    this.resize();
    this.reveal();
    this.tell();
  }

  // The variables that tell the drawn states apart, as many as a node has room for.
  telling() {
    const texts = this.drawn.map((number) => this.states.values.get(number) || []);
    const varying = this.states.protocol.variables.flatMap((_, place) => (new Set(texts.map((own) => own[place])).size > 1 ? [place] : []));
    return (varying.length ? varying : [0]).slice(0, LINES);
  }

  lines(number, told) {
    const texts = this.states.values.get(number) || [];
    return [`#${number + 1}`, ...told.map((place) => shortened(`${this.states.protocol.variables[place].name} ${(texts[place] ?? "").replaceAll('"', "")}`))];
  }

  // The edges of the walk, "from-to" → the places of its steps.
  trail() {
    const found = new Map();
    const { steps: taken } = this.walk;
    const add = (from, to, place) => found.set(`${from}-${to}`, [...(found.get(`${from}-${to}`) || []), place]);
    for (let place = 1; place < taken.length; place += 1) {
      for (const side of ["base", "other"]) {
        const [before, after] = [taken[place - 1][side], taken[place][side]];
        if (after !== null && before.number !== after.number) add(before.number, after.number, place);
      }
    }
    const { trace } = this.walk;
    if (trace !== null && trace.loop_to !== null) {
      const ends = [taken[taken.length - 1], taken[trace.loop_to]].map((step) => (step.other || step.base).number);
      if (ends[0] !== ends[1]) add(...ends, taken.length);
    }
    return found;
  }

  // Steps of the walk and those from the current state are named, the others when they are pointed at.
  edgeLabel({ from, calls, walked }) {
    if (!walked && from !== this.current) return "";
    const names = calls.map((call) => this.states.label(call));
    return shortened(names.length > 2 ? `${names[0]} and ${names.length - 1} more` : names.join(", "), 34);
  }

  edge({ from, calls, own, walked, label, path }) {
    const near = from === this.current;
    const kind = ["edge", walked && "walked", own && "own", near && "near"].filter(Boolean).join(" ");
    const names = calls.map((call) => this.states.label(call));
    return svg(
      "g",
      { class: kind },
      svg("path", { d: path.line, "marker-end": walked ? "url(#head-walked)" : "url(#head)" }, svg("title", {}, `${own ? `only without ${this.guard}: ` : ""}${names.join(", ")}`)),
      label && svg("text", { x: path.x, y: path.y, class: "label" }, label),
    );
  }

  // A trace that stays where it is, with a step or without one.
  loop(at, size) {
    const { trace, steps: taken } = this.walk;
    if (trace === null) return null;
    const last = taken[taken.length - 1];
    const number = (last.other || last.base).number;
    const back = trace.loop_to === null ? null : (taken[trace.loop_to].other || taken[trace.loop_to].base).number;
    if (!trace.stuttering && back !== number) return null;
    const { x, y } = at.get(number);
    const { height } = size(number);
    const bottom = y + height / 2;
    return svg(
      "g",
      { class: "edge walked" },
      svg("path", { d: `M ${x + 16} ${bottom} C ${x + 34} ${bottom + 34} ${x - 34} ${bottom + 34} ${x - 14} ${bottom + 5}`, "marker-end": "url(#head-walked)" }),
      svg("text", { x, y: bottom + 38, class: "label" }, trace.stuttering ? "∞ stays for ever" : "↻ for ever"),
    );
  }

  node(number, { x, y }, { width, height }, lines, targets, inside) {
    const { states, walk } = this;
    const places = this.places(number);
    const base = walk.current.base.number === number;
    const here = number === this.current;
    const violated = states.violated(number, this.guard);
    const hidden = [...targets.keys()].filter((target) => !inside.has(target)).length;
    const unknown = !states.has(number, this.guard) && states.token !== null;
    const initial = this.roots().includes(number);
    const who = walk.current.other === null ? (here ? "here" : "") : here && base ? "both" : here ? "variant" : base ? "baseline" : "";
    const notes = this.notes(number);
    const kind = ["node", here && "here", base && !here && "base", places.length && "walked", violated.length && "bad", initial && "initial"].filter(Boolean).join(" ");
    const [left, top] = [x - width / 2, y - height / 2];
    const group = svg(
      "g",
      {
        class: kind,
        transform: `translate(${left} ${top})`,
        role: "button",
        tabindex: (this.focus ?? this.current) === number ? 0 : -1,
        "data-number": number,
        "aria-label": `state #${number + 1}${who ? `, ${who}` : ""}${notes.length ? `, ${notes.join(", ")}` : ""}: ${states.summary(number)}`,
        onclick: () => this.actions.go(number),
      },
      svg("title", {}, states.summary(number)),
      initial && svg("rect", { class: "ring", x: -4, y: -4, width: width + 8, height: height + 8, rx: 8 }),
      svg("rect", { width, height, rx: 5 }),
      lines.map((line, place) => svg("text", { x: 9, y: 17 + place * LINE, class: place === 0 ? "number" : null }, line)),
      who && svg("text", { x: width - 7, y: 17, class: "who" }, `◆ ${who}`),
      notes.length > 0 && svg("text", { x: 2, y: initial ? -9 : -6, class: violated.length ? "note bad" : "note" }, notes.join(NOTE_GAP)),
    );
    if (hidden > 0 || unknown) {
      const more = svg("g", { class: "more", transform: `translate(${width - 4} ${height - 4})` }, svg("circle", { r: 11 }), svg("text", { y: 4 }, unknown ? "+" : `+${hidden}`));
      more.addEventListener("click", (event) => {
        event.stopPropagation();
        this.expand(number);
      });
      group.append(more);
    }
    return group;
  }

  // The steps of the walk that lead to a state, from 1.
  places(number) {
    return this.walk.steps.flatMap((step, place) => ((step.other || step.base).number === number ? [place + 1] : []));
  }

  // What stands above a state.
  notes(number) {
    const [places, violated] = [this.places(number), this.states.violated(number, this.guard)];
    const shown = places.length > 4 ? [...places.slice(0, 3), "…"] : places;
    return [
      this.roots().includes(number) && "initial",
      places.length > 0 && `step ${shown.join(", ")}`,
      violated.length > 0 && `✗ ${violated.join(", ")}`,
    ].filter(Boolean);
  }

  tell() {
    const { states, guard } = this;
    const drawn = `${count(this.drawn.length, "state")} drawn`;
    const all = states.reachable(guard).size.toLocaleString("en");
    const known = states.complete.has(guard) ? `of ${all}` : `of ${all} that are known; there are more`;
    const capped = this.drawn.length >= DRAWN ? " · no more are drawn at once: start from the walk and expand" : "";
    const dashes = guard ? ` · dashed: only without ${guard}` : "";
    this.said.textContent = `${drawn} ${known}${dashes}${capped}`;
    this.tools.expand.disabled = !this.states.has(this.current, guard) && states.token === null;
  }

  // ------------------------------------------------------------------------------------------------------ the view

  zoom(factor) {
    this.scale = Math.max(0.05, Math.min(3, this.effective() * factor));
    this.resize();
    this.reveal();
  }

  fit() {
    this.scale = Math.max(0.05, this.fitting());
    this.resize();
    this.reveal();
  }

  // Never larger than text is read comfortably.
  fitting() {
    const height = parseFloat(getComputedStyle(this.frame).maxHeight) || this.frame.clientHeight;
    return Math.min(1.15, (this.frame.clientWidth - 4) / this.size.width, (height - 4) / this.size.height);
  }

  // Until the user zooms: what fits in, as long as it can be read.
  effective() {
    return this.scale === null ? Math.max(0.8, this.fitting()) : this.scale;
  }

  resize() {
    const drawing = this.frame.firstElementChild;
    const scale = this.effective();
    drawing.setAttribute("width", this.size.width * scale);
    drawing.setAttribute("height", this.size.height * scale);
  }

  // Scrolls the frame, and nothing else, until the current state is in it.
  reveal(number = this.current) {
    const node = this.frame.querySelector(`[data-number="${number}"]`);
    if (node === null) return;
    const [box, frame] = [node.getBoundingClientRect(), this.frame.getBoundingClientRect()];
    this.frame.scrollLeft += box.left + box.width / 2 - (frame.left + frame.width / 2);
    this.frame.scrollTop += box.top + box.height / 2 - (frame.top + frame.height / 2);
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // scrolls
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
  }

  drag() {
    let from = null;
    this.frame.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0 && !event.target.closest(".node")) {
        from = { x: event.clientX, y: event.clientY, left: this.frame.scrollLeft, top: this.frame.scrollTop };
        this.frame.setPointerCapture(event.pointerId);
      }
    });
    this.frame.addEventListener("pointermove", (event) => {
      if (from === null) return;
      this.frame.scrollLeft = from.left - (event.clientX - from.x);
      this.frame.scrollTop = from.top - (event.clientY - from.y);
    });
    for (const end of ["pointerup", "pointercancel"]) this.frame.addEventListener(end, () => (from = null));
  }

  // Keys while a state of the drawing has the focus; whether the key was for it.
  key(event) {
    const node = event.target.closest && event.target.closest(".node");
    if (!node || !this.frame.contains(node)) return false;
    const number = Number(node.dataset.number);
    if (event.key === "Enter" || event.key === " ") this.actions.go(number);
    else if (event.key === "e") this.expand(number).then(() => this.focusOn(number));
    else if (event.key.startsWith("Arrow")) this.focusOn(this.nearest(number, event.key));
    else return false;
    return true;
  }

  nearest(number, key) {
    const from = this.at.get(number);
    const [along, across, sense] = { ArrowRight: ["x", "y", 1], ArrowLeft: ["x", "y", -1], ArrowDown: ["y", "x", 1], ArrowUp: ["y", "x", -1] }[key];
    let best = number;
    let least = Infinity;
    for (const [other, to] of this.at) {
      const ahead = (to[along] - from[along]) * sense;
      const distance = ahead + 2.5 * Math.abs(to[across] - from[across]);
      if (ahead > 1 && distance < least) [best, least] = [other, distance];
    }
    return best;
  }

  focusOn(number) {
    const node = this.frame.querySelector(`[data-number="${number}"]`);
    if (node === null) return;
    for (const each of this.frame.querySelectorAll(".node")) each.setAttribute("tabindex", -1);
    node.setAttribute("tabindex", 0);
    this.focus = number;
    this.reveal(number);
    node.focus({ preventScroll: true });
  }
}

const shortened = (text, most = CHARACTERS) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function bounds(at, size, edges, note) {
  const room = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (const [number, { x, y }] of at) {
    const { width, height } = size(number);
    room.left = Math.min(room.left, x - width / 2 - 40);
    room.right = Math.max(room.right, x + width / 2 + 50, x - width / 2 + note(number) + 12);
    room.top = Math.min(room.top, y - height / 2 - 46);
    room.bottom = Math.max(room.bottom, y + height / 2 + 52);
  }
  for (const { path } of edges) room.bottom = Math.max(room.bottom, path.y + 16);
  return room;
}

// A curve from one box to another, and where its label goes.
function curve(one, oneSize, two, twoSize) {
  if (two.column > one.column) {
    const [x1, x2] = [one.x + oneSize.width / 2, two.x - twoSize.width / 2 - 5];
    const bend = (x2 - x1) / 2;
    return { line: `M ${x1} ${one.y} C ${x1 + bend} ${one.y} ${x2 - bend} ${two.y} ${x2} ${two.y}`, x: (x1 + x2) / 2, y: (one.y + two.y) / 2 - 6 };
  }
  if (two.column === one.column) {
    const [x1, x2] = [one.x + oneSize.width / 2, two.x + twoSize.width / 2 + 5];
    const out = Math.max(x1, x2) + 30;
    return { line: `M ${x1} ${one.y + 4} C ${out} ${one.y} ${out} ${two.y} ${x2} ${two.y - 4}`, x: out, y: (one.y + two.y) / 2 };
  }
  const [y1, y2] = [one.y + oneSize.height / 2, two.y + twoSize.height / 2 + 5];
  // The farther back, the lower, so that curves from one column to several do not lie on each other.
  const low = Math.max(y1, y2) + 18 + 20 * (one.column - two.column);
  const [x1, x2] = [one.x - 8, two.x + 8];
  return { line: `M ${x1} ${y1} C ${x1} ${low} ${x2} ${low} ${x2} ${y2}`, x: (x1 + x2) / 2, y: (y1 + 6 * low + y2) / 8 + 4 };
}

function markers() {
  const head = (id) => svg("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M 0 0 L 8 4 L 0 8 z" }));
  const large = head("head-walked");
  large.setAttribute("markerWidth", 11);
  large.setAttribute("markerHeight", 11);
  return svg("defs", {}, head("head"), large);
}
