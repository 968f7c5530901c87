// What all pages share: making elements, times, the stream, decisions.
// Foreign text enters the document through textContent only.

export const $ = (id) => document.getElementById(id);
export const pageId = document.body.dataset.id;

const PLAIN = new Set(["class", "title", "datetime", "dir", "role", "scope", "type", "value", "name",
  "for", "colspan", "hidden", "aria-label", "aria-hidden", "aria-describedby", "lang"]);

/** An element with the attributes of `attrs` (only harmless ones pass) and children or text. */
export function el(tag, attrs = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs)) {
    if (name.startsWith("data-") || PLAIN.has(name)) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    } else {
      throw new Error(`attribute ${name} is not meant to be set here`);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** A link to one of our own pages. */
export function ownLink(kind, id, attrs, ...children) {
  const node = el("a", attrs, ...children);
  node.href = `/${kind}/${encodeURIComponent(id)}`;
  return node;
}

/** A link to somewhere else, or null when the address is not one of the web. */
export function foreignLink(url, ...children) {
  let target;
  try {
    target = new URL(url);
  } catch {
    return null;
  }
  if (target.protocol !== "https:" && target.protocol !== "http:") return null;
  const node = el("a", { class: "out" }, ...children);
  node.href = target.href;
  node.target = "_blank";
  node.rel = "noopener noreferrer nofollow ugc";
  return node;
}

/** A button that does something. */
export function button(words, act, attrs = {}) {
  const node = el("button", { type: "button", ...attrs }, words);
  node.addEventListener("click", act);
  return node;
}

/**
 * Makes the children of `parent` stand for `items` (by their `id`), in order. A node stays as it is
 * while its item is the same object; `make(item, old node)` makes a new one.
 */
export function keyed(parent, items, make) {
  const known = parent.known ?? (parent.known = new Map());
  const old = new Map(known);
  let place = parent.firstChild;
  for (const item of items) {
    const key = String(item.id);
    let entry = known.get(key);
    old.delete(key);
    if (!entry) {
      entry = { node: make(item), item };
      known.set(key, entry);
    } else if (entry.item !== item) {
      const node = make(item, entry.node);
      if (node !== entry.node) {
        if (place === entry.node) place = node;
        entry.node.replaceWith(node);
      }
      entry.node = node;
      entry.item = item;
    }
    if (entry.node === place) place = place.nextSibling;
    else parent.insertBefore(entry.node, place);
  }
  for (const [key, entry] of old) {
    entry.node.remove();
    known.delete(key);
  }
}

// ---- times --------------------------------------------------------------------------------------

const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hourMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayTime = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [2592000, "day", 86400],
  [31536000, "month", 2592000], [Infinity, "year", 31536000]];
let ahead = 0; // the server's clock minus ours, in ms

const now = () => Date.now() + ahead;

export function ago(iso) {
  const seconds = (Date.parse(iso) - now()) / 1000;
  if (seconds > -5 && seconds < 60) return "now"; // clocks differ a little; nothing is from the future
  const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return relative.format(Math.trunc(seconds / size), unit);
}

/** Hour and minute, with the date where it is not today's. */
export function minute(iso) {
  const at = new Date(iso);
  return at.toDateString() === new Date(now()).toDateString() ? hourMinute.format(at) : dayTime.format(at);
}

/** The time on the clock, with the date where it is not today's. */
export function clock(iso) {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date(now()).toDateString();
  return isToday ? clockTime.format(at) : dayTime.format(at);
}

export function when(iso) {
  if (!iso) return el("span", { class: "dim" }, "–");
  return el("time", { datetime: iso, title: `${dayTime.format(new Date(iso))} here, ${iso} UTC` },
    el("span", { class: "abs" }, clock(iso)), " ", el("span", { class: "rel dim", "data-at": iso }, ago(iso)));
}

