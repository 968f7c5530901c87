// Pieces that several pages draw: posts, pills, incident cards.
import { el, foreignLink, lead, minute, ownLink, when } from "./page.js";

const CLOSED = new Set(["resolved", "postmortem", "dismissed"]);

/** A probability in words a person reads. */
export const percent = (p) => (p === null || p === undefined ? "" : `${Math.round(p * 100)} %`);

export function badge(kind, words, title) {
  return words ? el("span", { class: `badge ${kind}`, title }, words) : null;
}

/** The pill of a status: its class tells proposed, open and closed apart, its text says it. */
export function pill(status) {
  const kind = status === "proposed" ? "proposed" : CLOSED.has(status) ? "closed" : "open";
  return el("span", { class: `pill ${kind}` }, status);
}

/** The incident of a post as a chip that leads to it. */
export function chip(id, title, state) {
  if (!id) return null;
  const isSure = state !== "suggested";
  return ownLink("incidents", id, { class: `chip ${isSure ? "linked" : "suggested"}`, title: isSure ? "linked to this incident" : "may belong to this incident" },
    el("span", { "aria-hidden": "true" }, isSure ? "⚑ " : "⚐ "), el("bdi", {}, title || id), isSure ? null : el("span", { class: "dim" }, " ?"));
}

/** When, where and who. */
export function meta(post) {
  return [
    when(post.event_at),
    badge("source", post.source),
    post.kind && post.kind !== "post" ? badge("kind", post.kind) : null,
    el("bdi", { class: "handle" }, post.handle || "unknown author"),
  ];
}

/** Why a post was set aside. */
const CAMPAIGNS = { variants: "campaign: the same words", hashtag: "campaign: one hashtag", new_accounts: "campaign: new accounts" };

/** The labels of a post; a dashed one is a guess not to be acted on. */
export function tags(post) {
  const repeat = { copy: "copy", near: "near copy", repost: "repost", echo: "echo" }[post.repeat_kind];
  const isNoise = post.is_noise === true || post.noise === "yes";
  return [
    post.intent ? badge(`intent ${post.intent === "report" ? "report" : ""} ${post.intent_sure === false ? "unsure" : ""}`, post.intent, `intent ${percent(post.intent_p)}`) : null,
    isNoise ? badge("noise", "noise") : null,
    badge("topic", post.topic, "topic"),
    post.severity && post.severity !== "none" ? badge("severity", post.severity, "severity") : null,
    badge("what", post.component, "component"),
    badge("what", post.place, "place"),
    badge("track", (post.tracks ?? []).join(", "), "track"),
    post.language && post.language !== "en" ? badge("lang", post.language, "language") : null,
    badge("repeat", repeat, "a repeat of an earlier post"),
    badge("repeat", CAMPAIGNS[post.campaign], "set aside as a campaign: no witness"),
  ];
}

/** One post of a list; `more` are nodes below it (reasons, buttons). */
export function postRow(post, ...more) {
  const text = el("p", { class: "text", dir: "auto" }, post.text || "(no text)");
  const links = el("span", { class: "links" },
    ownLink("posts", post.id, { class: "open", "aria-label": `details of the post by ${post.handle || "an unknown author"}` }, "details"),
    " ", post.url ? foreignLink(post.url, "original ↗") : null);
  if (post.is_cut) text.append(" ", ownLink("posts", post.id, { class: "dim" }, "(whole text)"));
  const row = el("li", { class: `post ${post.intent === "report" ? "is-report" : ""}` },
    el("p", { class: "meta" }, ...meta(post).filter(Boolean), links),
    text,
    el("p", { class: "tags" }, chip(post.incident_id, post.incident_title, post.link_state), ...tags(post)),
    ...more);
  row.dataset.id = post.id;
  return row;
}

/** The reasons for a link or a label, heaviest first. */
export function reasons(evidence) {
  const sorted = [...(evidence ?? [])].sort((a, b) => (b.weight ?? 0) - (a.weight ?? 0));
  if (!sorted.length) return null;
  return el("ul", { class: "reasons", "aria-label": "reasons" }, ...sorted.map((reason) =>
    el("li", {}, el("span", { class: "dim" }, `${reason.kind} `), el("bdi", {}, reason.value),
      reason.weight ? el("span", { class: "weight dim" }, ` ${reason.weight > 0 ? "+" : "−"}${Math.abs(reason.weight).toFixed(1)}`) : null)));
}

/** A count of an incident: with "≥" before it where not all was read, which is said aloud as words. */
export function counted(count, { is_complete: isComplete, words } = {}) {
  if (isComplete !== false) return [String(count ?? 0)];
  return [el("span", { class: "bound", title: words, "aria-hidden": "true" }, "≥ "), el("span", { class: "unseen" }, "at least "), String(count ?? 0)];
}

export function incidentCard(incident) {
  const facts = [...counted(incident.witnesses, incident.completeness), " witnesses · ", ...counted(incident.mentions, incident.completeness), " posts"];
  if (incident.lead_seconds > 0) facts.push(` · proposed ${lead(incident.lead_seconds)} the official opening`);
  return el("li", { class: "card" },
    el("p", { class: "pills" }, pill(incident.status), incident.is_proposed ? badge("ours", "proposed by us") : badge("theirs", "official"), when(incident.opened_at)),
    el("p", { class: "name" }, ownLink("incidents", incident.id, {}, el("bdi", {}, incident.title))),
    el("p", { class: "dim" }, ...facts));
}

/** What reading has cost, in the currency of the settings. */
function spent({ reads_today: today, cost_today: day, reads_month: month, cost_month: whole }) {
  return `read ${today} posts for ${day.toFixed(2)} today, ${month} for ${whole.toFixed(2)} this month`;
}

/**
 * A source: what the process says of it (`state`, `trouble`), up to when it was read, and when it was
 * blind; there silence means nothing.
 */
export function sourceCard(source) {
  const isFine = !source.is_blind && !source.trouble;
  const words = source.state ?? (source.is_blind ? "blind" : "read");
  const since = source.trouble_since ? `since ${minute(source.trouble_since)}: ` : "";
  return el("li", { class: "card" },
    el("p", { class: "pills" }, el("span", { class: `pill ${isFine ? "closed" : "proposed"}` }, words), el("bdi", { class: "name" }, source.source),
      source.track ? badge("track", source.track, "track") : null),
    source.trouble ? el("p", { class: "dim" }, since, el("bdi", {}, source.trouble)) : null,
    source.read_to ? el("p", { class: "dim" }, "read up to ", when(source.read_to)) : null,
    source.spend ? el("p", { class: "dim" }, spent(source.spend)) : null,
    ...source.gaps.slice(0, 5).map((gap) => el("p", { class: "blind" },
      `blind from ${minute(gap.from_at)} to ${minute(gap.to_at)}`, gap.cause ? el("span", { class: "dim" }, ` (${gap.cause})`) : null)),
    source.gaps.length > 5 ? el("p", { class: "dim" }, `and ${source.gaps.length - 5} more gaps in 24 h`) : null);
}
