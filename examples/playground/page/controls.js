// What both panes share: scenarios, traffic, the clock, and the summary of it all.

const TEN = "10 per minute";
const pane = (algorithm, more = {}) => ({ algorithm, limit: TEN, burst: "", together: "", ...more });
const shared = { requests: 12, seconds: 60, size: 10, between: 25, clients: 1, cost: 1, speed: 10 };

export const SCENARIOS = [
  {
    name: "Boundary burst",
    about: "Ten before a window ends, ten after",
    panes: [pane("fixed_window"), pane("sliding_window")],
    traffic: { ...shared, pattern: "boundary" },
    ahead: 75,
  },
  {
    name: "Steady, a little too fast",
    about: "Twelve a minute where ten are allowed",
    panes: [pane("sliding_window"), pane("fixed_window_elastic_expiry")],
    traffic: { ...shared, pattern: "steady" },
    ahead: 150,
  },
  {
    name: "Burst and refill",
    about: "Ten at once, again and again",
    panes: [pane("token_bucket"), pane("fixed_window")],
    traffic: { ...shared, pattern: "bursts" },
    ahead: 130,
  },
  {
    name: "Two clients",
    about: "Each its own counter, or one for both",
    panes: [pane("sliding_window"), pane("sliding_window", { together: "yes" })],
    traffic: { ...shared, pattern: "steady", requests: 9, clients: 2 },
    ahead: 150,
  },
];

const find = (id) => document.getElementById(id);
const plural = (count, one) => (count === 1 ? `1 ${one}` : `${count} ${one}s`);

// What is typed is taken when the hand rests.
export function soon() {
  let waiting;
  return (act, { type }) => {
    clearTimeout(waiting);
    waiting = setTimeout(act, ["text", "number"].includes(type) ? 250 : 0);
  };
}

export class Controls {
  constructor(on) {
    const later = soon();
    this.form = find("traffic");
    this.buttons = SCENARIOS.map((scenario) => this.button(scenario, on));
    find("scenarios").append(...this.buttons);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", ({ target }) => {
      this.chosen(null);
      this.fields();
      later(["clients", "cost"].includes(target.name) ? on.setting : on.traffic, target);
    });
    for (const id of ["run", "one", "reset"]) find(id).addEventListener("click", () => on[id]());
    find("burst").addEventListener("click", () => {
      if (this.size() > 0) on.burst();
      else this.mistake("a burst has from 1 to 1000 requests");
    });
    addEventListener("keydown", (event) => event.key === "Escape" && on.stop());
  }

  button(scenario, on) {
    const button = document.createElement("button");
    const [name, about] = [document.createElement("strong"), document.createElement("span")];
    button.type = "button";
    name.textContent = scenario.name;
    about.textContent = scenario.about;
    button.append(name, about);
    button.addEventListener("click", () => on.scenario(scenario));
    return button;
  }

  chosen(scenario) {
    this.buttons.forEach((button, number) => button.setAttribute("aria-pressed", SCENARIOS[number] === scenario));
  }

  show(scenario) {
    for (const [name, value] of Object.entries(scenario.traffic)) this.form.elements[name].value = value;
    this.chosen(scenario);
    this.fields();
  }

  value(name) {
    return this.form.elements[name].value;
  }

  // A whole number; what is none is 0, and the program says what is wrong with that.
  number(name) {
    const number = Number(this.value(name));
    return Number.isSafeInteger(number) && number > 0 ? Math.min(number, 4_000_000_000) : 0;
  }

  // Only those that say something about the pattern.
  fields() {
    const pattern = this.value("pattern");
    for (const field of this.form.querySelectorAll("[data-of]")) field.hidden = !field.dataset.of.includes(pattern);
    const size = this.size();
    find("burst").textContent = `Send ${size}`;
  }

  crowd() {
    return { clients: this.number("clients"), cost: this.number("cost") };
  }

  traffic() {
    const pattern = this.value("pattern");
    const [requests, seconds, size] = ["requests", "seconds", "size"].map((name) => this.number(name));
    switch (pattern) {
      case "steady": return { pattern, requests, seconds };
      case "bursts": return { pattern, size, seconds: this.number("between") };
      case "boundary": return { pattern, size };
      default: return { pattern: "by_hand" };
    }
  }

  size() {
    return this.number("size");
  }

  speed() {
    return this.number("speed");
  }

  describe(window) {
    const { pattern, requests, size } = { requests: 0, size: 0, ...this.traffic() };
    const clients = this.number("clients");
    const every = this.form.elements.seconds.selectedOptions[0]?.textContent;
    const who = clients === 1 ? "One client sends" : `Each of ${clients} clients sends`;
    const sentences = {
      steady: `${who} ${plural(requests, "request")} every ${every}, evenly.`,
      bursts: `${who} ${plural(size, "request")} at once, every ${plural(this.number("between"), "second")}.`,
      boundary: `${who} one request, which opens a window of ${window}, then ${size} just before its end and ${size} at its end. `
        + "Two quiet windows later it begins again.",
      by_hand: `Nothing arrives by itself. “Send 1” and “Send ${this.size()}” are sent by ${clients === 1 ? "one client" : `each of ${clients} clients`}.`,
    };
    if (find("sentence").textContent !== sentences[pattern]) find("sentence").textContent = sentences[pattern];
  }

  mistake(message) {
    const line = find("traffic-mistake");
    line.hidden = !message;
    if (line.textContent !== (message ?? "")) line.textContent = message ?? "";
  }

  clock(now) {
    const tenths = Math.floor(now / 100_000);
    const [hours, minutes, seconds] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60, (tenths % 600) / 10];
    const shown = `${String(minutes).padStart(hours ? 2 : 1, "0")}:${seconds.toFixed(1).padStart(4, "0")}`;
    find("clock").textContent = hours ? `${hours}:${shown}` : shown;
  }

  running(is) {
    document.body.toggleAttribute("data-running", is);
    find("run").querySelector(".word").textContent = is ? "Stop" : "Start";
  }

  verdict([a, b]) {
    find("verdict").textContent = a.sent === 0
      ? "Nothing sent yet."
      : `Of ${plural(a.sent, "request")}, A allowed ${a.allowed} and B allowed ${b.allowed}.`;
  }

  speak([a, b], now) {
    const said = (name, { allowed, refused }) => `${name} allowed ${allowed} and refused ${refused}.`;
    find("spoken").textContent = `At ${Math.floor(now / 1_000_000)} seconds: ${said("A", a)} ${said("B", b)}`;
  }
}
