"use strict";
// The stepped chart of a SKU's page: what a channel should show, and what it showed.
(() => {
  const figure = document.getElementById("chart");
  if (!figure || typeof uPlot === "undefined") return;
  const plot = figure.querySelector(".plot");
  const caption = figure.querySelector("figcaption");
  let drawn = null;

  function colour(name, instead) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || instead;
  }

  async function draw(link) {
    const answer = await fetch(link.href, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const said = await answer.json();
    if (drawn) drawn.destroy();
    figure.hidden = false;
    const count = said.should.filter((units) => units !== null).length;
    caption.textContent = `${link.dataset.title}: ` + (count ? "should against shown, units, UTC" : "no number is kept of this span");
    const stepped = uPlot.paths.stepped({ align: 1 });
    const text = colour("--pico-muted-color", "#666");
    const grid = { stroke: colour("--pico-muted-border-color", "#ccc"), width: 1 };
    drawn = new uPlot({
      width: plot.clientWidth, height: 220,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 1) * 1.1)] } },
      axes: [{ stroke: text, grid, ticks: grid, values: [
        [86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
        [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
        [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
        [0.001, ":{ss}.{fff}", null, null, null, null, null, null, 1],
      ] }, { stroke: text, grid, ticks: grid, size: 50 }],
      series: [
        { label: "at", value: (_, at) => (at == null ? "–" : new Date(at * 1e3).toISOString().slice(0, 19).replace("T", " ")) },
        { label: "should", stroke: colour("--pico-primary", "#06c"), width: 2, paths: stepped, points: { show: false } },
        { label: "showed", stroke: colour("--bad", "#c00"), width: 2, dash: [5, 3], paths: stepped, points: { show: false } },
      ],
    }, [said.at, said.should, said.shown], plot);
  }

  for (const link of document.querySelectorAll("a.charted")) {
    link.addEventListener("click", (event) => { event.preventDefault(); draw(link); });
    if (link.dataset.first) draw(link);
  }
  addEventListener("resize", () => drawn && drawn.setSize({ width: plot.clientWidth, height: 220 }));
})();
