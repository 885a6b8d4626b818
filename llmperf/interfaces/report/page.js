"use strict";
(() => {
  const root = document.documentElement;
  const { themes, figures } = JSON.parse(document.getElementById("figures").textContent);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const PAPER_WIDTH = 680; // what is left of a sheet of A4 between its margins, in CSS pixels
  let printing = false;

  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  function layoutOf(figure) {
    const layout = structuredClone(figure.layout);
    layout.template = themes[dark() && !printing ? "dark" : "light"];
    layout.autosize = true;
    if (printing) layout.width = PAPER_WIDTH;
    if (coarse) layout.dragmode = false; // a finger scrolls the page
    return layout;
  }

  // a size of its own lets style sheets scale a drawing like a picture
  function scalable(plot) {
    for (const svg of plot.querySelectorAll("svg.main-svg")) {
      svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
    }
  }

  function draw() {
    const config = {
      responsive: !printing,
      displaylogo: false,
      modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    };
    return Promise.all(
      Object.entries(figures).map(async ([id, figure]) => {
        const plot = document.getElementById(id);
        const drawn = Plotly.react(plot, figure.data, layoutOf(figure), config);
        scalable(plot);
        await drawn;
        if (!plot.dataset.drawn) plot.on("plotly_afterplot", () => scalable(plot));
        scalable(plot);
        plot.dataset.drawn = "true";
      }),
    );
  }

  function print(begins) {
    if (printing === begins) return;
    printing = begins;
    draw();
  }

  const button = document.getElementById("theme");
  function label() {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(dark()));
    button.setAttribute("aria-label", dark() ? "Show in light colours" : "Show in dark colours");
  }
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    label();
    draw();
  });
  system.addEventListener("change", () => {
    label();
    draw();
  });
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  paper.addEventListener("change", (event) => print(event.matches));
  label();
  if (Object.keys(figures).length) {
    for (const note of document.querySelectorAll(".plot > noscript")) note.remove();
    draw().then(() => (root.dataset.drawn = "true"));
  } else {
    root.dataset.drawn = "true";
  }
})();
