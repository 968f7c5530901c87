// One incident: what is known, the official word, its posts with reasons, and a person's decisions.
import { $, button, decide, el, follow, foreignLink, keyed, lead, ownLink, pageId, say, span, takeRows, when } from "./page.js";
import { badge, counted, percent, pill, postRow, reasons } from "./parts.js";
import { minuteChart } from "./chart.js";

const CLOSED = new Set(["resolved", "postmortem", "dismissed"]);
const posts = new Map();
const pending = new Map(); // post id → what is on its way
let incident;
let others = [];
let limit = 100;
let stream;

const chart = minuteChart({ host: $("chart"), table: $("chart-table"), toggle: $("as-table"), readout: $("readout"), what: "Its posts per minute" });

// ---- what is known ------------------------------------------------------------------------------

function fact(name, ...value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
}

function comparison() {
  const { first_report_at: first, opened_at: opened, lead_seconds: ahead } = incident;
  if (ahead !== null && ahead !== undefined) return `proposed ${lead(ahead)} the official opening`;
  if (!first || incident.is_proposed) return "–";
  const seconds = (Date.parse(opened) - Date.parse(first)) / 1000;
  return seconds > 0 ? `first report ${span(seconds)} before the opening` : `first report ${span(seconds)} after the opening`;
}

function names(list) {
  return (list ?? []).map((item) => (typeof item === "string" ? item : item.name)).filter(Boolean).join(", ");
}

function showHead() {
  document.title = `${incident.title} · Groundswell`;
  $("title").textContent = incident.title;
  $("pills").replaceChildren(...[pill(incident.status),
    badge(incident.is_proposed ? "ours" : "theirs", incident.is_proposed ? "proposed by us" : "official"),
    incident.impact && incident.impact !== "none" ? badge("severity", `impact ${incident.impact}`) : null].filter(Boolean));
  const about = incident.is_proposed
    ? [incident.official_id ? "Proposed from what people wrote; now part of " : "Proposed from what people wrote. Nobody official has said so."]
    : [incident.official_id ? "Opened by its owner, as a part of " : "Opened by its owner."];
  if (incident.official_id) {
    about.push(ownLink("incidents", incident.official_id, {}, el("bdi", {}, whole()?.title ?? "the official incident")), ".");
  }
  $("about").replaceChildren(...about);
  showCompleteness(incident.completeness);
  $("facts").replaceChildren(...[
    fact("Witnesses", el("b", {}, ...counted(incident.witnesses, incident.completeness))),
    fact("Posts", el("b", {}, ...counted(incident.mentions, incident.completeness))),
    fact("First report", when(incident.first_report_at)),
    fact(incident.is_proposed ? "Proposed" : "Officially opened", when(incident.opened_at)),
    fact("Crowd against official", el("b", {}, comparison())),
    incident.resolved_at ? fact("Ended", when(incident.resolved_at)) : fact("Began", when(incident.started_at)),
    names(incident.tracks) || incident.track ? fact("Track", names(incident.tracks) || incident.track) : null,
    names(incident.components) ? fact("Components", names(incident.components)) : null,
    names(incident.regions) ? fact("Regions", names(incident.regions)) : null,
  ].filter(Boolean));
}

/** What was not seen of the time that the counts are of; nothing when all was. */
function showCompleteness({ words, is_complete: isComplete } = {}) {
  $("completeness").hidden = !words;
  $("completeness").className = `completeness ${isComplete === false ? "blind" : "dim"}`;
  $("completeness").replaceChildren(el("bdi", {}, words));
}

function showOfficial() {
  const updates = incident.is_proposed ? [] : [...(incident.updates ?? [])].reverse();
  $("updates").replaceChildren(...updates.map((update) => el("li", {},
    el("p", { class: "meta" }, when(update.display_at), update.status ? pill(update.status) : null),
    el("p", { class: "text", dir: "auto" }, update.body || "(no words)"))));
  $("no-word").hidden = updates.length > 0;
  $("no-word").textContent = incident.is_proposed ? "No official word: this incident is our proposal." : "The owner has published no update.";
  const link = incident.is_proposed ? null : foreignLink(incident.url, "official page ↗");
  $("official-link").replaceChildren(...(link ? [link] : []));
  const told = others.filter((other) => !other.is_proposed && other.official_id === pageId);
  $("told-also").replaceChildren(...told.map((other) => el("li", {}, "Also told by ", tool(other.id), ": ",
    ownLink("incidents", other.id, {}, el("bdi", {}, other.title)), " ", pill(other.status), " ", foreignLink(other.url, "its page ↗") ?? "")));
}

