// Elements, built without any HTML text: what a protocol contains is never read as markup.

function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const byId = (id) => document.getElementById(id);

function replaceBody(section, ...children) {
  byId(section).querySelector(".body").replaceChildren(...children.flat(Infinity).filter(Boolean));
}

// For screen readers only; `bdi` keeps a value's direction of writing to itself.
const unseen = (text) => el("span", { class: "unseen" }, text);
const value = (...content) => el("bdi", { class: "value" }, ...content);
const code = (text) => el("code", {}, el("bdi", {}, text));

function announce(text) {
  byId("announcement").textContent = text;
}

// "file:line", which a click copies.
function place(at) {
  if (!at) return null;
  const button = el("button", { type: "button", class: "place", title: "Copy", "aria-label": `Copy ${at}` }, at);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(at);
      announce(`copied ${at}`);
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1200);
    } catch {
      // No clipboard without a secure page, or without leave: the text is selected for the user to copy.
      getSelection().selectAllChildren(button);
    }
  });
  return button;
}

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
