// The live feed: newest feedback, filters kept in the address, pause, the chart, incidents of now.
import { $, el, follow, keyed, showState, takeRows } from "./page.js";
import { incidentCard, postRow, sourceCard } from "./parts.js";
import { minuteChart } from "./chart.js";

const NAMES = ["source", "track", "intent", "linked"];
const MOST = 200;
const form = $("filters");
const known = new Map();
let drawn = new Set();
let paused = false;
let loaded = false;
let state = "connecting";
let stream;
let notices = { status: "", sources: "" };
let covered = [];
let running = [];
let unread = { posts: 0, reports: 0 };

const chart = minuteChart({ host: $("chart"), table: $("chart-table"), toggle: $("as-table"), readout: $("readout"), what: "Posts per minute" });

// ---- filters, kept in the address ---------------------------------------------------------------

function filters() {
  const chosen = new URLSearchParams();
  for (const name of NAMES) if (form.elements[name].value) chosen.set(name, form.elements[name].value);
  return chosen;
}

function offer(name, values) {
  const select = form.elements[name];
  const have = new Set([...select.options].map((option) => option.value));
  for (const value of values) if (!have.has(value)) select.append(el("option", { value }, value));
}

function fromAddress() {
  const asked = new URLSearchParams(location.search);
  for (const name of NAMES) {
    const value = asked.get(name) ?? "";
    if (value && name !== "linked") offer(name, [value]);
    form.elements[name].value = value;
  }
}

function changed() {
  const chosen = filters().toString();
  history.pushState(null, "", chosen ? `?${chosen}` : location.pathname);
  restart();
}

form.addEventListener("change", changed);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(changed));
addEventListener("popstate", () => {
  fromAddress();
  restart();
});

// ---- pause --------------------------------------------------------------------------------------

function waiting() {
  let count = 0;
  for (const id of known.keys()) if (!drawn.has(id)) count += 1;
  return count;
}

function showPause() {
  const count = paused ? waiting() : 0;
  const some = count >= MOST ? `${MOST} or more new` : `${count} new`;
  const words = !paused ? "Pause" : count ? `Resume (${some})` : "Resume";
  if ($("pause").textContent !== words) $("pause").textContent = words;
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  tell(state);
  if (paused) showPause();
  else draw();
});

// ---- drawing ------------------------------------------------------------------------------------

function tell(next, notice) {
  state = next;
  if (notice !== undefined) notices.status = notice;
  showState(paused && next === "running" ? "paused" : next, Object.values(notices).filter(Boolean).join(" "));
  showEmpty();
}

function showEmpty() {
  const words = {
    starting: "Starting: the models and the warehouse are being loaded. The feed begins by itself.",
    troubled: "Waiting for the warehouse. The feed goes on by itself.",
    reconnecting: "The connection is lost. The feed goes on by itself once the server answers.",
  };
  let text = words[state] ?? "Loading the newest feedback…";
  if (loaded && state === "running") {
    text = filters().size ? "No feedback matches these filters yet." : "No feedback yet. It appears here within two seconds of its arrival.";
  }
  $("empty").textContent = text;
  $("empty").hidden = $("posts").childElementCount > 0;
}

function draw() {
  const rows = [...known.values()].sort((a, b) => b.arrival - a.arrival).slice(0, MOST);
  keyed($("posts"), rows, (post) => postRow(post));
  drawn = new Set(known.keys());
  showPause();
  showEmpty();
}

function onPosts(message) {
  if (loaded) {
    for (const row of message.put ?? []) {
      if (!known.has(row.id)) {
        unread.posts += 1;
        if (row.intent === "report") unread.reports += 1;
      }
    }
  }
  takeRows(known, message);
  loaded = true;
  if (paused) showPause();
  else draw();
}

// One polite sentence now and then, instead of every row read out.
setInterval(() => {
  if (!unread.posts || paused) return;
  const reports = unread.reports ? `, ${unread.reports} of them reports` : "";
  $("summary").textContent = `${unread.posts} new posts${reports}`;
  unread = { posts: 0, reports: 0 };
}, 15_000);

function onIncidents({ all }) {
  const current = all.filter((incident) => incident.rank < 2);
  keyed($("open"), current.slice(0, 8), incidentCard);
  $("no-open").textContent = "No incident is proposed or open.";
  $("no-open").hidden = current.length > 0;
  document.title = current.length ? `(${current.length}) Live feed · Groundswell` : "Live feed · Groundswell";
}

function onMenus({ all }) {
  for (const name of ["source", "track", "intent"]) offer(name, all[name] ?? []);
}

// ---- sources: what the process says of them, and what the ledger of coverage says ------------------

function showSources() {
  const rows = new Map(covered.map((source) => [source.id, source]));
  for (const told of running) {
    const id = `${told.name}|`;
    rows.set(id, { id, source: told.name, gaps: [], ...rows.get(id), ...told });
  }
  const sorted = [...rows.values()].sort((a, b) => a.id.localeCompare(b.id));
  keyed($("sources"), sorted, sourceCard);
  $("sources-part").hidden = sorted.length === 0;
}

function onSources({ all }) {
  covered = all;
  const blind = all.filter((source) => source.is_blind).map((source) => `${source.source}${source.gaps[0]?.cause ? ` (${source.gaps[0].cause})` : ""}`);
  notices.sources = blind.length ? `Not being read now: ${blind.join(", ")}. Silence there means nothing.` : "";
  showSources();
  tell(state);
}

function onStatus({ all }) {
  running = all.sources ?? [];
  showSources();
}

function restart() {
  stream?.close();
  known.clear();
  loaded = false;
  unread = { posts: 0, reports: 0 };
  notices = { status: "", sources: "" };
  if (paused) $("pause").click();
  const chosen = filters();
  $("clear").disabled = chosen.size === 0;
  keyed($("posts"), [], null);
  showEmpty();
  chosen.set("view", "feed");
  stream = follow(chosen, { state: tell, posts: onPosts, counts: ({ all }) => chart.show(all), incidents: onIncidents, menus: onMenus, sources: onSources, status: onStatus });
}

fromAddress();
restart();
