// One side: its settings, its figures, its picture.

import { Chart } from "./chart.js";
import { soon } from "./controls.js";

const seconds = (micros) => {
  const value = micros / 1_000_000;
  return `${value >= 1000 ? Math.ceil(value) : value.toFixed(1)} s`;
};
const length = (micros) => {
  const value = micros / 1_000_000;
  for (const [size, unit] of [[86_400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (value > size && value % size === 0) return `${value / size} ${unit}s`;
    if (value === size) return unit;
  }
  return `${value} s`;
};
// Text that stays what it is is left alone: nothing flickers, and what is selected stays selected.
const put = (element, text) => {
  if (element.textContent !== String(text)) element.textContent = text;
};

export class Pane {
  constructor(name, algorithms, changed) {
    this.name = name;
    this.algorithms = algorithms;
    this.root = document.getElementById("pane").content.firstElementChild.cloneNode(true);
    this.root.dataset.pane = name;
    this.form = this.root.querySelector("form");
    this.fields = this.form.elements;
    this.chart = new Chart(this.root.querySelector(".chart"));
    this.lines = [];
    this.state = null;

    this.root.setAttribute("aria-label", `Pane ${name}`);
    put(this.root.querySelector(".badge"), name);
    this.fields.algorithm.append(...algorithms.map(({ name }) => new Option(name)));
    const mistake = this.root.querySelector(".mistake");
    mistake.id = `mistake-${name}`;
    for (const field of this.fields) field.setAttribute("aria-describedby", mistake.id);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    const later = soon();
    this.form.addEventListener("input", ({ target }) => {
      this.described();
      later(changed, target);
    });
    document.getElementById("panes").append(this.root);
  }

  part(what) {
    return this.root.querySelector(`[data-is=${what}]`);
  }

  show(setting) {
    for (const [name, value] of Object.entries(setting)) this.fields[name].value = value;
    this.described();
  }

  algorithm() {
    return this.algorithms.find(({ name }) => name === this.fields.algorithm.value);
  }

  described() {
    const { name, sentence, is_bucket } = this.algorithm();
    put(this.root.querySelector(".name"), `Pane ${this.name}: ${name}`);
    put(this.root.querySelector(".about"), sentence);
    this.fields.burst.disabled = !is_bucket;
  }

  setting() {
    const { algorithm, limit, burst, together } = this.fields;
    // What is no whole number is 0, and the program says what is wrong with that.
    const number = Number.isSafeInteger(burst.valueAsNumber) ? burst.valueAsNumber : 0;
    const is_given = !burst.disabled && (burst.value !== "" || burst.validity.badInput);
    return {
      algorithm: algorithm.value,
      limit: limit.value,
      burst: is_given ? number : null,
      together: together.value === "yes",
    };
  }

  mistake(mistake) {
    const line = this.root.querySelector(".mistake");
    line.hidden = !mistake;
    put(line, mistake ? mistake.message : "");
    for (const field of this.fields) {
      if (mistake?.field === field.name) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
    this.root.toggleAttribute("data-mistaken", Boolean(mistake));
  }

  begin(span, instants) {
    this.chart.begin(span, instants);
  }

  add(now, { marks, levels, state }) {
    this.chart.add(now, marks, levels, state.window);
    this.state = state;
  }

  tallest() {
    return this.chart.tallest();
  }

  outcome() {
    const sum = (what) => this.state.clients.reduce((sum, client) => sum + client[what], 0);
    const [allowed, refused] = [sum("allowed"), sum("refused")];
    return { allowed, refused, sent: allowed + refused };
  }

  windowText() {
    const text = length(this.state.window);
    return /^\d/.test(text) ? text : `one ${text}`;
  }

  // The picture and the counts; what else there is to read, if it is due.
  draw(most, is_due) {
    const { allowed, refused } = this.outcome();
    put(this.part("allowed"), allowed);
    put(this.part("refused"), refused);
    put(this.part("window"), length(this.state.window));
    put(this.part("most"), this.state.most);
    const over = this.state.most > this.state.amount;
    put(this.part("over"), over ? `▲ above ${this.state.amount}` : `of ${this.state.amount}`);
    this.root.querySelector(".most").toggleAttribute("data-over", over);

    this.chart.draw(most, this.fields.algorithm.value);
    if (is_due) this.details();
  }

  details() {
    this.state.clients.forEach((client, number) => this.line(number, client));
    for (const { row } of this.lines.splice(this.state.clients.length)) row.remove();
    const last = this.state.clients[this.state.response?.client ?? 0];
    put(this.part("retry"), seconds(last.retry_after));
    put(this.part("reset"), seconds(last.reset_after));
    this.respond(this.state.response);
  }

  // A client's line of the table.
  line(number, { allowed, refused, remaining, limits }) {
    const line = (this.lines[number] ??= this.newLine(number));
    put(line.allowed, allowed);
    put(line.refused, refused);
    put(line.remaining, remaining);
    line.meter.value = Math.min(1, ...limits.map(([, , left]) => left));
    put(line.words, limits.map(([window, words]) => (limits.length > 1 ? `${words} per ${length(window)}` : words)).join("\n"));
  }

  newLine(number) {
    const row = this.root.querySelector("tbody").insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = number + 1;
    row.append(head);
    const cell = () => row.insertCell();
    const [allowed, refused, left, words] = [cell(), cell(), cell(), cell()];
    const [remaining, meter] = [document.createElement("span"), document.createElement("progress")];
    meter.max = 1;
    meter.setAttribute("aria-label", `What client ${number + 1} has left`);
    left.append(remaining, meter);
    return { row, allowed, refused, remaining, meter, words };
  }

  // The headers keep their places, so that a fast clock does not make them dance.
  respond(response) {
    const list = this.part("response");
    const clients = this.state.clients.length;
    put(this.part("client"), response && clients > 1 ? `(to client ${response.client + 1})` : "");
    const lines = response
      ? [["HTTP/1.1", response.status === 200 ? "200 OK" : "429 Too Many Requests"], ...response.headers]
      : [["no request yet", ""]];
    if (response?.status === 200) lines.push(["Retry-After", "not sent"]);
    list.dataset.status = response?.status ?? "";
    while (list.children.length > lines.length) list.lastElementChild.remove();
    lines.forEach(([name, value], number) => {
      let line = list.children[number];
      if (!line) {
        line = document.createElement("div");
        line.append(document.createElement("dt"), document.createElement("dd"));
        list.append(line);
      }
      put(line.firstElementChild, number === 0 ? name : `${name}:`);
      put(line.lastElementChild, value);
      line.toggleAttribute("data-absent", value === "not sent");
    });
  }
}
