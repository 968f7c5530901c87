// Posts per minute as a small chart, with a table for those who do not see it.
import { el } from "./page.js";

const HEIGHT = 120;
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const at = (seconds) => hour.format(new Date(seconds * 1000));
const sum = (list) => list.reduce((total, n) => total + n, 0);

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Draws into `host`; `table` and `toggle` show the same figures as a table, `readout` those under
 * the pointer. `show(data, mark)` takes lists by column and, in seconds, a moment to mark.
 */
export function minuteChart({ host, table, toggle, readout, what }) {
  let plot;
  let shown = { minute: [], mentions: [], reports: [] };
  let mark = null;

  toggle.addEventListener("click", () => {
    table.hidden = !table.hidden;
    toggle.setAttribute("aria-expanded", String(!table.hidden));
    toggle.textContent = table.hidden ? "Show as table" : "Hide table";
    fillTable();
  });

  function fillTable() {
    if (table.hidden) return;
    const body = el("tbody");
    for (let i = shown.minute.length - 1; i >= 0; i--) {
      const cells = [shown.mentions[i], shown.reports[i]].map((n) => el("td", { class: "num" }, String(n)));
      body.append(el("tr", {}, el("th", { scope: "row" }, at(shown.minute[i])), ...cells));
    }
    const heads = ["Minute", "Posts", "Reports"].map((words, i) => el("th", { scope: "col", class: i ? "num" : null }, words));
    table.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body));
  }

  function label() {
    if (!shown.minute.length) return `${what}: none`;
    const most = Math.max(...shown.mentions);
    const peak = shown.minute[shown.mentions.indexOf(most)];
    const range = `${at(shown.minute[0])} to ${at(shown.minute.at(-1))}`;
    return `${what}, ${range}: ${sum(shown.mentions)} posts, ${sum(shown.reports)} reports, most at ${at(peak)} (${most} posts)`;
  }

  function drawMark(u) {
    if (mark === null || mark < u.scales.x.min || mark > u.scales.x.max) return;
    const x = Math.round(u.valToPos(mark, "x", true));
    u.ctx.save();
    u.ctx.strokeStyle = colour("--open");
    u.ctx.lineWidth = 2 * devicePixelRatio;
    u.ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, u.bbox.top);
    u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
    u.ctx.restore();
  }

  function read(u) {
    const i = u.cursor.idx;
    readout.textContent = i === null || i === undefined ? "" :
      `${at(u.data[0][i])}: ${u.data[1][i]} posts, ${u.data[2][i]} reports`;
  }

  function options() {
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const bars = uPlot.paths.bars({ size: [0.8, 24] });
    return {
      width: Math.max(host.clientWidth, 100),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      padding: [12, 18, 0, 0],
      scales: { x: { range: (u, min, max) => [min - 30, max + 30] }, y: { range: (u, min, max) => [0, Math.max(4, max * 1.1)] } },
      axes: [
        { ...axis, size: 24, values: (u, splits) => splits.map(at) },
        { ...axis, size: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
      ],
      series: [
        {},
        { paths: bars, fill: colour("--bar"), stroke: colour("--bar"), width: 0, points: { show: false } },
        { paths: bars, fill: colour("--report"), stroke: colour("--report"), width: 0, points: { show: false } },
      ],
      hooks: { draw: [drawMark], setCursor: [read] },
    };
  }

  const data = () => [shown.minute, shown.mentions, shown.reports];

  function draw() {
    if (!shown.minute.length) {
      plot?.destroy();
      plot = undefined;
      host.replaceChildren(el("p", { class: "empty" }, "No posts yet."));
      return;
    }
    if (!plot) host.replaceChildren();
    if (plot) {
      plot.setData(data());
      return;
    }
    plot = new uPlot(options(), data(), host);
  }

  function again() {
    if (!plot) return;
    plot.destroy();
    plot = undefined;
    draw();
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new ResizeObserver(() => {
    const width = host.clientWidth;
    if (plot && width && Math.abs(plot.width - width) > 1) plot.setSize({ width, height: HEIGHT });
  }).observe(host);

  return {
    show(next, moment = null) {
      shown = next;
      mark = moment;
      draw();
      host.setAttribute("aria-label", label());
      fillTable();
    },
  };
}
