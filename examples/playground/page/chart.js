// A picture of the last while: what was allowed above the line, what was refused below it, what is left underneath.

const NAMESPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 196;
const BASE = 88; // the line between allowed and refused
const UP = 74;
const DOWN = 30;
const TOP_OF_LEFT = 132;
const BOTTOM_OF_LEFT = 174;

export class Chart {
  constructor(svg) {
    this.svg = svg;
    this.parts = {};
    for (const name of ["slot", "base", "area", "left", "allowed", "refused"]) {
      const path = document.createElementNS(NAMESPACE, "path");
      path.setAttribute("class", name);
      svg.append(path);
      this.parts[name] = path;
    }
    this.texts = [];
    this.most = 1;
    this.width = 320;
    new ResizeObserver(([{ contentRect }]) => {
      this.width = Math.max(160, Math.floor(contentRect.width));
      svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
      if (this.span) this.draw(this.most, this.name);
    }).observe(svg);
  }

  // Time in microseconds, divided into so many instants.
  begin(span, instants) {
    this.span = span;
    this.grain = span / instants;
    this.now = 0;
    this.bins = new Map(); // number of the instant: [allowed, refused]
    this.levels = [];
    this.most = 1;
  }

  add(now, marks, levels, window) {
    this.now = now;
    this.window = window;
    for (const { at, allowed, refused } of marks) {
      const bin = Math.floor(at / this.grain);
      const [a, r] = this.bins.get(bin) ?? [0, 0];
      this.bins.set(bin, [a + allowed, r + refused]);
    }
    for (const level of levels) this.levels.push(level);
    const gone = now - this.span - this.grain;
    for (const bin of this.bins.keys()) {
      if (bin * this.grain >= gone) break;
      this.bins.delete(bin);
    }
    // One that is older stays, so that the line begins at the edge.
    const first = this.levels.findIndex(([at]) => at >= gone);
    if (first > 1) this.levels.splice(0, first - 1);
  }

  tallest() {
    let most = 1;
    for (const [allowed, refused] of this.bins.values()) most = Math.max(most, allowed, refused);
    return most;
  }

  // Where an instant is; the newest is at the right edge, and before there is enough of it the oldest at the left.
  x(at) {
    const begin = Math.max(0, this.now - this.span);
    return ((at - begin) / this.span) * this.width;
  }

  draw(most, name) {
    this.name = name;
    this.most = steps(most);
    const bar = Math.max(1.5, (this.width * this.grain) / this.span - 0.8);
    const [allowed, refused] = [[], []];
    for (const [bin, [a, r]] of this.bins) {
      const x = this.x(bin * this.grain);
      if (x + bar < 0) continue;
      const at = x.toFixed(1);
      if (a) allowed.push(`M${at} ${BASE - 1}v${-this.tall(a, UP)}h${bar.toFixed(1)}V${BASE - 1}z`);
      if (r) refused.push(`M${at} ${BASE + 2}v${this.tall(r, DOWN)}h${bar.toFixed(1)}V${BASE + 2}z`);
    }
    this.set("allowed", allowed.join(""));
    this.set("refused", refused.join(""));
    this.set("base", `M0 ${BASE}H${this.width}M0 ${BOTTOM_OF_LEFT + 0.5}H${this.width}`);
    this.drawLevels();
    this.drawSlots();
    this.svg.setAttribute("aria-label", this.said());
  }

  // Small counts stay visible beside large ones.
  tall(count, height) {
    return Math.max(3, (count / this.most) * height).toFixed(1);
  }

  drawLevels() {
    const clients = this.levels[0]?.[1].length ?? 0;
    const y = (left) => (BOTTOM_OF_LEFT - left * (BOTTOM_OF_LEFT - TOP_OF_LEFT)).toFixed(1);
    const lines = [];
    for (let client = 0; client < clients; client += 1) {
      const points = this.levels.map(([at, left]) => `${Math.max(-2, this.x(at)).toFixed(1)} ${y(left[client])}`);
      lines.push(`M${points.join("L")}`);
    }
    this.set("left", lines.join(""));
    const ends = `L${this.x(this.now).toFixed(1)} ${BOTTOM_OF_LEFT}L${Math.max(-2, this.x(this.levels[0]?.[0] ?? 0)).toFixed(1)} ${BOTTOM_OF_LEFT}z`;
    this.set("area", clients === 1 ? lines[0] + ends : "");
  }

  drawSlots() {
    const begin = Math.max(0, this.now - this.span);
    // Not more than a dozen, however short the window is.
    const every = this.window * Math.max(1, Math.ceil(this.span / this.window / 12));
    const [lines, texts] = [[], [["left", 4, TOP_OF_LEFT - 3, "start"], [`${this.most}`, 4, BASE - UP - 3, "start"]]];
    for (let at = Math.ceil(begin / every) * every; at <= begin + this.span; at += every) {
      const x = this.x(at);
      lines.push(`M${x.toFixed(1)} 8V${BOTTOM_OF_LEFT}`);
      if (x > 14 && x < this.width - 14) texts.push([clock(at), x, HEIGHT - 6, "middle"]);
    }
    this.set("slot", lines.join(""));
    texts.forEach(([text, x, y, anchor], number) => this.text(number, text, x, y, anchor));
    for (const surplus of this.texts.splice(texts.length)) surplus.remove();
  }

  text(number, content, x, y, anchor) {
    let text = this.texts[number];
    if (!text) {
      text = document.createElementNS(NAMESPACE, "text");
      this.svg.append(text);
      this.texts[number] = text;
    }
    if (text.textContent !== content) text.textContent = content;
    text.setAttribute("x", x.toFixed(1));
    text.setAttribute("y", y);
    text.setAttribute("text-anchor", anchor);
  }

  set(name, path) {
    this.parts[name].setAttribute("d", path);
  }

  said() {
    let [allowed, refused] = [0, 0];
    for (const [a, r] of this.bins.values()) [allowed, refused] = [allowed + a, refused + r];
    return `Of the requests shown, ${this.name} allowed ${allowed} and refused ${refused}.`;
  }
}

// The next of 1, 2, 5, 10, 20, 50 and so on: the scale changes seldom.
function steps(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
}

function clock(at) {
  const seconds = Math.round(at / 1_000_000);
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}