/** Whose incident an id names: what stands before the colon. */
function tool(id) {
  return el("b", {}, id.split(":", 1)[0]);
}

/** The incident of which this one is a part. */
function whole() {
  return others.find((other) => other.id === incident.official_id);
}

/** The official incident that this one is, or became. */
function officialOne() {
  return incident.is_proposed ? others.find((other) => other.id === incident.official_id) : incident;
}

function showTimeline() {
  const owner = officialOne();
  chart.show(incident.timeline, owner ? Date.parse(owner.opened_at) / 1000 : null);
}

function showIncident({ all }) {
  incident = all;
  $("incident").hidden = !incident;
  $("empty").hidden = Boolean(incident);
  if (!incident) {
    $("empty").textContent = "No incident has this id (yet).";
    return;
  }
  showHead();
  showOfficial();
  showTimeline();
  $("accept").hidden = isOver() || (incident.status !== "proposed" && !isPart());
  $("accept").textContent = isPart() ? "Take it out again" : "Accept";
  $("dismiss").hidden = isOver() || !incident.is_proposed;
  showMerge();
}

/** Whether a proposal has ended or became something else: nothing is left to decide. */
function isOver() {
  return incident.is_proposed && (CLOSED.has(incident.status) || Boolean(incident.official_id));
}

/** Whether this is a tool's incident that is part of another tool's. */
function isPart() {
  return !incident.is_proposed && Boolean(incident.official_id);
}

// ---- the crowd beside the official word ---------------------------------------------------------

const STANCES = {
  agrees: ["agrees", "the crowd agrees"],
  ahead: ["ahead", "the crowd is ahead"],
  contradicts: ["contradicts", "the crowd contradicts"],
  elsewhere: ["elsewhere", "the same elsewhere"],
};

function stance(name) {
  const [kind, words] = STANCES[name] ?? ["", name];
  return badge(`stance ${kind}`, words);
}

function showCrowd({ all }) {
  $("crowd").hidden = !all;
  if (!all) return;
  $("crowd-stance").replaceChildren(...(all.stance ? [stance(all.stance)] : []));
  $("crowd-words").replaceChildren(...all.sides.map((side) => el("span", { class: `side ${side.who}` }, `${side.words} `)));
  $("crowd-notes").replaceChildren(...all.notes.map((note) => el("li", {}, el("bdi", {}, note))));
  $("voices").replaceChildren(...all.voices.map((voice) => el("li", {}, el("q", { dir: "auto" }, voice.words), " ", ownLink("posts", voice.id, { class: "dim" }, "post"))));
  $("voices-holder").hidden = all.voices.length === 0;
  $("rumours").replaceChildren(...all.rumours.map((rumour) => el("li", {}, rumour.words)));
  $("rumours-holder").hidden = all.rumours.length === 0;
  $("crowd-rows").replaceChildren(...all.hours.map((row) => el("tr", {},
    el("td", {}, when(row.hour)), el("td", {}, stance(row.stance)),
    ...[row.witnesses, row.still_broken, row.recovered].map((count) => el("td", { class: "num" }, String(count))))));
  $("crowd-hours").hidden = all.hours.length === 0;
}

// ---- decisions on a proposal --------------------------------------------------------------------

async function settle(verb, words, value) {
  if (await decide(pageId, verb, value)) say(words);
}
$("accept").addEventListener("click", () => settle("accept", isPart() ? "Taken out. Its posts follow in a moment." : "Accepted. The page follows in a moment."));
$("dismiss").addEventListener("click", () => settle("dismiss", "Dismissed. It takes no more posts."));
$("merge-form").addEventListener("submit", (event) => {
  event.preventDefault();
  settle("merge", "Merged. Its posts move to the other incident.", $("merge-into").value);
});

