// Draws the figures of a report one after the other, in the colours of the page, and again where those change.
(() => {
  "use strict";
  const root = document.documentElement;
  const problems = [];
  const problem = (error) => { problems.push(String(error)); root.dataset.problems = problems.join("; "); };
  addEventListener("error", (event) => problem(event.message));
  addEventListener("unhandledrejection", (event) => problem(event.reason));

  const { figures, scenes } = JSON.parse(document.getElementById("data").textContent);
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const NAMES = { ink: "--ink", faint: "--faint" };

  // "@0" … "@7", "@ink" and "@faint" stand for colours of the page.
  const painted = (value, key) => {
    if (typeof value === "string" && value[0] === "@" && /color/i.test(key)) {
      const name = value.slice(1);
      return colour(NAMES[name] || `--c${name}`) || value;
    }
    if (Array.isArray(value)) return value.map((each) => painted(each, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, each]) => [k, painted(each, k)]));
    }
    return value;
  };

  const merged = (base, more) => {
    const made = { ...base };
    for (const [key, value] of Object.entries(more)) {
      const both = value && typeof value === "object" && !Array.isArray(value) && made[key] && typeof made[key] === "object";
      made[key] = both ? merged(made[key], value) : value;
    }
    return made;
  };

  const layout = (figure, narrow) => {
    const lines = { gridcolor: colour("--line"), linecolor: colour("--faint"), zerolinecolor: colour("--line"), automargin: true };
    const base = {
      height: figure.height, margin: { l: 60, r: 16, t: narrow ? 10 : 34, b: 54 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--ink"), family: getComputedStyle(document.body).fontFamily, size: narrow ? 11 : 13 },
      colorway: [0, 1, 2, 3, 4, 5, 6, 7].map((number) => colour(`--c${number}`)),
      hoverlabel: { align: "left" }, legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--faint"), activecolor: colour("--accent") },
      xaxis: lines, yaxis: lines, dragmode: narrow ? false : "zoom",
      ternary: { bgcolor: "rgba(0,0,0,0)", aaxis: lines, baxis: lines, caxis: lines },
    };
    if (!figure.layout.ternary) delete base.ternary; else { delete base.xaxis; delete base.yaxis; }
    return merged(base, painted(figure.layout, ""));
  };

  const draw = (place) => {
    const figure = figures[place.dataset.figure];
    const narrow = place.clientWidth < 520;
    place.style.height = `${figure.height}px`;
    return Plotly.react(place, painted(figure.data, ""), layout(figure, narrow), {
      responsive: true, displaylogo: false, scrollZoom: false, displayModeBar: !narrow,
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"], toImageButtonOptions: { format: "svg", filename: place.dataset.figure },
    });
  };

  // What can be seen comes first, the rest while nothing else is to be done, and at once where somebody scrolls to it.
  const drawn = new Set();
  const once = (place) => {
    if (drawn.has(place)) return;
    drawn.add(place);
    try {
      if (place.dataset.figure) draw(place);
      else window.zonemeltViewer(place, scenes[place.dataset.scenes], colour);
    } catch (error) { problem(error); }
  };
  const places = [...document.querySelectorAll(".plot, [data-scenes]")];
  const idle = window.requestIdleCallback || ((task) => setTimeout(task, 20));
  const rest = () => {
    const left = places.find((place) => !drawn.has(place));
    if (left) { once(left); idle(rest); } else {
      root.dataset.drawnMs = String(Math.round(performance.now()));
      root.dataset.drawn = String(drawn.size);
    }
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) once(entry.target);
    if (!root.dataset.readyMs) {
      root.dataset.readyMs = String(Math.round(performance.now()));
      idle(rest);
    }
  }, { rootMargin: "200px" });

  // The library is a large text: the page is there and can be read before it runs.
  const begin = () => {
    const library = document.getElementById("library");
    if (library) {
      const script = document.createElement("script");
      script.textContent = library.textContent;
      document.head.append(script);
    }
    places.forEach((place) => near.observe(place));
    if (!places.length) root.dataset.readyMs = root.dataset.drawnMs = root.dataset.drawn = "0";
  };
  addEventListener("load", () => { root.dataset.loadMs = String(Math.round(performance.now())); });
  addEventListener("load", () => requestAnimationFrame(() => setTimeout(begin)));

  const plots = places.filter((place) => place.dataset.figure);
  const again = () => plots.filter((place) => drawn.has(place)).forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.table")) details.open = false;
    if (window.Plotly) places.forEach(once); else return;
    for (const place of plots) Plotly.relayout(place, { width: Math.min(place.clientWidth, 640) });
  });
  addEventListener("afterprint", () => plots.forEach((place) => Plotly.relayout(place, { width: null, autosize: true })));
})();