/** Seconds as words: "9 min 30 s". */
export function span(seconds) {
  const whole = Math.abs(Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 && whole < 600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.round(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.round((whole % 3600) / 60);
  return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
}

/** How long our proposal stood before the official opening, or came after it, in words. */
export function lead(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (Math.abs(seconds) < 1) return "just at";
  return seconds > 0 ? `${span(seconds)} before` : `${span(seconds)} after`;
}

setInterval(() => {
  for (const node of document.querySelectorAll("[data-at]")) {
    const words = ago(node.dataset.at);
    if (node.textContent !== words) node.textContent = words;
  }
}, 5000);

// ---- the stream ---------------------------------------------------------------------------------

const WORDS = {
  connecting: "Connecting…",
  starting: "Starting: models and warehouse are being loaded",
  running: "Live",
  paused: "Paused",
  stopping: "Stopping",
  troubled: "Waiting for the warehouse",
  reconnecting: "Connection lost, reconnecting…",
};
const SILENCE = 16_000; // three missed signs of life

export function showState(state, notice) {
  const node = $("state");
  if (node.dataset.state !== state) {
    node.dataset.state = state;
    $("state-words").textContent = WORDS[state] ?? state;
  }
  if (notice !== undefined) {
    if ($("notice").textContent !== notice) $("notice").textContent = notice;
    $("notice").hidden = !notice;
  }
}

/** Follows what `query` names; `handlers` by event name. Comes back by itself after a loss. */
export function follow(query, handlers) {
  let source;
  let timer;
  let state = "connecting";
  const tell = (next, notice) => {
    state = next;
    (handlers.state ?? showState)(next, notice);
  };
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      source.close();
      tell("reconnecting");
      open();
    }, SILENCE);
  };
  const open = () => {
    source = new EventSource(`/api/stream?${query}`);
    alive();
    source.addEventListener("error", () => {
      tell("reconnecting");
      // A refusal (not a loss) closes the stream for good: try again, but gently.
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(timer);
        timer = setTimeout(open, 3000);
      }
    });
    source.addEventListener("beat", (message) => {
      ahead = Date.parse(JSON.parse(message.data).now) - Date.now();
      alive();
    });
    source.addEventListener("status", (message) => {
      const status = JSON.parse(message.data).all;
      tell(status.state, status.trouble ?? status.notice ?? "");
    });
    for (const [name, handle] of Object.entries(handlers)) {
      if (name !== "state") {
        source.addEventListener(name, (message) => {
          alive();
          handle(JSON.parse(message.data));
        });
      }
    }
  };
  open();
  return { close: () => { clearTimeout(timer); source.close(); }, get state() { return state; } };
}

/** Takes an event of a part made of rows into `known` (by id). */
export function takeRows(known, message) {
  if (message.all) {
    known.clear();
    for (const row of message.all) known.set(row.id, row);
  } else {
    for (const row of message.put) known.set(row.id, row);
    for (const id of message.gone) known.delete(id);
  }
}

// ---- decisions ----------------------------------------------------------------------------------

let toastTimer;

/** Says something for a few seconds, with a button if `act` is given. */
export function say(words, actWords, act) {
  const toast = $("toast");
  clearTimeout(toastTimer);
  toast.replaceChildren(el("span", {}, words));
  if (act) {
    toast.append(button(actWords, () => {
      toast.replaceChildren();
      act();
    }, { class: "quiet" }));
  }
  toastTimer = setTimeout(() => toast.replaceChildren(), act ? 12_000 : 6000);
}

/** Sends a decision; true when it was taken. What it changes comes back through the stream. */
export async function decide(subject, verb, value = "") {
  try {
    const response = await fetch("/api/decisions", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Requested-With": "groundswell" },
      body: JSON.stringify({ id: crypto.randomUUID(), subject, verb, value }),
    });
    if (response.ok) return true;
    say(`Not saved: ${(await response.json()).error}`);
  } catch {
    say("Not saved: the server does not answer");
  }
  return false;
}
