// Draws a crystal on a canvas: spheres, bonds and the cell, turned by pointer or keys.
window.zonemeltViewer = (figure, scenes, colour) => {
  "use strict";
  const canvas = figure.querySelector("canvas"), choice = figure.querySelector("select");
  const said = figure.querySelector(".said"), legend = figure.querySelector(".legend");
  const paint = canvas.getContext("2d");
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const WIDTH = 600, HEIGHT = 440;
  canvas.width = WIDTH * ratio;
  canvas.height = HEIGHT * ratio;
  let turn, zoom, scene;

  const times = (a, b) => a.map((row) => [0, 1, 2].map((j) => row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]));
  const about = (axis, angle) => {
    const c = Math.cos(angle), s = Math.sin(angle);
    return axis === "x" ? [[1, 0, 0], [0, c, -s], [0, s, c]] : [[c, 0, s], [0, 1, 0], [-s, 0, c]];
  };
  const apply = (m, v) => m.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
  const reset = () => { turn = times(about("x", -1.15), [[0.88, -0.47, 0], [0.47, 0.88, 0], [0, 0, 1]]); zoom = 1; };

  const corners = () => {
    const found = [];
    for (let i = 0; i < 8; i += 1) {
      found.push([0, 1, 2].map((k) => scene.origin[k] + [0, 1, 2].reduce((sum, j) => sum + ((i >> j) & 1) * scene.cell[j][k], 0)));
    }
    return found;
  };

  const draw = () => {
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, WIDTH, HEIGHT);
    const cell = scene.cell ? corners() : [];
    const reach = Math.max(1.5, ...[...cell, ...scene.atoms.map((atom) => atom.slice(1))].map((p) => Math.hypot(...p)));
    const size = (zoom * 0.46 * HEIGHT) / (reach + 0.6);
    const shown = (p) => { const v = apply(turn, p); return [WIDTH / 2 + size * v[0], HEIGHT / 2 - size * v[1], v[2]]; };
    const things = [];
    if (scene.cell) {
      const points = cell.map(shown);
      for (let i = 0; i < 8; i += 1) for (const bit of [1, 2, 4]) if (!(i & bit)) things.push({ z: (points[i][2] + points[i | bit][2]) / 2, a: points[i], b: points[i | bit], cell: true });
    }
    const atoms = scene.atoms.map((atom) => ({ kind: atom[0], p: shown(atom.slice(1)) }));
    for (const [i, j] of scene.bonds) things.push({ z: (atoms[i].p[2] + atoms[j].p[2]) / 2 - 0.05, a: atoms[i].p, b: atoms[j].p, kinds: [atoms[i].kind, atoms[j].kind] });
    for (const atom of atoms) things.push({ z: atom.p[2], atom });
    things.sort((one, other) => one.z - other.z);
    for (const thing of things) {
      if (thing.atom) {
        const [x, y] = thing.atom.p, radius = Math.max(2, 0.42 * size * scene.radii[thing.atom.kind]);
        const light = paint.createRadialGradient(x - radius / 3, y - radius / 3, radius / 8, x, y, radius);
        light.addColorStop(0, "#ffffff");
        light.addColorStop(0.35, scene.colours[thing.atom.kind]);
        light.addColorStop(1, scene.colours[thing.atom.kind]);
        paint.fillStyle = light;
        paint.strokeStyle = "rgba(0,0,0,.55)";
        paint.lineWidth = 0.8;
        paint.beginPath();
        paint.arc(x, y, radius, 0, 2 * Math.PI);
        paint.fill();
        paint.stroke();
      } else {
        const middle = [(thing.a[0] + thing.b[0]) / 2, (thing.a[1] + thing.b[1]) / 2];
        paint.lineWidth = thing.cell ? 1 : Math.max(1.5, 0.11 * size);
        const halves = thing.cell ? [[thing.a, thing.b, colour("--faint")]] : [[thing.a, middle, scene.colours[thing.kinds[0]]], [middle, thing.b, scene.colours[thing.kinds[1]]]];
        for (const [from, to, ink] of halves) {
          paint.strokeStyle = ink;
          paint.beginPath();
          paint.moveTo(from[0], from[1]);
          paint.lineTo(to[0], to[1]);
          paint.stroke();
        }
      }
    }
  };

  const show = (number) => {
    scene = scenes[number];
    choice.value = String(number);
    said.textContent = scene.said;
    legend.replaceChildren(...scene.symbols.map((symbol, kind) => {
      const entry = document.createElement("span"), dot = document.createElement("i");
      dot.style.background = scene.colours[kind];
      entry.append(dot, symbol);
      return entry;
    }));
    draw();
  };
  const step = (by) => show((Number(choice.value) + by + scenes.length) % scenes.length);
  const scaled = (by) => { zoom = Math.min(6, Math.max(0.3, zoom * by)); draw(); };
  const turned = (x, y) => { turn = times(about("x", y), times(about("y", x), turn)); draw(); };
  const actions = {
    previous: () => step(-1), next: () => step(1), nearer: () => scaled(1.25), farther: () => scaled(0.8), reset: () => { reset(); draw(); },
    ArrowLeft: () => turned(-0.12, 0), ArrowRight: () => turned(0.12, 0), ArrowUp: () => turned(0, -0.12), ArrowDown: () => turned(0, 0.12),
    "+": () => scaled(1.25), "=": () => scaled(1.25), "-": () => scaled(0.8), 0: () => { reset(); draw(); },
  };
  for (const button of figure.querySelectorAll("[data-do]")) button.addEventListener("click", () => actions[button.dataset.do]());
  choice.addEventListener("change", () => show(Number(choice.value)));
  canvas.addEventListener("keydown", (event) => { if (actions[event.key]) { event.preventDefault(); actions[event.key](); } });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) turned(event.movementX / 120, event.movementY / 120); });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); scaled(event.deltaY < 0 ? 1.1 : 0.9); }, { passive: false });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  reset();
  show(0);
};