function showChoices({ all }) {
  others = all;
  if (incident) {
    showHead();
    showTimeline();
    showOfficial();
  }
  const select = $("merge-into");
  const chosen = select.value;
  const official = all.filter((other) => !other.is_proposed && other.id !== pageId && !other.official_id);
  select.replaceChildren(...official.map((other) => el("option", { value: other.id }, `${other.title} (${other.status})`)));
  if (official.some((other) => other.id === chosen)) select.value = chosen;
  showMerge();
}

function showMerge() {
  if (!incident) return;
  $("merge-form").hidden = isOver() || Boolean(incident.official_id) || $("merge-into").options.length === 0;
  $("actions").hidden = ["accept", "dismiss", "merge-form"].every((id) => $(id).hidden);
}

// ---- posts with reasons -------------------------------------------------------------------------

function linkWords(post) {
  if (post.link_by === "person") return post.link_state === "unlinked" ? "unlinked by a person" : "linked by a person";
  const late = post.link_by === "late" ? ", found late" : "";
  return `${post.link_state === "suggested" ? "suggested" : "linked"} ${percent(post.link_p)}${late}`;
}

async function judge(post, verb) {
  const row = [...$("posts").children].find((node) => node.dataset.id === post.id);
  const next = row?.nextElementSibling ?? row?.previousElementSibling;
  pending.set(post.id, verb === "link" ? "linking…" : "unlinking…");
  showPending(post.id);
  if (!(await decide(post.id, verb, pageId))) {
    pending.delete(post.id);
    showPending(post.id);
    return;
  }
  if (verb === "unlink") {
    (next?.querySelector("button") ?? $("posts-title")).focus();
    say("Unlinked.", "Undo", () => decide(post.id, "link", pageId));
  } else {
    say("Linked: your word stands over the machine's.");
  }
  // Should nothing change within this time, the buttons are given back.
  setTimeout(() => {
    pending.delete(post.id);
    showPending(post.id);
  }, 15_000);
}

function showPending(id) {
  const row = [...$("posts").children].find((node) => node.dataset.id === id);
  if (!row) return;
  const words = pending.get(id);
  row.querySelector(".pending").textContent = words ?? "";
  for (const node of row.querySelectorAll("button")) node.setAttribute("aria-disabled", String(Boolean(words)));
}

function judged(post, old) {
  pending.delete(post.id);
  const focused = old?.contains(document.activeElement) ? document.activeElement.dataset.verb : null;
  const act = (verb, words) => button(words, () => {
    if (!pending.has(post.id)) judge(post, verb);
  }, { "aria-label": `${words}: post by ${post.handle || "an unknown author"}`, "data-verb": verb });
  const isSettled = post.link_by === "person";
  const bar = el("div", { class: "judge" },
    reasons(post.evidence),
    el("span", { class: "push" }),
    badge(`verdict ${post.link_state}`, linkWords(post)),
    isSettled ? null : act("link", post.link_state === "suggested" ? "Link" : "Confirm link"),
    act("unlink", post.link_state === "suggested" ? "Not this one" : "Unlink"),
    el("span", { class: "pending dim", role: "status" }));
  const { incident_id: _, ...rest } = post;
  const row = postRow(rest, bar);
  if (focused) setTimeout(() => (row.querySelector(`[data-verb=${focused}]`) ?? row.querySelector("button"))?.focus());
  return row;
}

function showPosts(message) {
  takeRows(posts, message);
  const rows = [...posts.values()].filter((post) => post.link_state !== "unlinked");
  rows.sort((a, b) => (a.event_at < b.event_at ? 1 : -1));
  keyed($("posts"), rows, judged);
  $("no-posts").hidden = rows.length > 0;
  $("no-posts").textContent = "No post is linked to it.";
  $("posts-count").textContent = rows.length ? `newest ${rows.length}` : "";
  $("more").hidden = posts.size < limit || limit >= 1000;
}

$("more").addEventListener("click", () => {
  limit = Math.min(limit * 3, 1000);
  stream.close();
  open();
});

function open() {
  const query = new URLSearchParams({ view: "incident", id: pageId, limit });
  stream = follow(query, { incident: showIncident, incident_posts: showPosts, crowd: showCrowd, incidents: showChoices });
}
open();
