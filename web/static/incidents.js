// The list of incidents: proposed first, then open, then closed.
import { $, el, follow, keyed, lead, ownLink, when } from "./page.js";
import { badge, counted, pill } from "./parts.js";

function row(incident) {
  const cell = (...children) => el("td", {}, ...children);
  const number = (...words) => el("td", { class: "num" }, ...words);
  const { completeness } = incident;
  const missed = completeness?.is_complete === false ? el("span", { class: "unseen" }, ` (${completeness.words})`) : null;
  return el("tr", { class: incident.rank === 2 ? "is-closed" : null },
    cell(pill(incident.status)),
    el("th", { scope: "row" }, ownLink("incidents", incident.id, {}, el("bdi", {}, incident.title)), " ",
      incident.is_proposed ? badge("ours", "proposed by us") : badge("theirs", "official")),
    cell(incident.impact && incident.impact !== "none" ? incident.impact : "–"), cell(incident.track || "–"),
    number(...counted(incident.witnesses, completeness), missed), number(...counted(incident.mentions, completeness)),
    cell(when(incident.opened_at)), number(lead(incident.lead_seconds)));
}

follow("view=incidents", {
  incidents({ all }) {
    keyed($("incidents"), all, row);
    $("holder").hidden = all.length === 0;
    $("empty").hidden = all.length > 0;
    $("bounds").hidden = all.every((incident) => incident.completeness?.is_complete !== false);
    $("unknown").hidden = all.every((incident) => incident.completeness?.is_complete !== null);
    $("empty").textContent = "No incident yet. One is proposed here when many people report the same at once.";
  },
});
