// The list of incidents: proposed first, then open, then closed.
import { $, el, follow, keyed, lead, ownLink, when } from "./page.js";
import { badge, pill } from "./parts.js";

function row(incident) {
  const cell = (...children) => el("td", {}, ...children);
  const number = (words) => el("td", { class: "num" }, String(words ?? "–"));
  return el("tr", { class: incident.rank === 2 ? "is-closed" : null },
    cell(pill(incident.status)),
    el("th", { scope: "row" }, ownLink("incidents", incident.id, {}, el("bdi", {}, incident.title)), " ",
      incident.is_proposed ? badge("ours", "proposed by us") : badge("theirs", "official")),
    cell(incident.impact && incident.impact !== "none" ? incident.impact : "–"), cell(incident.track || "–"),
    number(incident.witnesses), number(incident.mentions),
    cell(when(incident.opened_at)), number(lead(incident.lead_seconds)));
}

follow("view=incidents", {
  incidents({ all }) {
    keyed($("incidents"), all, row);
    $("holder").hidden = all.length === 0;
    $("empty").hidden = all.length > 0;
    $("empty").textContent = "No incident yet. One is proposed here when many people report the same at once.";
  },
});
