// One post: all of its text, its labels with the reasons, its links; a person may set them right.
import { $, button, decide, el, follow, foreignLink, keyed, ownLink, pageId, say, when } from "./page.js";
import { badge, meta, percent, pill, reasons, tags } from "./parts.js";

let names = {};
let shownLabels = [];

function fact(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function showPost({ all: post }) {
  $("post").hidden = !post;
  $("empty").hidden = Boolean(post);
  if (!post) {
    $("empty").textContent = "No post has this id (yet), or it was removed.";
    return;
  }
  $("meta").replaceChildren(...meta(post).filter(Boolean), ...(post.url ? [foreignLink(post.url, "original ↗")] : []).filter(Boolean));
  $("text").textContent = post.text || "(no text)";
  $("tags").replaceChildren(...tags(post).filter(Boolean));
  $("facts").replaceChildren(...[
    fact("Seen", when(post.seen_at)),
    post.repeat_of ? fact("Repeats", ownLink("posts", post.repeat_of, {}, "an earlier post")) : null,
    fact("Id", el("bdi", {}, post.id)),
    post.model_version ? fact("Models", post.model_version) : null,
  ].filter(Boolean));
  shownLabels = post.labels ?? [];
  keyed($("labels"), shownLabels.map((label) => ({ id: label.head, ...label })), labelRow);
  keyed($("links"), (post.links ?? []).map((link) => ({ ...link, id: link.incident })), linkCard);
  $("no-links").hidden = (post.links ?? []).length > 0;
}

// ---- labels -------------------------------------------------------------------------------------

function chooser(label) {
  const options = names[label.head] ?? [];
  if (!options.length) {
    const input = el("input", { type: "text", name: label.head, value: label.name ?? "", "aria-label": `new ${label.head}` });
    input.maxLength = 100;
    input.size = 12;
    return input;
  }
  const select = el("select", { name: label.head, "aria-label": `new ${label.head}` });
  for (const name of new Set([label.name, ...options])) if (name) select.append(el("option", { value: name }, name));
  select.value = label.name ?? options[0];
  return select;
}

function labelRow(label) {
  const choice = chooser(label);
  const form = el("form", { class: "inline" }, choice, " ", el("button", { type: "submit", "aria-label": `set ${label.head}` }, "Set"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = choice.value.trim();
    if (value && await decide(pageId, "relabel", `${label.head}=${value}`)) say(`Set ${label.head} to ${value}.`);
  });
  const sureness = label.by === "person" ? "set by a person" : label.name ? `${percent(label.p)}${label.sure === false ? ", unsure" : ""}` : "";
  return el("tr", {},
    el("th", { scope: "row" }, label.head),
    el("td", {}, label.name ? badge(label.sure === false && label.by !== "person" ? "unsure" : "", label.name) : el("span", { class: "dim" }, "none"), " ", el("span", { class: "dim" }, sureness)),
    el("td", {}, reasons(label.evidence) ?? el("span", { class: "dim" }, "–")),
    el("td", {}, form));
}

// ---- links --------------------------------------------------------------------------------------

function linkCard(link) {
  const by = link.by === "person" ? "by a person" : `${percent(link.p)}${link.by === "late" ? ", found late" : ""}`;
  const send = (verb, words) => async () => {
    if (await decide(pageId, verb, link.incident)) say(words);
  };
  return el("li", { class: "card" },
    el("p", { class: "pills" }, badge(`verdict ${link.state}`, link.state), el("span", { class: "dim" }, by), link.status ? pill(link.status) : null),
    el("p", { class: "name" }, ownLink("incidents", link.incident, {}, el("bdi", {}, link.title || link.incident))),
    reasons(link.evidence),
    el("div", { class: "judge" },
      link.by === "person" && link.state === "linked" ? null : button("Link", send("link", "Linked.")),
      link.state === "unlinked" ? null : button("Unlink", send("unlink", "Unlinked."))));
}

$("link-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await decide(pageId, "link", $("link-to").value)) say("Linked.");
});

function showChoices({ all }) {
  const select = $("link-to");
  const chosen = select.value;
  const takes = all.filter((incident) => incident.status !== "dismissed");
  select.replaceChildren(...takes.map((incident) => el("option", { value: incident.id }, `${incident.title} (${incident.status})`)));
  if (takes.some((incident) => incident.id === chosen)) select.value = chosen;
  $("link-form").hidden = takes.length === 0;
}

const view = new URLSearchParams({ view: "post", id: pageId });
follow(view, { post: showPost, incidents: showChoices });
fetch("/api/names").then(async (response) => {
  names = await response.json();
  // Rows drawn before the names came get their menus now.
  keyed($("labels"), [], null);
  keyed($("labels"), shownLabels.map((label) => ({ id: label.head, ...label })), labelRow);
});
